/* Configurations that are refused, with a message that says where and why; whatever the bytes, none crashes or takes long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/small_config.h"
#include "test.h"

/* What is refused, and a part of the message that says so. */
static const struct {
  const char *text, *message;
} refused[] = {
    {"", "f.yaml is empty"},
    {"# nothing\n", "f.yaml is empty"},
    {"~\n", "f.yaml:1: expected sections"},
    {"hello\n", "f.yaml:1: expected sections"},
    {"- a\n- b\n", "f.yaml:1: expected sections (run:, model:, data: …), found a list"},
    {RUN "modle: {layers: 2}\n", "f.yaml:2: unknown section 'modle'; did you mean 'model'?"},
    {RUN "foo: {layers: 2}\n", "f.yaml:2: unknown section 'foo'; sections are: run, model"},
    {RUN "learning_rate: 1\n", "f.yaml:2: unknown section 'learning_rate'; did you mean 'optimizer.learning_rate'?"},
    {"zebra: 1\n",
     "f.yaml:1: unknown section 'zebra'; sections are: run, model, data, objective, train, parallel, optimizer, schedule, checkpoint,"},
    {RUN "model:\n  family: bert\n  layesr: 2\n", "f.yaml:4: unknown key 'model.layesr'; did you mean 'model.layers'?"},
    {RUN "train: {learning_rate: 1}\n", "f.yaml:2: unknown key 'train.learning_rate'; did you mean 'optimizer.learning_rate'?"},
    {RUN "log: {colour_of_text: red}\n", "f.yaml:2: unknown key 'log.colour_of_text'; keys of 'log' are: every_steps"},
    {RUN "model: {<<: 1}\n", "unknown key 'model.<<'"},
    {RUN "model: {\"a.b\": 1}\n", "unknown key 'model.a?b'"},
    {RUN "model: {\"\\e[31m\": 1}\n", "unknown key 'model.?[31m'"},
    {RUN "model: {\"lay\\0ers\": 1}\n", "unknown key 'model.lay'"},
    {RUN "model: {[a]: 1}\n", "f.yaml:2: expected a key, found a list"},
    {RUN "model: 3\n", "f.yaml:2: model: expected keys and values below it, found a single value"},
    {RUN "model: [3]\n", "f.yaml:2: model: expected keys and values below it, found a list"},
    {RUN "model:\n", "f.yaml:2: model: expected keys"},
    {RUN "model: {layers: [1, 2]}\n", "f.yaml:2: model.layers: expected one value, found a list"},
    {RUN "model: {layers: {a: 1}}\n", "f.yaml:2: model.layers: expected one value, found a mapping"},
    {RUN "model:\n  layers: four\n", "f.yaml:3: model.layers: expected a whole number, found 'four'"},
    {RUN "model: {layers: 2.5}\n", "model.layers: expected a whole number, found '2.5'"},
    {RUN "model: {layers: 010}\n", "model.layers: expected a whole number, found '010'"},
    {RUN "model: {layers: 0x10}\n", "model.layers: expected a whole number"},
    {RUN "model: {layers: }\n", "f.yaml:2: model.layers has no value"},
    {RUN "model: {layers: null}\n", "f.yaml:2: model.layers has no value"},
    {RUN "model: {layers: -3}\n", "f.yaml:2: model.layers: -3 is impossible; it must be from 1 to 1024"},
    {RUN "model: {layers: 0}\n", "model.layers: 0 is impossible"},
    {RUN "model: {hidden: 99999999999999999999999}\n", "model.hidden: 99999999999999999999999 is impossible"},
    {RUN "model: {dropout: 1.0}\n", "model.dropout: 1.0 is impossible; it must be from 0 to below 1"},
    {RUN "model: {dropout: -0.1}\n", "model.dropout: -0.1 is impossible"},
    {RUN "model: {dropout: nan}\n", "model.dropout: expected a number, found 'nan'"},
    {RUN "model: {dropout: 0x1p-2}\n", "model.dropout: expected a number"},
    {RUN "model: {dropout: 0.1.2}\n", "model.dropout: expected a number"},
    {RUN "model: {layer_norm_epsilon: 0}\n", "model.layer_norm_epsilon: 0 is impossible; it must be above 0 to 1"},
    {RUN "objective: {mask_probability: 1}\n", "it must be above 0 to below 1"},
    {RUN "objective: {whole_word: maybe}\n", "objective.whole_word: 'maybe' is not one of: true, false"},
    {RUN "model: {activation: swish}\n",
     "f.yaml:2: model.activation: 'swish' is not one of: gelu, gelu_tanh, relu, geglu, geglu_tanh, reglu"},
    {RUN "optimizer: {name: sgd}\n", "optimizer.name: 'sgd' is not one of: adamw, lamb"},
    {RUN "optimizer: {learning_rate: 1e999}\n", "optimizer.learning_rate: 1e999 is impossible"},
    {"run: {seed: 4294967296}\n", "run.seed: 4294967296 is impossible; it must be from 0 to 4294967295"},
    {"run: {seed: -1}\n", "run.seed: -1 is impossible"},
    {RUN "train: {steps: 0}\n", "train.steps: 0 is impossible"},
    {RUN "train:\n  precision: fp16\n", "f.yaml:3: train.precision: 'fp16' is not one of: fp32, bf16"},
    {RUN "model: {family: seq2seq}\n", "f.yaml:2: model.family: seq2seq is not built yet"},
    {RUN "model: {family: vit, image: {size: 224}}\n", "not built yet"},
    {RUN "model: {family: elmo}\n", "f.yaml:2: model.family: 'elmo' is not one of: bert, gpt"},
    {RUN "model:\n  layers: 2\n  hidden: 8\n  layers: 3\n", "f.yaml:5: model.layers is given twice; the first is on line 3"},
    {RUN "model: {layers: 2}\nrun: {seed: 1}\n", "f.yaml:3: section run is given twice"},
    {RUN "model: &m {layers: 2}\n", "f.yaml:2: anchors (&) and aliases (*) are not taken"},
    {"run: {name: &a x, output: *a}\n", "anchors (&) and aliases (*) are not taken"},
    {RUN "data:\n  train: *.h5\n", "a pattern that begins with * or & needs quotes"},
    {RUN "model: {layers: !!int 2}\n", "f.yaml:2: tags (!) are not taken"},
    {"run:\n\tname: x\n", "f.yaml:2: not YAML"},
    {"run:\n\tname: x\n", "YAML is indented with spaces, never with tabs"},
    {"run: {name: x\n", "not YAML"},
    {"run: {name: \"x}\n", "not YAML"},
    {"run:\n  name: x\n seed: 3\n", "f.yaml:3: not YAML"},
    {"run: {name: x\x01}\n", "f.yaml:1: not a text in UTF-8"},
    {"run:\n  name: \xff\xfe\n", "f.yaml:2: not a text in UTF-8"},
    {"run: {name: \"a\\u0007\"}\n", "run.name: the value holds the control character U+0007"},
    {"run: {name: \"a\\0b\"}\n", "run.name: the value holds the control character U+0000"},
    {"run: {name: \"\"}\n", "run.name: expected a text of 1 to 4096 bytes, found 0"},
    {RUN "data: {train: []}\n", "f.yaml:2: data.train: expected a list of 1 to"},
    {RUN "data: {train: [a, [b]]}\n", "f.yaml:2: data.train: expected a list of texts, found a list or a mapping inside it"},
    {RUN "data: {train: {a: b}}\n", "data.train: expected a text or a list of texts, found a mapping"},
    {ALL "---\nrun: {}\n", "f.yaml:5: a second document"},
    {MODEL TRAIN OPTIMIZER, "f.yaml: run.name is missing"},
    {"run: {name: a/b}\n" MODEL TRAIN OPTIMIZER, "f.yaml:1: run.name: 'a/b' is no name of a folder"},
    {"run: {name: ..}\n" MODEL TRAIN OPTIMIZER, "'..' is no name of a folder"},
    {RUN TRAIN OPTIMIZER, "f.yaml: model.family is missing"},
    {RUN MODEL OPTIMIZER, "f.yaml: train.steps is missing"},
    {RUN MODEL TRAIN, "f.yaml: optimizer.learning_rate is missing"},
    {RUN "model: {family: bert, vocabulary_size: 9, layers: 2,\n hidden: 9, heads: 2}\n" TRAIN OPTIMIZER,
     "f.yaml:3: model.hidden 9 is not a multiple of model.heads 2"},
    {ALL "parallel: {tensor: 3}\n", "f.yaml:5: parallel.tensor: 3 ranks cannot share the 2 heads of a layer evenly"},
    {ALL "parallel: {tensor: 0}\n", "f.yaml:5: parallel.tensor"},
    {RUN "model: {family: bert, vocabulary_size: 9, layers: 2,\n hidden: 16, heads: 16}\n" TRAIN OPTIMIZER "parallel: {tensor: 16}\n",
     "f.yaml:6: parallel.tensor: 16 ranks are more than model.vocabulary_size 9 has parts"},
    {RUN MODEL "train: {steps: 10, sequence_length: 513, batch_sequences: 4}\n" OPTIMIZER,
     "f.yaml:3: train.sequence_length 513 is above model.max_positions 512"},
    {RUN MODEL "train: {steps: 10, sequence_length: 16, batch_sequences: 4, slices: 3}\n" OPTIMIZER,
     "f.yaml:3: train.batch_sequences 4 is not a multiple of train.slices 3"},
    {RUN MODEL "train: {steps: 10, sequence_length: 500, batch_sequences: 16777216}\n" OPTIMIZER, "tokens a step"},
    {ALL "schedule: {warmup_steps: 11}\n", "f.yaml:5: schedule.warmup_steps 11 is above train.steps 10"},
    {ALL "schedule: {decay: stable}\n", "f.yaml:5: schedule.decay: stable needs schedule.decay_steps"},
    {ALL "schedule: {decay_steps: 3}\n", "f.yaml:5: schedule.decay_steps is for schedule.decay: stable"},
    {ALL "schedule: {decay: stable, warmup_steps: 6, decay_steps: 5}\n", "together above train.steps 10"},
};

static void expect_refusal(heed_status status, const char *message, const char *what) {
  bool good = status == HEED_INVALID && strstr(heed_error_text(), message);
  CU_ASSERT(good);
  if (!good)
    printf("\n    %s\n    status %d: %s\n    expected: %s\n", what, status, heed_error_text(), message);
}

static void refuses(void) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    heed_config c;
    expect_refusal(parse(&c, refused[i].text), refused[i].message, refused[i].text);
    CU_ASSERT_PTR_NULL(c.run.name);
  }
}

static const struct {
  const char *setting, *message;
} refused_settings[] = {
    {"model.layesr=3", "--set model.layesr=3: unknown key 'model.layesr'; did you mean 'model.layers'?"},
    {"learning_rate=3", "did you mean 'optimizer.learning_rate'?"},
    {"leraning_rate=3", "did you mean 'optimizer.learning_rate'?"},
    {"optimizer.leraning_rate=3", "did you mean 'optimizer.learning_rate'?"},
    {"model=3", "--set model=3: model is a section"},
    {"model.layers", "--set model.layers: expected KEY=VALUE"},
    {"=3", "expected KEY=VALUE"},
    {"", "expected KEY=VALUE"},
    {"model.layers=", "--set model.layers=: model.layers: expected a whole number, found ''"},
    {"model.layers=abc", "--set model.layers=abc: model.layers: expected a whole number, found 'abc'"},
    {"model.layers=-3", "--set model.layers=-3: model.layers: -3 is impossible"},
    {"model.dropout=1", "--set model.dropout=1: model.dropout: 1 is impossible"},
    {"model.heads=3", "--set model.heads=3: model.hidden 8 is not a multiple of model.heads 3"},
    {"schedule.warmup_steps=11", "--set schedule.warmup_steps=11: schedule.warmup_steps 11 is above train.steps 10"},
    {"train.precision=bf61", "--set train.precision=bf61: train.precision: 'bf61' is not one of: fp32, bf16"},
    {"data.train=[a, b", "--set data.train=[a, b: not YAML"},
    {"data.train=[]", "data.train: expected a list of 1"},
    {"data.train=[a] b", "--set data.train=[a] b: "},
    {"data.train=[[a]]", "data.train: expected a list of texts"},
    {"data.vocabulary=\xff", "data.vocabulary: expected a text in UTF-8"},
    {"model.family=a\nb", "model.family: the value holds the control character U+000A"},
};

static void refuses_settings(void) {
  for (size_t i = 0; i < sizeof refused_settings / sizeof *refused_settings; i++) {
    heed_config c;
    expect_refusal(heed_config_parse(&c, ALL, "f.yaml", &refused_settings[i].setting, 1), refused_settings[i].message,
                   refused_settings[i].setting);
  }
}

static heed_status read_bytes(const char *path, const char *bytes, size_t count) {
  heed_config c;
  FILE *file = fopen(path, "wb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  CU_ASSERT_EQUAL(fwrite(bytes, 1, count, file), count);
  CU_ASSERT_EQUAL(fclose(file), 0);
  heed_status status = heed_config_read(&c, path, NULL, 0);
  heed_config_free(&c);
  return status;
}

static void reads_files(void) {
  char folder[] = "/tmp/heed-config-XXXXXX", path[64], pipe[64];
  heed_config c;
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/f.yaml", folder);
  snprintf(pipe, sizeof pipe, "%s/pipe", folder);
  const clock_t start = clock();
  expect_refusal(heed_config_read(&c, path, NULL, 0), "f.yaml: cannot be opened: No such file", "missing");
  expect_refusal(heed_config_read(&c, folder, NULL, 0), "is a folder", "folder");
  CU_ASSERT_EQUAL(mkfifo(pipe, 0600), 0);
  expect_refusal(heed_config_read(&c, pipe, NULL, 0), "is no ordinary file", "pipe");
  CU_ASSERT_EQUAL(read_bytes(path, ALL, sizeof ALL - 1), HEED_OK);
  expect_refusal(read_bytes(path, "", 0), "is empty", "empty");
  expect_refusal(read_bytes(path, "run:\0", 5), "is no text file", "zero byte");
  expect_refusal(read_bytes(path,
                            "\x7f"
                            "ELF\x02\x01\x01\x00",
                            8),
                 "is no text file", "program");
  size_t large = 1 << 20;
  char *text = malloc(large + 1);
  CU_ASSERT_PTR_NOT_NULL_FATAL(text);
  memset(text, '[', large + 1);
  expect_refusal(read_bytes(path, text, large + 1), "is larger than 1 MiB", "large");
  expect_refusal(read_bytes(path, text, large), "f.yaml:1: expected sections", "brackets");
  memset(text, '{', large);
  expect_refusal(read_bytes(path, text, large), "f.yaml:1: expected a key", "braces");
  memset(text, '#', large);
  expect_refusal(read_bytes(path, text, large), "is empty", "comment");
  memset(text, '\n', large);
  expect_refusal(read_bytes(path, text, large), "is empty", "lines");
  memset(text, '-', large);
  expect_refusal(read_bytes(path, text, large), "f.yaml:1: ", "dashes");
  memset(text, 'a', large);
  expect_refusal(read_bytes(path, text, large), "f.yaml:1: ", "word");
  memcpy(text, "run: {name: ", 12);
  expect_refusal(read_bytes(path, text, large), "f.yaml:", "long name");
  memcpy(text, "data: {train: [", 15);
  for (size_t i = 15; i < large; i++)
    text[i] = i % 2 ? ',' : 'a';
  expect_refusal(read_bytes(path, text, large), "f.yaml:", "long list");
  CU_ASSERT((double)(clock() - start) / CLOCKS_PER_SEC < 4);
  free(text);
  unlink(path);
  unlink(pipe);
  rmdir(folder);
}

/* No prefix, and no single changed byte, of a good file crashes or leaks. */
static void survives_damage(void) {
  static const char good[] = ALL "data: {train: [a.h5, \"b\"], vocabulary: 'v'}\nschedule: {decay: cosine}\n";
  char text[sizeof good];
  uint32_t state = 12345;
  for (size_t i = 0; i < sizeof good; i++) {
    heed_config c;
    memcpy(text, good, sizeof good);
    text[i] = 0;
    parse(&c, text);
    heed_config_free(&c);
  }
  for (int i = 0; i < 3000; i++) {
    heed_config c;
    memcpy(text, good, sizeof good);
    state = state * 1664525u + 1013904223u;
    text[(state >> 8) % (sizeof good - 1)] = "{}[]:,&*!-\"'\n\t #%@|>\x80z9"[(state >> 24) % 24];
    heed_status status = parse(&c, text);
    CU_ASSERT(status == HEED_OK || (status == HEED_INVALID && heed_error_text()[0]));
    heed_config_free(&c);
  }
}

static void training_needs_data(void) {
  const char *settings[] = {"data.train=a.h5", "data.vocabulary=v.txt"};
  static const char *const messages[] = {"f.yaml: data.train is missing", "f.yaml: data.vocabulary is missing"};
  heed_config c;
  for (int given = 0; given < 2; given++) {
    CU_ASSERT_EQUAL_FATAL(heed_config_parse(&c, ALL, "f.yaml", settings, given), HEED_OK);
    expect_refusal(heed_config_check_training(&c, "f.yaml"), messages[given], "training");
    heed_config_free(&c);
  }
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(&c, ALL, "f.yaml", settings, 2), HEED_OK);
  CU_ASSERT_EQUAL(heed_config_check_training(&c, "f.yaml"), HEED_OK);
  heed_config_free(&c);
}

HEED_TESTS({"refuses", refuses}, {"refuses settings", refuses_settings}, {"reads files", reads_files}, {"survives damage", survives_damage},
           {"training needs data", training_needs_data})

/* heed generate, from the command line: a small model of bytes whose texts are hardly ever UTF-8. */
#include <jansson.h>

#include "command.h"
#include "test.h"

static char folder[] = "/tmp/heed-generate-test-XXXXXX";

/* A byte-level vocabulary, and a GPT that has seen two steps. */
static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_FATAL(
      command_ended(command_run("cd %s && head -n 100 " HEED_SOURCE "/datasets/sample/text.txt > text.txt && " HEED_PROGRAM
                                " tokenizer train --type bpe --vocab-size 300 --output bpe text.txt && " HEED_PROGRAM
                                " prepare --vocab bpe --output train.h5 text.txt && cat > gpt.yaml <<'END'\n"
                                "run: {output: run}\n"
                                "model: {family: gpt, vocabulary_size: 300, layers: 1, hidden: 16, heads: 2, max_positions: 32}\n"
                                "data: {train: train.h5, vocabulary: bpe}\n"
                                "train: {steps: 2, sequence_length: 16, batch_sequences: 4}\n"
                                "optimizer: {learning_rate: 1.0e-3}\n"
                                "END\n" HEED_PROGRAM " train gpt.yaml",
                                folder),
                    0));
}

static int generate(const char *arguments) {
  return command_run("cd %s && " HEED_PROGRAM " generate run %s 2>/dev/null", folder, arguments);
}

static json_t *read_output(void) {
  json_t *object = json_loads(command_output, 0, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(object);
  return object;
}

/* Every continuation is there, its text as UTF-8 although its bytes are not, its tokens as many as were asked for. */
static void json_holds_every_continuation(void) {
  int replaced = 0;
  CU_ASSERT_EQUAL_FATAL(generate("--json --tokens 20 --temperature 5 --top-p 1 'The cat' 'sat' 'on \xff'"), 0);
  json_t *object = read_output(), *list = json_object_get(object, "continuations");
  CU_ASSERT_EQUAL_FATAL(json_array_size(list), 3);
  for (size_t i = 0; i < 3; i++) {
    json_t *made = json_array_get(list, i);
    const char *text = json_string_value(json_object_get(made, "text"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    replaced += strstr(text, "\xef\xbf\xbd") != NULL;
    CU_ASSERT(json_array_size(json_object_get(made, "ids")) == 20 || json_is_true(json_object_get(made, "ended")));
  }
  CU_ASSERT(replaced > 0); /* or nothing was tested */
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(list, 0), "prompt")), "The cat");
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(list, 2), "prompt")), "on \xef\xbf\xbd");
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "step")), 2);
  json_decref(object);
}

static void the_same_seed_gives_the_same_text(void) {
  char first[sizeof command_output];
  CU_ASSERT_EQUAL_FATAL(generate("--tokens 20 --seed 3 'The cat'"), 0);
  CU_ASSERT_EQUAL(strncmp(command_output, "The cat", 7), 0);
  memcpy(first, command_output, sizeof first);
  CU_ASSERT_EQUAL(generate("--tokens 20 --seed 3 'The cat'"), 0);
  CU_ASSERT_STRING_EQUAL(first, command_output);
  CU_ASSERT_EQUAL(generate("--tokens 20 --seed 3 --no-cache 'The cat'"), 0);
  CU_ASSERT_STRING_EQUAL(first, command_output);
  CU_ASSERT_EQUAL(generate("--tokens 20 --seed 4 'The cat'"), 0);
  CU_ASSERT(strcmp(first, command_output) != 0);
}

static void a_new_text_does_not_show_its_separator(void) {
  CU_ASSERT_EQUAL_FATAL(generate("--tokens 20 --seed 3"), 0);
  CU_ASSERT_PTR_NULL(strstr(command_output, "endoftext"));
  CU_ASSERT_EQUAL_FATAL(generate("--tokens 1 --seed 3 '<|endoftext|>'"), 0); /* one that was given is */
  CU_ASSERT_PTR_EQUAL(strstr(command_output, "<|endoftext|>"), command_output);
}

/* Bytes that are not UTF-8 are not dropped: that is for WordPiece. */
static void the_warning_is_of_the_vocabulary(void) {
  static const char *const commands[] = {"generate run $'a \\xff' --tokens 1", "embed run <<<$'\\xff'", "inspect run $'\\xff' --json"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    CU_ASSERT(command_ended(command_run("cd %s && bash -c \"" HEED_PROGRAM " %s\" 2>&1 >/dev/null", folder, commands[i]), 0));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "become U+FFFD, 1 sequence in all"));
  }
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

HEED_TESTS({"prepares", prepares}, {"json holds every continuation", json_holds_every_continuation},
           {"the same seed gives the same text", the_same_seed_gives_the_same_text},
           {"a new text does not show its separator", a_new_text_does_not_show_its_separator},
           {"the warning is of the vocabulary", the_warning_is_of_the_vocabulary}, {"cleans up", cleans_up})

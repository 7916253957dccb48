/* heed bench tokenizer: what it counts is what prepare makes, rates hang together, and what it cannot do it refuses. */
#include "measure/tokenizer.h"

#include <jansson.h>
#include <unistd.h>

#include "command.h"
#include "data/folder.h"
#include "test.h"

#define VOCABULARY HEED_SOURCE "/tests/data/tokenizer_vocab.txt"
#define TEXT HEED_SOURCE "/datasets/sample/text.txt"

static void prepares(void) {
  folder_make();
}

static void counts_what_prepare_makes(void) {
  static const char *const inputs[] = {TEXT, TEXT};
  heed_tokenizer *tokenizer;
  heed_tokenizer_speed once, twice;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&tokenizer, VOCABULARY, false), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_measure(&once, tokenizer, inputs, 1, folder_path("shard.h5")), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_measure(&twice, tokenizer, inputs, 2, folder_path("shard.h5")), HEED_OK);
  CU_ASSERT(once.bytes > 10000 && once.tokens > 1000);
  CU_ASSERT(twice.bytes == 2 * once.bytes && twice.tokens == 2 * once.tokens);
  CU_ASSERT(once.encode_seconds > 0 && once.read_seconds > 0);
  CU_ASSERT(once.prepare_seconds > once.encode_seconds);
  CU_ASSERT_EQUAL(access(folder_path("shard.h5"), R_OK), 0);
  heed_tokenizer_free(tokenizer);
}

static void refuses_what_is_read_once(void) {
  static const char *const inputs[] = {"-"}, *const missing[] = {"/nonexistent/text.txt"};
  heed_tokenizer *tokenizer;
  heed_tokenizer_speed speed;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&tokenizer, VOCABULARY, false), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_measure(&speed, tokenizer, inputs, 1, folder_path("shard.h5")), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_tokenizer_measure(&speed, tokenizer, missing, 1, folder_path("shard.h5")), HEED_INVALID);
  heed_tokenizer_free(tokenizer);
}

/* Runs `heed bench tokenizer --json` with these arguments, its temporary files in the test's folder, and reads its list. */
static json_t *bench(const char *arguments, size_t kinds) {
  CU_ASSERT(
      command_ended(command_run("cd %s && TMPDIR=%s OMP_NUM_THREADS=2 " HEED_PROGRAM " bench tokenizer --json %s 2> error || { cat error; "
                                "false; }",
                                folder, folder, arguments),
                    0));
  json_t *list = json_loads(command_output, 0, NULL);
  if (json_array_size(list) != kinds) {
    printf("\n    %s\n", command_output);
    CU_FAIL_FATAL("no such list");
  }
  for (size_t i = 0; i < kinds; i++) {
    const json_t *o = json_array_get(list, i);
    double encode = json_number_value(json_object_get(o, "encode_megabytes_per_second"));
    double prepare = json_number_value(json_object_get(o, "prepare_megabytes_per_second"));
    CU_ASSERT(prepare > 0 && prepare < json_number_value(json_object_get(o, "read_megabytes_per_second")) && encode > prepare);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "threads")), 2);
  }
  return list;
}

static const char *kind(const json_t *list, size_t i) {
  return json_string_value(json_object_get(json_array_get(list, i), "tokenizer"));
}

static void made_up_words_need_nothing(void) {
  json_t *list = bench("", 2);
  CU_ASSERT_STRING_EQUAL(kind(list, 0), "wordpiece");
  CU_ASSERT_STRING_EQUAL(kind(list, 1), "bpe");
  for (size_t i = 0; i < 2; i++) {
    CU_ASSERT(json_integer_value(json_object_get(json_array_get(list, i), "bytes")) >= 8 << 20);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(list, i), "vocabulary_size")), 8192);
  }
  json_decref(list);
  CU_ASSERT(command_ended(command_run("test -z \"$(ls -d %s/heed-bench-* 2> /dev/null)\"", folder), 0)); /* it cleans up */
}

static void a_vocabulary_and_texts_are_read(void) {
  json_t *given = bench("--vocab " VOCABULARY " --text " TEXT " --text " TEXT, 1);
  CU_ASSERT_STRING_EQUAL(kind(given, 0), "wordpiece");
  json_t *configured = bench(HEED_SOURCE "/configs/bert-tiny.yaml --set data.vocabulary=" VOCABULARY " --text " TEXT, 1);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(given, 0), "tokens")),
                  2 * json_integer_value(json_object_get(json_array_get(configured, 0), "tokens")));
  json_decref(given);
  json_decref(configured);
}

static void refuses_what_it_cannot(void) {
  static const struct {
    const char *arguments, *says;
    int code;
  } cases[] = {{"tokenizer --vocab none.txt", "none.txt", 65},
               {"tokenizer --text none.txt", "none.txt", 65},
               {"tokenizer --text -", "only once", 65},
               {"tokenizer missing.yaml", "missing.yaml", 65},
               {"tokenizer --data none.h5", "--data", 64},
               {"tokenizer --lengths 5", "--lengths", 64},
               {"gemm --text " TEXT, "--text", 64}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " bench %s", folder, cases[i].arguments), cases[i].code));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, cases[i].says));
  }
  CU_ASSERT(command_ended(command_run("cd %s && " HEED_MPIEXEC " --oversubscribe -n 2 " HEED_PROGRAM " bench tokenizer", folder), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "leave mpirun away"));
}

static void cleans_up(void) {
  folder_remove();
}

HEED_TESTS({"prepares", prepares}, {"counts what prepare makes", counts_what_prepare_makes},
           {"refuses what is read once", refuses_what_is_read_once}, {"made-up words need nothing", made_up_words_need_nothing},
           {"a vocabulary and texts are read", a_vocabulary_and_texts_are_read}, {"refuses what it cannot", refuses_what_it_cannot},
           {"cleans up", cleans_up})

/* heed bench step: what it reports hangs together, on ranks and without, with data and without.  It runs alone. */
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "command.h"
#include "measure/flops.h"
#include "test.h"

static char folder[] = "/tmp/heed-bench-test-XXXXXX";

/* A model of milliseconds; its data files do not exist, since no bench may open them. */
static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_EQUAL_FATAL(
      command_run("cat > %s/micro.yaml <<'END'\n"
                  "run: {name: micro}\n"
                  "model: {family: bert, vocabulary_size: 300, layers: 2, hidden: 64, heads: 2, feed_forward: 128, max_positions: 32}\n"
                  "data: {train: none.h5, validation: none.h5, vocabulary: vocab.txt}\n"
                  "train: {steps: 1000, sequence_length: 32, batch_sequences: 16, slices: 4}\n"
                  "optimizer: {learning_rate: 1.0e-3}\n"
                  "END\n:",
                  folder),
      0);
}

/* Runs `heed bench step micro.yaml --json` on ranks (0: without mpirun) and reads its object.  Where other programs kept the ceiling down
 * it says so, and is asked again. */
static json_t *bench(int ranks, const char *rest) {
  char launch[512] = "";
  if (ranks > 0)
    snprintf(launch, sizeof launch, HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d", ranks);
  int code = 1;
  for (int tries = 0; tries < 5 && (tries == 0 || strstr(command_output, "the ceiling was disturbed")); tries++)
    code = command_run("cd %s && OMP_NUM_THREADS=1 timeout 100 %s " HEED_PROGRAM
                       " bench step micro.yaml --json --steps 8 --warmup 1 %s 2> error || { cat error; false; }",
                       folder, launch, rest);
  CU_ASSERT(command_ended(code, 0));
  json_t *object = json_loads(command_output, 0, NULL);
  if (!object) {
    printf("\n    %s\n", command_output);
    CU_FAIL_FATAL("no JSON object");
  }
  return object;
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  CU_ASSERT(json_is_number(value));
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool close_to(double a, double b) {
  return fabs(a - b) <= 1e-6 * fabs(b);
}

static void hangs_together(const json_t *o, int ranks) {
  double seconds = number(o, "step_ms_median") / 1e3;
  CU_ASSERT(seconds > 0);
  CU_ASSERT(close_to(number(o, "gflops"), number(o, "model_flops_per_step") / seconds / 1e9));
  CU_ASSERT(close_to(number(o, "fraction_of_ceiling"), number(o, "gflops") / number(o, "ceiling_gflops")));
  CU_ASSERT(number(o, "fraction_of_ceiling") > 0 && number(o, "fraction_of_ceiling") <= 1);
  CU_ASSERT_EQUAL(number(o, "ranks"), ranks);
  CU_ASSERT_EQUAL(number(o, "threads"), 1);
  CU_ASSERT(number(o, "peak_rss_bytes") > 1 << 20);
  CU_ASSERT(json_is_string(json_object_get(o, "isa")));
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "precision")), "fp32");
}

/* Full rows: 16 of 32 tokens, round(0.15 · 32) = 5 of them masked, whatever the ranks and passes. */
static void made_up_rows_are_full(void) {
  static const struct {
    int ranks;
    const char *rest;
    bool pooler;
  } cases[] = {{0, "", false}, {2, "", false}, {4, "--set objective.next_sentence=true", true}, {0, "--set train.slices_at_once=1", false}};
  heed_model_config model = {.family = "bert", .vocabulary_size = 300, .layers = 2, .hidden = 64, .feed_forward = 128};
  heed_work work = {.sequences = 16, .tokens = 16 * 32, .pairs = 2 * 16 * 32 * 32, .targets = 16 * 5};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *o = bench(cases[i].ranks, cases[i].rest);
    hangs_together(o, cases[i].ranks ? cases[i].ranks : 1);
    CU_ASSERT(close_to(number(o, "model_flops_per_step"), heed_training_flops(&model, &work, cases[i].pooler)));
    CU_ASSERT(close_to(number(o, "tokens_per_second"), 512 / (number(o, "step_ms_median") / 1e3)));
    json_decref(o);
  }
}

/* Rows of 32, 4 and 12 tokens in turn, of the global batch whatever the ranks and passes; masked: round(0.15 · length), at least 1. */
static void made_up_rows_have_the_lengths_told(void) {
  static const struct {
    int ranks;
    const char *rest;
  } cases[] = {{0, "--lengths 32,4,12"},
               {2, "--lengths 32,4,12"},
               {4, "--lengths 32,4 --lengths 12"},
               {0, "--lengths 32,4,12 --set train.slices_at_once=1"}};
  static const int64_t lengths[] = {32, 4, 12}, masked[] = {5, 1, 2};
  heed_model_config model = {.family = "bert", .vocabulary_size = 300, .layers = 2, .hidden = 64, .feed_forward = 128};
  heed_work work = {.sequences = 16};
  for (int row = 0; row < 16; row++) {
    work.tokens += lengths[row % 3];
    work.pairs += 2 * lengths[row % 3] * lengths[row % 3];
    work.targets += masked[row % 3];
  }
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *o = bench(cases[i].ranks, cases[i].rest);
    hangs_together(o, cases[i].ranks ? cases[i].ranks : 1);
    CU_ASSERT(close_to(number(o, "model_flops_per_step"), heed_training_flops(&model, &work, false)));
    CU_ASSERT(close_to(number(o, "tokens_per_second"), (double)work.tokens / (number(o, "step_ms_median") / 1e3)));
    json_decref(o);
  }
}

static void real_rows_are_read(void) {
  CU_ASSERT_EQUAL_FATAL(
      command_run("cd %s && " HEED_PROGRAM " tokenizer train --type wordpiece --vocab-size 300 --output vocab.txt " HEED_SOURCE
                  "/datasets/sample/text.txt && head -n 100 " HEED_SOURCE "/datasets/sample/text.txt > text.txt && " HEED_PROGRAM
                  " prepare --vocab vocab.txt --output real.h5 text.txt",
                  folder),
      0);
  json_t *o = bench(2, "--data real.h5");
  hangs_together(o, 2);
  double tokens = number(o, "tokens_per_second") * number(o, "step_ms_median") / 1e3;
  CU_ASSERT(tokens > 256 && tokens < 512); /* rows of whole sentences are not all full */
  json_decref(o);
}

static void refuses_what_it_cannot(void) {
  static const struct {
    const char *arguments, *says;
    int code;
  } cases[] = {{"step missing.yaml", "missing.yaml", 65},
               {"step micro.yaml --data none.h5", "none.h5", 65},
               {"attention --lengths 5", "--lengths", 64},
               {"step micro.yaml --vocab vocab.txt", "--vocab", 64},
               {"allreduce", "mpirun", 65},
               {"nothing", "gemm", 64},
               {"gemm micro.yaml", "configuration", 64},
               {"gemm --precision fp16", "fp32 or bf16", 64},
               {"step --precision bf16", "train.precision", 64},
               {"step micro.yaml --steps 0", "--steps", 64},
               {"step micro.yaml --lengths 5,33", "33 tokens", 65},
               {"step micro.yaml --lengths 5,,7", "'5,,7'", 64},
               {"step micro.yaml --lengths 5 --data none.h5", "--lengths", 64},
               {"gemm --lengths 5", "--lengths", 64},
               {"", "needed", 64}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " bench %s", folder, cases[i].arguments), cases[i].code));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, cases[i].says));
  }
  CU_ASSERT(
      command_ended(command_run("cd %s && " HEED_MPIEXEC " --oversubscribe -n 3 " HEED_PROGRAM " bench step micro.yaml", folder), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "1, 2 or 4"));
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

HEED_TESTS({"prepares", prepares}, {"made-up rows are full", made_up_rows_are_full},
           {"made-up rows have the lengths told", made_up_rows_have_the_lengths_told}, {"real rows are read", real_rows_are_read},
           {"refuses what it cannot", refuses_what_it_cannot}, {"cleans up", cleans_up})

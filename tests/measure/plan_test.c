/* heed plan: what it says of memory against what runs take, by the operating system's count. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "test.h"

static char folder[] = "/tmp/heed-plan-test-XXXXXX";

static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static json_t *object_of(void) {
  json_t *object = json_loads(command_output, 0, NULL);
  if (!object) {
    printf("\n    %s\n", command_output);
    CU_FAIL_FATAL("no JSON object");
  }
  return object;
}

static json_t *bench(const char *launch, const char *config, const char *rest) {
  CU_ASSERT(command_ended(command_run("OMP_NUM_THREADS=2 timeout 300 %s " HEED_PROGRAM
                                      " bench step %s --json --steps 1 --warmup 1 %s 2> %s/error || { cat %s/error; false; }",
                                      launch, config, rest, folder, folder),
                          0));
  return object_of();
}

static json_t *plan(const char *config, int ranks, const char *rest) {
  CU_ASSERT(command_ended(
      command_run("cd %s && OMP_NUM_THREADS=2 " HEED_PROGRAM " plan %s --ranks %d --json %s", folder, config, ranks, rest), 0));
  return object_of();
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  CU_ASSERT(json_is_number(value));
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool sanitized(void) {
#ifdef __SANITIZE_ADDRESS__
  printf("the sanitizer takes memory of its own: skipped  ");
  return true;
#else
  return false;
#endif
}

static void expect_near(double planned, double taken) {
  printf("%.1f of %.1f MiB  ", planned / 1048576, taken / 1048576);
  CU_ASSERT(fabs(planned - taken) <= 0.1 * taken);
}

/* The batches are smaller than the configurations', so that a step takes a moment; what does not depend on them counts for more. */
static void benches_take_what_is_planned(void) {
  static const struct {
    const char *config, *rest;
  } cases[] = {{"bert-tiny", "--set train.batch_sequences=32"},
               {"bert-mini", ""},
               {"bert-small", "--set train.batch_sequences=8"},
               {"bert-mini", "--set train.slices_at_once=1 --set optimizer.name=lamb"},
               {"gpt-mini", "--set train.batch_sequences=8"}};
  for (size_t i = 0; !sanitized() && i < sizeof cases / sizeof *cases; i++)
    for (int ranks = 1; ranks <= 2; ranks++) {
      char config[256], launch[256] = "";
      snprintf(config, sizeof config, HEED_SOURCE "/configs/%s.yaml", cases[i].config);
      if (ranks > 1)
        snprintf(launch, sizeof launch, HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d",
                 ranks);
      json_t *planned = plan(config, ranks, cases[i].rest);
      json_t *taken = bench(launch, config, cases[i].rest);
      expect_near(number(planned, "peak_rss_bytes"), number(taken, "peak_rss_bytes"));
      CU_ASSERT_EQUAL(number(planned, "parameters"), number(taken, "parameters"));
      json_decref(planned);
      json_decref(taken);
    }
}

/* Long sequences, where activations are most of a step's memory: what recomputation saves by the plan is saved. */
static void recomputation_takes_less(void) {
  static const char *const modes[] = {"none", "attention", "block"};
  static const struct {
    const char *config, *rest;
    double share; /* of `none`, that activations may take with `block` */
  } cases[] = {{HEED_SOURCE "/configs/bert-mini.yaml", "--set train.batch_sequences=8 --set train.sequence_length=512", 0.6},
               {HEED_SOURCE "/configs/gpt-mini.yaml", "--set train.precision=bf16 --set train.batch_sequences=8", 0.8}};
  for (size_t i = 0; !sanitized() && i < sizeof cases / sizeof *cases; i++) {
    double planned[3], taken[3], activations[3];
    for (int n = 0; n < 3; n++) {
      char rest[256];
      snprintf(rest, sizeof rest, "%s --set train.recompute=%s", cases[i].rest, modes[n]);
      json_t *p = plan(cases[i].config, 1, rest), *t = bench("", cases[i].config, rest);
      planned[n] = number(p, "peak_rss_bytes");
      taken[n] = number(t, "peak_rss_bytes");
      activations[n] = number(json_object_get(p, "memory"), "activations");
      expect_near(planned[n], taken[n]);
      if (n > 0) {
        CU_ASSERT(planned[n] < planned[n - 1]);
        CU_ASSERT(fabs((taken[0] - taken[n]) - (planned[0] - planned[n])) < 0.1 * (planned[0] - planned[n]));
      }
      json_decref(p);
      json_decref(t);
    }
    printf("activations %.2f  ", activations[2] / activations[0]);
    CU_ASSERT(activations[2] < cases[i].share * activations[0]);
  }
}

/* The peak of a child alone: getrusage counts the largest of all that were waited for. */
static double peak_of_training(void) {
  struct rusage usage = {0};
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    setenv("OMP_NUM_THREADS", "2", 1);
    if (chdir(folder) == 0 && freopen("error", "w", stderr))
      execl(HEED_PROGRAM, "heed", "train", "micro.yaml", (char *)NULL);
    _exit(127);
  }
  CU_ASSERT_EQUAL(wait4(child, &status, 0, &usage), child);
  CU_ASSERT_EQUAL(status, 0);
  return (double)usage.ru_maxrss * 1024;
}

/* With evaluations and a checkpoint. */
static void training_takes_what_is_planned(void) {
  CU_ASSERT_FATAL(command_ended(
      command_run("cd %s && " HEED_PROGRAM " tokenizer train --type wordpiece --vocab-size 2000 --output vocab.txt " HEED_SOURCE
                  "/datasets/sample/text.txt && " HEED_PROGRAM " prepare --vocab vocab.txt --output text.h5 " HEED_SOURCE
                  "/datasets/sample/text.txt && cat > micro.yaml <<'END'\n"
                  "run: {name: micro, output: run}\n"
                  "model: {family: bert, vocabulary_size: 2000, layers: 2, hidden: 128, heads: 2, feed_forward: 512}\n"
                  "data: {train: text.h5, validation: text.h5, vocabulary: vocab.txt}\n"
                  "train: {steps: 4, sequence_length: 64, batch_sequences: 64, slices: 4}\n"
                  "optimizer: {learning_rate: 1.0e-3}\n"
                  "evaluate: {every_steps: 2, batches: 2}\n"
                  "END\n:",
                  folder),
      0));
  json_t *planned = plan("micro.yaml", 1, "");
  double bytes = 0;
  if (!sanitized())
    expect_near(number(planned, "peak_rss_bytes"), peak_of_training());
  if (!sanitized() && command_run("stat -c %%s %s/run/checkpoints/step-00000004/state.h5", folder) == 0)
    bytes = atof(command_output);
  if (!sanitized())
    CU_ASSERT(fabs(number(planned, "checkpoint_bytes") - bytes) <= 0.05 * bytes);
  json_decref(planned);
}

static void the_parts_are_the_whole(void) {
  json_t *o = plan(HEED_SOURCE "/configs/bert-base.yaml", 4, "--nodes 2 --threads 3");
  const json_t *memory = json_object_get(o, "memory");
  const char *key;
  json_t *part;
  double sum = 0;
  json_object_foreach((json_t *)memory, key, part) sum += json_number_value(part);
  CU_ASSERT_EQUAL(json_object_size(memory), 8);
  CU_ASSERT_EQUAL(sum, number(o, "peak_rss_bytes"));
  CU_ASSERT_EQUAL(number(o, "node_bytes"), 2 * (sum - number(memory, "neighbours")));
  CU_ASSERT_EQUAL(number(o, "ranks_on_node"), 2);
  CU_ASSERT_EQUAL(number(o, "threads"), 3);
  CU_ASSERT_EQUAL(number(memory, "parameters"), 4 * number(o, "parameters"));
  CU_ASSERT_EQUAL(number(o, "checkpoint_bytes"), 12 * number(o, "parameters"));
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "precision")), "fp32");
  json_decref(o);
}

/* Slices are parted until they fit three quarters of the machine; what no parting helps does not fit. */
static void says_what_does_not_fit(void) {
  json_t *small = plan(HEED_SOURCE "/configs/bert-tiny.yaml", 1, ""),
         *large = plan(HEED_SOURCE "/configs/bert-large.yaml", 8, "--set train.slices=64 --set train.batch_sequences=65536");
  CU_ASSERT(json_is_true(json_object_get(small, "fits")));
  CU_ASSERT_EQUAL(number(small, "slices_at_once"), number(small, "slices"));
  CU_ASSERT(json_is_false(json_object_get(large, "fits")));
  CU_ASSERT_EQUAL(number(large, "slices_at_once"), 1);
  CU_ASSERT_EQUAL(number(large, "slices"), 8);
  json_decref(small);
  json_decref(large);
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " plan " HEED_SOURCE "/configs/bert-large.yaml --set train.batch_sequences=65536"), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "it does NOT fit"));
}

static void refuses_what_it_cannot(void) {
  static const struct {
    const char *arguments, *says;
    int code;
  } cases[] = {{"bert-tiny.yaml --ranks 3", "8 slices run on 1, 2, 4 or 8 ranks, not 3", 65},
               {"bert-tiny.yaml --ranks 0", "--ranks", 64},
               {"bert-tiny.yaml --ranks 2 --nodes 4", "--nodes 4 is more than --ranks 2", 64},
               {"bert-tiny.yaml --set train.slices_at_once=3", "train.slices_at_once", 65},
               {"bert-tiny.yaml --set train.recompute=blocks", "train.recompute", 65},
               {"bert-large.yaml --set model.hidden=1048576 --set model.feed_forward=4194304 --set model.layers=1024 --set "
                "train.batch_sequences=65536",
                "more memory than machines have", 65},
               {"missing.yaml", "missing.yaml", 65},
               {"", "a configuration is needed", 64}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CU_ASSERT(command_ended(command_run("cd " HEED_SOURCE "/configs && " HEED_PROGRAM " plan %s", cases[i].arguments), cases[i].code));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, cases[i].says));
  }
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

HEED_TESTS({"prepares", prepares}, {"benches take what is planned", benches_take_what_is_planned},
           {"recomputation takes less", recomputation_takes_less}, {"training takes what is planned", training_takes_what_is_planned},
           {"the parts are the whole", the_parts_are_the_whole}, {"says what does not fit", says_what_does_not_fit},
           {"refuses what it cannot", refuses_what_it_cannot}, {"cleans up", cleans_up})

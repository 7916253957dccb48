/* heed plan: what it says of memory against what runs take, by the operating system's count; and of time, what hangs together whatever
 * else the machine does.  How near its times come is for tests/bench/plan.py to say, on a quiet machine. */
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
  CU_ASSERT(command_ended(command_run("cd %s && OMP_NUM_THREADS=2 " HEED_PROGRAM
                                      " plan %s --ranks %d --json %s 2> error || { cat error; false; }",
                                      folder, config, ranks, rest),
                          0));
  return object_of();
}

static json_t *plan_memory(const char *config, int ranks, const char *rest) {
  char more[256];
  snprintf(more, sizeof more, "--no-time --set checkpoint.background=false %s", rest); /* what is compared does not save */
  return plan(config, ranks, more);
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
               {"bert-small", "--set train.batch_sequences=8 --set train.precision=bf16"},
               {"bert-mini", "--set train.slices_at_once=1 --set optimizer.name=lamb"},
               {"gpt-mini", "--set train.batch_sequences=8"}};
  for (size_t i = 0; !sanitized() && i < sizeof cases / sizeof *cases; i++)
    for (int ranks = 1; ranks <= 2; ranks++) {
      char config[256], launch[256] = "";
      snprintf(config, sizeof config, HEED_SOURCE "/configs/%s.yaml", cases[i].config);
      if (ranks > 1)
        snprintf(launch, sizeof launch, HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d",
                 ranks);
      json_t *planned = plan_memory(config, ranks, cases[i].rest);
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
      char rest[200];
      snprintf(rest, sizeof rest, "%s --set train.recompute=%s", cases[i].rest, modes[n]);
      json_t *p = plan_memory(cases[i].config, 1, rest), *t = bench("", cases[i].config, rest);
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
  json_t *planned = plan_memory("micro.yaml", 1, "");
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
  json_t *o = plan(HEED_SOURCE "/configs/bert-base.yaml", 4, "--nodes 2 --threads 3 --no-time");
  const json_t *memory = json_object_get(o, "memory");
  const char *key;
  json_t *part;
  double sum = 0;
  json_object_foreach((json_t *)memory, key, part) sum += json_number_value(part);
  CU_ASSERT_EQUAL(json_object_size(memory), 9);
  CU_ASSERT_EQUAL(sum, number(o, "peak_rss_bytes"));
  CU_ASSERT_EQUAL(number(memory, "snapshot"), number(o, "checkpoint_bytes")); /* of one rank of a machine */
  CU_ASSERT_EQUAL(number(o, "node_bytes"), 2 * (sum - number(memory, "neighbours")) - number(memory, "snapshot"));
  CU_ASSERT_EQUAL(number(o, "ranks_on_node"), 2);
  CU_ASSERT_EQUAL(number(o, "threads"), 3);
  CU_ASSERT_EQUAL(number(memory, "parameters"), 4 * number(o, "parameters"));
  CU_ASSERT_EQUAL(number(o, "checkpoint_bytes"), 12 * number(o, "parameters"));
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "precision")), "fp32");
  json_decref(o);
}

/* Two bytes of each, four of a rank's share, and little for biases and norms; of another rank on the machine half of what it shows. */
static void in_bf16_a_rank_has_a_share_of_the_masters(void) {
  for (int ranks = 1; ranks <= 4; ranks *= 2) {
    json_t *o = plan_memory(HEED_SOURCE "/configs/bert-base.yaml", ranks, "--set train.precision=bf16");
    const double memory = number(json_object_get(o, "memory"), "parameters"), parameters = number(o, "parameters");
    CU_ASSERT(memory > (2 + 4.0 / ranks) * parameters && memory < 1.01 * (2 + 4.0 / ranks) * parameters);
    CU_ASSERT_EQUAL(number(o, "checkpoint_bytes"), 12 * parameters);
    json_decref(o);
  }
}

/* Slices are parted until they fit three quarters of the machine; what no parting helps does not fit. */
static void says_what_does_not_fit(void) {
  json_t *small = plan_memory(HEED_SOURCE "/configs/bert-tiny.yaml", 1, ""),
         *large = plan_memory(HEED_SOURCE "/configs/bert-large.yaml", 8, "--set train.slices=64 --set train.batch_sequences=65536");
  CU_ASSERT(json_is_true(json_object_get(small, "fits")));
  CU_ASSERT_EQUAL(number(small, "slices_at_once"), number(small, "slices"));
  CU_ASSERT(json_is_false(json_object_get(large, "fits")));
  CU_ASSERT_EQUAL(number(large, "slices_at_once"), 1);
  CU_ASSERT_EQUAL(number(large, "slices"), 8);
  json_decref(small);
  json_decref(large);
  CU_ASSERT(command_ended(
      command_run(HEED_PROGRAM " plan " HEED_SOURCE "/configs/bert-large.yaml --no-time --set train.batch_sequences=65536"), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "it does NOT fit"));
}

/* Steps that `heed bench step` takes, of a model that is timed whole and of one that is timed by its layers, which are 12 times what a
 * layer takes.  Other work on the machine may make either of both several times as long. */
static void steps_take_what_is_planned(void) {
  static const struct {
    const char *config, *rest;
    int ranks;
  } cases[] = {{"bert-tiny", "--set train.batch_sequences=16", 1},
               {"bert-tiny", "--set train.batch_sequences=16 --set train.precision=bf16", 2},
               {"bert-mini", "--set model.layers=12", 1}};
  for (size_t i = 0; !sanitized() && i < sizeof cases / sizeof *cases; i++) {
    char config[256], launch[256] = "", rest[256];
    snprintf(config, sizeof config, HEED_SOURCE "/configs/%s.yaml", cases[i].config);
    if (cases[i].ranks > 1)
      snprintf(launch, sizeof launch, HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d",
               cases[i].ranks);
    snprintf(rest, sizeof rest, "--threads 1 %s", cases[i].rest);
    json_t *planned = plan(config, cases[i].ranks, rest);
    CU_ASSERT(command_ended(command_run("OMP_NUM_THREADS=1 timeout 300 %s " HEED_PROGRAM
                                        " bench step %s --json --steps 2 --warmup 1 %s 2> %s/error || { cat %s/error; false; }",
                                        launch, config, cases[i].rest, folder, folder),
                            0));
    json_t *taken = object_of();
    double seconds = number(planned, "step_seconds"), ms = number(taken, "step_ms_median");
    printf("%.0f of %.0f ms  ", 1e3 * seconds, ms);
    CU_ASSERT(1e3 * seconds > ms / 8 && 1e3 * seconds < 8 * ms);
    json_decref(planned);
    json_decref(taken);
  }
}

static bool close_to(double a, double b) {
  return fabs(a - b) <= 1e-6 * fabs(b);
}

/* Rates made up: 1 µs a token and layer, 2 µs a token besides, 1 ns a parameter. */
static void write_rates(const char *change) {
  CU_ASSERT_FATAL(command_ended(
      command_run("cat > %s/rates.json <<'END'\n{\"rates\": {\"threads\": 4, \"ranks_on_node\": 2, \"family\": \"bert\", \"precision\": "
                  "\"fp32\", \"vocabulary_size\": 8192, \"hidden\": 768, \"heads\": 12, \"feed_forward\": 3072, \"sequence_length\": 128, "
                  "\"layer_seconds_per_token\": 1e-6, \"rest_seconds_per_token\": 2e-6, \"optimizer_seconds_per_parameter\": 1e-9, "
                  "\"add_seconds_per_float\": 1e-9, \"copy_seconds_per_byte\": 1e-10}}\nEND\nsed -i '%s' %s/rates.json",
                  folder, change, folder),
      0));
}

#define BASE HEED_SOURCE "/configs/bert-base.yaml"

/* bert-base: 12 layers, 256 rows of 128 tokens, 32 slices, 100,000 steps; 8 ranks on 4 machines, over 10 µs and 8 Gbit/s. */
static void times_follow_from_rates(void) {
  write_rates("");
  json_t *o = plan(BASE, 8,
                   "--nodes 4 --rates rates.json --network 10,8 --checkpoint-rate 100 --set train.slices_at_once=4 --set "
                   "checkpoint.background=false");
  double parameters = number(o, "parameters"), compute = 256 * 128 / 8 * 14e-6, optimizer = parameters / 8 * 1e-9;
  double tied = 8192 * 768;
  double sum = 3 * 10e-6 + 7.0 / 8 * 4 * (parameters + tied) / 1e9, back = 3 * 10e-6 + 7.0 / 8 * 4 * parameters / 1e9;
  CU_ASSERT_EQUAL(number(o, "threads"), 4);
  CU_ASSERT(close_to(number(o, "compute_seconds"), compute));
  CU_ASSERT(close_to(number(o, "optimizer_seconds"), optimizer));
  CU_ASSERT(close_to(number(o, "exchange_seconds"), sum + back));
  CU_ASSERT(number(o, "exposed_seconds") > back && number(o, "exposed_seconds") < sum + back);
  CU_ASSERT(close_to(number(o, "step_seconds"), compute + optimizer + number(o, "exposed_seconds")));
  CU_ASSERT(close_to(number(o, "network_share"), number(o, "exposed_seconds") / number(o, "step_seconds")));
  CU_ASSERT(close_to(number(o, "tokens_per_second"), 256 * 128 / number(o, "step_seconds")));
  CU_ASSERT(close_to(number(o, "checkpoint_seconds"), 12 * parameters / 100e6 + 7.0 / 8 * 8 * parameters / 1e9));
  CU_ASSERT(number(o, "run_seconds") > 100000 * number(o, "step_seconds") + 100 * number(o, "checkpoint_seconds"));
  CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(json_object_get(o, "launch")),
                                "sbatch --nodes=4 --ntasks-per-node=2 --cpus-per-task=4 --time=24:00:00 jobs/slurm.sbatch "));
  CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(json_object_get(o, "launch")), "configs/bert-base.yaml --set train.slices_at_once=4"));
  json_decref(o);
}

/* A row for each number of ranks that 32 slices allow, the last of which is what was asked for; all slices where nothing was. */
static void rows_are_of_allowed_ranks(void) {
  static const int allowed[] = {1, 2, 4, 8, 16, 32};
  write_rates("");
  json_t *o = plan(BASE, 8, "--nodes 4 --rates rates.json --network 10,8 --checkpoint-rate 100"), *row = NULL;
  const json_t *rows = json_object_get(o, "by_ranks");
  size_t i;
  CU_ASSERT_EQUAL(json_array_size(rows), 4);
  json_array_foreach((json_t *)rows, i, row) {
    CU_ASSERT_EQUAL(number(row, "ranks"), allowed[i]);
    CU_ASSERT_EQUAL(number(row, "nodes"), allowed[i] > 2 ? allowed[i] / 2 : 1);
    CU_ASSERT(
        close_to(number(row, "efficiency"), number(json_array_get(rows, 0), "step_seconds") / allowed[i] / number(row, "step_seconds")));
  }
  row = json_array_get(rows, 3);
  CU_ASSERT_EQUAL(number(row, "step_seconds"), number(o, "step_seconds"));
  CU_ASSERT_EQUAL(number(row, "peak_rss_bytes"), number(o, "peak_rss_bytes"));
  CU_ASSERT(number(json_array_get(rows, 0), "exchange_seconds") == 0 && number(json_array_get(rows, 0), "efficiency") == 1);
  json_decref(o);
  CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " plan " BASE " --json --no-time", folder), 0));
  o = object_of();
  rows = json_object_get(o, "by_ranks");
  CU_ASSERT_EQUAL(json_array_size(rows), 6);
  json_array_foreach((json_t *)rows, i, row) {
    CU_ASSERT_EQUAL(number(row, "ranks"), allowed[i]);
    CU_ASSERT_EQUAL(number(row, "nodes"), allowed[i]); /* a rank each, as the one that is planned */
    CU_ASSERT(json_is_null(json_object_get(row, "step_seconds")));
  }
  CU_ASSERT(json_is_null(json_object_get(o, "step_seconds")) && json_is_null(json_object_get(o, "rates")));
  CU_ASSERT_PTR_NULL(strstr(json_string_value(json_object_get(o, "launch")), "--time"));
  json_decref(o);
}

/* What a plan printed another reads, and comes to the same. */
static void rates_go_from_plan_to_plan(void) {
  static const char *const tiny = HEED_SOURCE "/configs/bert-tiny.yaml";
  json_t *measured = plan(tiny, 1, "--checkpoint-rate 100");
  CU_ASSERT_EQUAL(command_run("cat %s/error", folder), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "measuring for a few seconds"));
  char path[128];
  snprintf(path, sizeof path, "%s/kept.json", folder);
  CU_ASSERT_EQUAL(json_dump_file(measured, path, 0), 0);
  json_t *read = plan(tiny, 1, "--rates kept.json --checkpoint-rate 100");
  CU_ASSERT_EQUAL(command_run("cat %s/error", folder), 0);
  CU_ASSERT_STRING_EQUAL(command_output, "");
  CU_ASSERT(close_to(number(read, "step_seconds"), number(measured, "step_seconds")));
  CU_ASSERT(number(read, "step_seconds") > 0 && number(read, "checkpoint_seconds") > 0);
  json_decref(measured);
  json_decref(read);
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
               {"bert-tiny.yaml --network 20", "--network takes a latency in microseconds and a bandwidth", 64},
               {"bert-tiny.yaml --network 20,0", "--network", 64},
               {"bert-tiny.yaml --network 20,1e999", "--network", 64},
               {"bert-tiny.yaml --network 20,10,1", "--network", 64},
               {"bert-tiny.yaml --checkpoint-rate -1", "--checkpoint-rate takes megabytes a second", 64},
               {"bert-tiny.yaml --no-time --rates measure", "--no-time leaves out all times", 64},
               {"bert-tiny.yaml --rates missing.json", "missing.json", 65},
               {"missing.yaml", "missing.yaml", 65},
               {"", "a configuration is needed", 64}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CU_ASSERT(command_ended(command_run("cd " HEED_SOURCE "/configs && " HEED_PROGRAM " plan %s", cases[i].arguments), cases[i].code));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, cases[i].says));
  }
}

static void refuses_rates_that_are_none(void) {
  static const struct {
    const char *change, *says;
  } cases[] = {{"s/\"hidden\": 768/\"hidden\": 512/", "rates of a model whose hidden is 512; the configuration's is 768"},
               {"s/fp32/bf16/", "rates of a model whose precision is bf16"},
               {"s/\"heads\"/\"tails\"/", "whose heads is not told"},
               {"s/1e-6/-1e-6/", "rates.layer_seconds_per_token is missing or no number of seconds"},
               {"s/1e-10/0/", "rates.copy_seconds_per_byte"},
               {"s/\"threads\": 4/\"threads\": 0/", "rates.threads"},
               {"s/\"rates\"/\"notes\"/", "no rates in it"},
               {"s/}}/}/", "not JSON"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_rates(cases[i].change);
    CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " plan " BASE " --rates rates.json", folder), 65));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "rates.json"));
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, cases[i].says));
  }
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

HEED_TESTS({"prepares", prepares}, {"benches take what is planned", benches_take_what_is_planned},
           {"recomputation takes less", recomputation_takes_less}, {"training takes what is planned", training_takes_what_is_planned},
           {"the parts are the whole", the_parts_are_the_whole},
           {"in bf16 a rank has a share of the masters", in_bf16_a_rank_has_a_share_of_the_masters},
           {"says what does not fit", says_what_does_not_fit}, {"steps take what is planned", steps_take_what_is_planned},
           {"times follow from rates", times_follow_from_rates}, {"rows are of allowed ranks", rows_are_of_allowed_ranks},
           {"rates go from plan to plan", rates_go_from_plan_to_plan}, {"refuses rates that are none", refuses_rates_that_are_none},
           {"refuses what it cannot", refuses_what_it_cannot}, {"cleans up", cleans_up})

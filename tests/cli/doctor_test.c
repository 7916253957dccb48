/* heed doctor alone and under mpirun, with two ranks of which one sees or is something else. */
#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "test.h"

#define LAUNCH HEED_MPIEXEC " --quiet --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none "

static char folder[] = "/tmp/heed-doctor-test-XXXXXX";

/* Vocabulary, shards and a configuration; the folder `other` holds another training shard and no validation shard. */
static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_FATAL(command_ended(
      command_run("cd %s && mkdir other && " HEED_PROGRAM
                  " tokenizer train --type wordpiece --vocab-size 300 --output vocab.txt " HEED_SOURCE
                  "/datasets/sample/text.txt && head -n 100 " HEED_SOURCE "/datasets/sample/text.txt > text.txt && " HEED_PROGRAM
                  " prepare --vocab vocab.txt --output train.h5 text.txt && cp train.h5 validation.h5 && cp vocab.txt other && "
                  "head -n 60 text.txt > short.txt && " HEED_PROGRAM " prepare --vocab vocab.txt --output other/train.h5 short.txt",
                  folder),
      0));
  CU_ASSERT_EQUAL_FATAL(
      command_run("cd %s && cat > micro.yaml <<'END'\n"
                  "run: {name: micro, output: run}\n"
                  "model: {family: bert, vocabulary_size: 300, layers: 1, hidden: 32, heads: 2, feed_forward: 64, max_positions: 32}\n"
                  "data: {train: train.h5, vocabulary: vocab.txt}\n"
                  "train: {steps: 10, sequence_length: 32, batch_sequences: 8, slices: 4}\n"
                  "optimizer: {learning_rate: 1.0e-3}\n"
                  "schedule: {warmup_steps: 1}\n"
                  "END\n"
                  "test -s micro.yaml",
                  folder),
      0);
}

/* Runs a command in the folder; standard error goes to a file there. */
static int run(const char *command) {
  return command_run("cd %s && export OMP_NUM_THREADS=1 && timeout 100 %s 2> errors", folder, command);
}

/* What `heed doctor --json` printed; its exit code must be as said. */
static json_t *examine(const char *command, int code) {
  const int ended = run(command);
  json_t *object = json_loads(command_output, 0, NULL);
  CU_ASSERT(command_ended(ended, code));
  CU_ASSERT_PTR_NOT_NULL_FATAL(object);
  return object;
}

/* The finding that says `text`, or NULL. */
static json_t *find(json_t *object, const char *text) {
  size_t i;
  json_t *finding;
  json_array_foreach(json_object_get(object, "findings"), i, finding) {
    const char *what = json_string_value(json_object_get(finding, "what"));
    if (what && strstr(what, text))
      return finding;
  }
  return NULL;
}

/* That there is such a finding, about these ranks ("[1]"). */
static void expect(json_t *object, const char *severity, const char *about, const char *text) {
  json_t *finding = find(object, text);
  CU_ASSERT_PTR_NOT_NULL(finding);
  if (!finding) {
    printf("\n    no finding says '%s' in: %s", text, command_output);
    return;
  }
  char *ranks = json_dumps(json_object_get(finding, "ranks"), JSON_COMPACT);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(finding, "severity")), severity);
  CU_ASSERT_STRING_EQUAL(ranks, about);
  CU_ASSERT(strlen(json_string_value(json_object_get(finding, "advice"))) > 10);
  CU_ASSERT_TRUE(json_is_false(json_object_get(object, "fine")));
  free(ranks);
}

static int count_wrong(json_t *object) {
  size_t i;
  int wrong = 0;
  json_t *finding;
  json_array_foreach(json_object_get(object, "findings"), i, finding) wrong +=
      strcmp(json_string_value(json_object_get(finding, "severity")), "wrong") == 0;
  return wrong;
}

/* Two ranks: `rank_0` and `rank_1` are what stands between the launcher and `heed`, `rest` what stands behind `doctor`. */
static json_t *examine_two(const char *rank_0, const char *rank_1, const char *rest, int code) {
  char command[4096];
  snprintf(command, sizeof command, LAUNCH "-n 1 %s " HEED_PROGRAM " doctor %s --json : -n 1 %s " HEED_PROGRAM " doctor %s --json", rank_0,
           rest, rank_1, rest);
  return examine(command, code);
}

static const char *text_at(json_t *object, int rank, const char *key) {
  const char *text = json_string_value(json_object_get(json_array_get(json_object_get(object, "ranks"), (size_t)rank), key));
  return text ? text : "";
}

/* How many processors this test may run on.  \param[out] first  the lowest of them */
static int processors_here(int *first) {
  cpu_set_t set;
  CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof set, &set), 0);
  for (*first = 0; !CPU_ISSET(*first, &set); ++*first)
    ;
  return CPU_COUNT(&set);
}

static void alone(void) {
  char host[65] = "";
  int first;
  gethostname(host, sizeof host - 1);
  json_t *object = examine(HEED_PROGRAM " doctor --json", 0);
  json_t *rank = json_array_get(json_object_get(object, "ranks"), 0), *processors = json_object_get(rank, "processors");
  CU_ASSERT_EQUAL(json_array_size(json_object_get(object, "ranks")), 1);
  CU_ASSERT_STRING_EQUAL(text_at(object, 0, "host"), host);
  CU_ASSERT_EQUAL(strlen(text_at(object, 0, "build")), 16);
  CU_ASSERT(strlen(text_at(object, 0, "compiler")) > 4 && strlen(text_at(object, 0, "mpi")) > 4);
  CU_ASSERT(strlen(text_at(object, 0, "isa")) > 4 && strlen(text_at(object, 0, "openblas_core")) > 2);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(rank, "threads")), 1);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(processors, "count")), processors_here(&first));
  CU_ASSERT(json_integer_value(json_object_get(processors, "cores")) >= 1);
  CU_ASSERT(json_integer_value(json_object_get(rank, "memory_free_bytes")) > 16 << 20);
  CU_ASSERT(json_is_real(json_object_get(rank, "load")));
  CU_ASSERT_TRUE(json_is_null(json_object_get(rank, "link")));
  CU_ASSERT_TRUE(json_is_boolean(json_object_get(object, "fine")));
  CU_ASSERT_PTR_NULL(json_object_get(object, "run"));
  json_decref(object);
  CU_ASSERT(command_ended(run(HEED_PROGRAM " doctor"), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "ranks  hosts"));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, host));
}

static void nothing_is_left_behind(void) {
  static char before[sizeof command_output];
  CU_ASSERT_EQUAL(command_run("cd %s && : > errors && find . ! -name errors | sort", folder), 0);
  memcpy(before, command_output, sizeof before);
  json_t *object = examine(LAUNCH "-n 2 " HEED_PROGRAM " doctor micro.yaml --json", 0);
  json_t *folder_facts = json_object_get(object, "run");
  CU_ASSERT_EQUAL(count_wrong(object), 0);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(folder_facts, "folder")), "run");
  CU_ASSERT_TRUE(json_is_false(json_object_get(folder_facts, "is_there")));
  CU_ASSERT_TRUE(json_is_null(json_object_get(folder_facts, "error")));
  CU_ASSERT(strlen(json_string_value(json_object_get(folder_facts, "file_system"))) > 1);
  CU_ASSERT(json_integer_value(json_object_get(folder_facts, "checkpoint_bytes")) > 10000);
  for (size_t r = 0; r < 2; r++)
    CU_ASSERT_TRUE(json_is_true(json_object_get(json_array_get(json_object_get(object, "ranks"), r), "sees_run_folder")));
  json_t *link = json_object_get(json_array_get(json_object_get(object, "ranks"), 0), "link");
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(link, "to")), 1);
  CU_ASSERT_TRUE(json_is_true(json_object_get(link, "same_machine")));
  CU_ASSERT(json_number_value(json_object_get(link, "bytes_per_second")) > 0);
  json_decref(object);
  CU_ASSERT_EQUAL(command_run("cd %s && find . ! -name errors | sort", folder), 0);
  CU_ASSERT_STRING_EQUAL(command_output, before);
}

static void alike_ranks_are_one_row(void) {
  CU_ASSERT(command_ended(run(LAUNCH "-n 2 " HEED_PROGRAM " doctor micro.yaml"), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "\n0–1    "));
  CU_ASSERT_PTR_NULL(strstr(command_output, "\nwrong "));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "rename and fsync work"));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "slowest within a machine: rank 0 ("));
}

static void other_data_is_named(void) {
  char rest[512];
  snprintf(rest, sizeof rest, "%s/micro.yaml --set run.output=%s/run", folder, folder);
  json_t *object = examine_two("", "env -C other", rest, 65);
  expect(object, "wrong", "[1]", "different training data: ");
  CU_ASSERT_EQUAL(count_wrong(object), 1);
  json_decref(object);
  CU_ASSERT_EQUAL(command_run("cat %s/errors", folder), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "error: 1 thing is wrong with this job"));
}

static void unreadable_data_is_named(void) {
  char rest[512];
  snprintf(rest, sizeof rest, "%s/micro.yaml --set run.output=%s/run --set data.train=%s/train.h5 --set data.validation=validation.h5",
           folder, folder, folder);
  json_t *object = examine_two("", "env -C other", rest, 65);
  expect(object, "wrong", "[1]", "the validation data cannot be read: validation.h5 is missing");
  CU_ASSERT_EQUAL(count_wrong(object), 1);
  json_decref(object);
  snprintf(rest, sizeof rest, "%s/micro.yaml --set run.output=%s/run --set data.train=%s/train.h5", folder, folder, folder);
  CU_ASSERT_EQUAL(command_run("cd %s && echo extra >> other/vocab.txt", folder), 0);
  object = examine_two("env -C other", "", rest, 65);
  expect(object, "wrong", "[1]", "different vocabularies: "); /* of two none is the usual: rank 0's is taken for it */
  json_decref(object);
}

/* What can be read and is not what it should be: said as training says it, of the ranks that have it. */
static void refused_data_are_named(void) {
  static const char *const settings[] = {
      "model.vocabulary_size=301",        /* not the vocabulary's */
      "data.vocabulary=another.txt",      /* not the shards', of the same size */
      "data.validation=other/damaged.h5", /* with a token that no vocabulary has */
      "data.train=other/headless.h5",     /* nothing that begins as HDF5 does */
  };
  char rest[512], expected[1200];
  CU_ASSERT_EQUAL_FATAL(command_run("cd %s && sed '$s/.*/another/' vocab.txt > another.txt && cp train.h5 other/damaged.h5 && "
                                    "cp train.h5 other/headless.h5 && bytes=$(stat -c %%s train.h5) && "
                                    "printf '\\377\\377' | dd of=other/damaged.h5 seek=$((bytes / 2)) bs=1 conv=notrunc status=none && "
                                    "printf X | dd of=other/headless.h5 bs=1 conv=notrunc status=none",
                                    folder),
                        0);
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    snprintf(rest, sizeof rest, HEED_PROGRAM " train micro.yaml --set %s", settings[i]);
    CU_ASSERT(command_ended(run(rest), 65));
    CU_ASSERT_EQUAL_FATAL(command_run("sed -n 's/^error: //p' %s/errors | tr -d '\\n'", folder), 0);
    snprintf(expected, sizeof expected, "training would refuse the data: %.1000s", command_output);
    snprintf(rest, sizeof rest, HEED_PROGRAM " doctor micro.yaml --json --set %s", settings[i]);
    json_t *object = examine(rest, 65);
    expect(object, "wrong", "[0]", expected);
    CU_ASSERT_EQUAL(count_wrong(object), 1);
    json_decref(object);
  }
  CU_ASSERT_EQUAL_FATAL(command_run("cd %s && mv other/damaged.h5 other/validation.h5", folder), 0);
  snprintf(rest, sizeof rest, "%s/micro.yaml --set run.output=%s/run --set data.train=%s/train.h5 --set data.vocabulary=%s/vocab.txt",
           folder, folder, folder, folder);
  json_t *object = examine_two("", "env -C other", strcat(rest, " --set data.validation=validation.h5"), 65);
  expect(object, "wrong", "[1]", "different validation data: ");
  expect(object, "wrong", "[1]", "training would refuse the data: validation.h5: not a sound token shard");
  CU_ASSERT_EQUAL(count_wrong(object), 2);
  json_decref(object);
}

static void folders_of_ones_own_are_named(void) {
  char rest[512];
  snprintf(rest, sizeof rest, "%s/micro.yaml --set data.train=%s/train.h5 --set data.vocabulary=%s/vocab.txt", folder, folder, folder);
  json_t *object = examine_two("", "env -C other", rest, 0);
  expect(object, "doubtful", "[1]", "the run folder run is not shared");
  CU_ASSERT_EQUAL(count_wrong(object), 0);
  json_decref(object);
}

static void other_environments_are_named(void) {
  json_t *object = examine_two("", "env OMP_NUM_THREADS=3", "", 0);
  expect(object, "doubtful", "[1]", "different numbers of threads: 3 on rank 1");
  json_decref(object);
#ifdef __x86_64__
  object = examine_two("", "env HEED_ISA=v2", "micro.yaml", 0);
  expect(object, "doubtful", "[1]", "different instruction levels: x86-64-v2 (HEED_ISA=v2) on rank 1");
  CU_ASSERT_STRING_EQUAL(text_at(object, 1, "isa"), "x86-64-v2");
  json_decref(object);
#endif
  object = examine_two("env HEED_ISA=v9", "", "micro.yaml", 65);
  expect(object, "wrong", "[0]", "HEED_ISA=v9 names a level that is unknown");
  json_decref(object);
}

static void other_builds_are_named(void) {
  CU_ASSERT_EQUAL(command_run("cd %s && cp " HEED_PROGRAM " heed && echo >> heed", folder), 0); /* runs as before */
  char command[2048];
  snprintf(command, sizeof command, LAUNCH "-n 1 " HEED_PROGRAM " doctor --json : -n 1 %s/heed doctor --json", folder);
  json_t *object = examine(command, 65);
  expect(object, "wrong", "[1]", "different builds of Heed: ");
  CU_ASSERT_STRING_NOT_EQUAL(text_at(object, 0, "build"), text_at(object, 1, "build"));
  json_decref(object);
}

static void crowds_are_named(void) {
  char bind[64], text[64];
  int first;
  (void)processors_here(&first);
  snprintf(bind, sizeof bind, "taskset -c %d", first);
  snprintf(text, sizeof text, "oversubscribed: 2 threads on 1 processor (%d)", first);
  json_t *object = examine_two(bind, bind, "", 0);
  expect(object, "doubtful", "[0,1]", text);
  json_decref(object);
}

static void numbers_of_ranks_are_judged(void) {
  json_t *object = examine(LAUNCH "-n 3 " HEED_PROGRAM " doctor micro.yaml --json", 65);
  expect(object, "wrong", "[]", "4 slices run on 1, 2 or 4 ranks, not 3");
  json_decref(object);
}

static void folders_that_cannot_be_are_told(void) {
  json_t *object = examine(HEED_PROGRAM " doctor micro.yaml --json --set run.output=text.txt/run", 65);
  expect(object, "wrong", "[]", "text.txt: is a file where a folder is expected");
  json_decref(object);
}

/* A rank that fails at a step ends the job, with its number, and none waits for it. */
static void one_failing_rank_ends_all(void) {
  const double begun = heed_seconds();
  CU_ASSERT(
      command_ended(run(LAUNCH "-n 1 " HEED_PROGRAM " doctor micro.yaml : -n 1 env -C other " HEED_PROGRAM " doctor micro.yaml"), 65));
  CU_ASSERT_EQUAL(command_run("cat %s/errors", folder), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "rank 1: micro.yaml: cannot be opened"));
  CU_ASSERT(heed_seconds() - begun < 30);
}

static void cleans_up(void) {
  CU_ASSERT_EQUAL(command_run("rm -r %s", folder), 0);
}

HEED_TESTS({"prepares", prepares}, {"alone", alone}, {"nothing is left behind", nothing_is_left_behind},
           {"alike ranks are one row", alike_ranks_are_one_row}, {"other data is named", other_data_is_named},
           {"unreadable data is named", unreadable_data_is_named}, {"refused data are named", refused_data_are_named},
           {"folders of one's own are named", folders_of_ones_own_are_named},
           {"other environments are named", other_environments_are_named}, {"other builds are named", other_builds_are_named},
           {"crowds are named", crowds_are_named}, {"numbers of ranks are judged", numbers_of_ranks_are_judged},
           {"folders that cannot be are told", folders_that_cannot_be_are_told}, {"one failing rank ends all", one_failing_rank_ends_all},
           {"cleans up", cleans_up})

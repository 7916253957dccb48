/* Whole runs through the program: from text to a checkpoint, stopped, killed and resumed on other numbers of ranks, always to the same
 * bits. */
#include "base/failpoint.h"
#include "command.h"
#include "test.h"
#include "train/micro.h"

/* Runs `heed train` on P ranks (0: without mpirun) into a run folder; `rest` is added to the command, `before` to its environment. */
static int train(int ranks, const char *run, const char *rest, const char *before) {
  char launch[512] = "";
  if (ranks > 0)
    snprintf(launch, sizeof launch, HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d", ranks);
  return command_run("cd %s && OMP_NUM_THREADS=1 %s timeout 120 %s " HEED_PROGRAM " train micro.yaml --set run.output=%s %s", folder,
                     before, launch, run, rest);
}

static char expected[65536];

static void trains_to_the_end(void) {
  CU_ASSERT_FATAL(command_ended(train(0, "whole", "", ""), 0));
  tensors_of("whole", 12, expected, sizeof expected);
  CU_ASSERT(command_ended(command_run("cd %s/whole && test -s config.yaml -a -s vocab.txt -a -s loss.svg -a -s report.html -a -s "
                                      "events.out.tfevents.*.heed && wc -l < metrics.jsonl",
                                      folder),
                          0));
  CU_ASSERT_EQUAL(atoi(command_output), 6);
  CU_ASSERT(command_ended(command_run("cmp %s/whole/vocab.txt %s/vocab.txt", folder, folder), 0));
}

static void same_as_expected(const char *run) {
  static char tensors[65536];
  tensors_of(run, 12, tensors, sizeof tensors);
  CU_ASSERT_STRING_EQUAL(tensors, expected);
}

static void resumes_on_other_ranks(void) {
  static const int ranks[] = {1, 2};
  CU_ASSERT(command_ended(train(4, "four", "--set train.steps=6", ""), 0));
  for (int i = 0; i < 2; i++) {
    char run[16];
    snprintf(run, sizeof run, "on-%d", ranks[i]);
    CU_ASSERT(command_ended(command_run("cp -a %s/four %s/%s", folder, folder, run), 0));
    CU_ASSERT(command_ended(train(ranks[i], run, "--resume", ""), 0));
    same_as_expected(run);
  }
  CU_ASSERT(command_ended(train(8, "four", "--resume", ""), 0));
  same_as_expected("four");
}

/* A state in several files goes on, on other ranks, to the bits of one that was never divided, and is evaluated and exported. */
static void resumes_from_several_files(void) {
  static const char wide[] = "--set model.feed_forward=4096 --set checkpoint.max_file_mib=";
  static char whole[65536], divided[65536];
  char rest[128];
  snprintf(rest, sizeof rest, "%s100", wide);
  CU_ASSERT(command_ended(train(0, "wide", rest, ""), 0));
  tensors_of("wide", 12, whole, sizeof whole);
  snprintf(rest, sizeof rest, "%s1 --set train.steps=6", wide);
  CU_ASSERT(command_ended(train(2, "divided", rest, ""), 0));
  CU_ASSERT(command_ended(command_run("ls %s/divided/checkpoints/step-00000006", folder), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "state-3.h5"));
  snprintf(rest, sizeof rest, "%s2 --resume", wide);
  CU_ASSERT(command_ended(train(4, "divided", rest, ""), 0));
  tensors_of("divided", 12, divided, sizeof divided);
  CU_ASSERT_STRING_EQUAL(divided, whole);
  CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " checkpoint verify divided && " HEED_PROGRAM
                                      " evaluate divided && " HEED_PROGRAM " export divided --output exported",
                                      folder),
                          0));
}

/* A run goes on with its data under another name, and with no other data under the same. */
static void resumes_on_its_own_data(void) {
  CU_ASSERT(command_ended(
      command_run("cp -a %s/four %s/moved && cd %s && cp train.h5 elsewhere.h5 && cp validation.h5 other.h5", folder, folder, folder), 0));
  CU_ASSERT(command_ended(train(0, "moved", "--resume --set train.steps=13 --set data.train=other.h5", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(
      strstr(command_output, "data.train: other.h5 holds other data than moved/checkpoints/step-00000012 was trained on"));
  CU_ASSERT(command_ended(train(0, "moved", "--resume --set train.steps=13 --set data.train=elsewhere.h5", ""), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "resume: data.train is [\"elsewhere.h5\"] now, was"));
}

/* Weights are packed once a step: after an update that ranks share, after one of a single rank, after a resume. */
static void in_bf16_too(void) {
  static const char *const optimizers[] = {"adamw", "lamb"};
  for (int i = 0; i < 2; i++) {
    static char alone[65536], shared[65536];
    char whole[32], parts[32], rest[100];
    snprintf(whole, sizeof whole, "bf16-whole-%s", optimizers[i]);
    snprintf(parts, sizeof parts, "bf16-parts-%s", optimizers[i]);
    snprintf(rest, sizeof rest, "--set train.precision=bf16 --set optimizer.name=%s", optimizers[i]);
    CU_ASSERT(command_ended(train(0, whole, rest, ""), 0));
    tensors_of(whole, 12, alone, sizeof alone);
    CU_ASSERT_STRING_NOT_EQUAL(alone, expected);
    char first[200], second[200];
    snprintf(first, sizeof first, "%s --set train.steps=6 --set checkpoint.every_steps=3 --set evaluate.every_steps=2", rest);
    snprintf(second, sizeof second, "%s --resume", rest);
    CU_ASSERT(command_ended(train(2, parts, first, ""), 0));
    CU_ASSERT(command_ended(train(i == 0 ? 1 : 4, parts, second, ""), 0));
    tensors_of(parts, 12, shared, sizeof shared);
    CU_ASSERT_STRING_EQUAL(shared, alone);
  }
  CU_ASSERT(command_ended(train(2, "bf16-second", "--set train.precision=bf16 --set train.start_from=whole --set train.steps=2", ""), 0));
}

/* Kills the first save, or the second, at each step of the protocol that it passes. */
static void loses_nothing_when_killed_in_a_save(void) {
  int kills = 0;
  for (int i = 0; i < HEED_FAILPOINT_COUNT; i++) {
    for (int passing = 1; passing <= 2; passing++) {
      const char *name = heed_failpoint_names[i];
      char run[128], failpoint[160];
      snprintf(run, sizeof run, "kill-%s-%d", name, passing);
      snprintf(failpoint, sizeof failpoint, "HEED_FAILPOINT=%s:%d", name, passing);
      int code = train(0, run, "", failpoint);
      if (code == 0) /* a place that these saves do not pass */
        continue;
      CU_ASSERT_EQUAL(code, 128 + 9);
      CU_ASSERT(command_ended(train(2, run, "--resume", ""), 0));
      same_as_expected(run);
      kills++;
    }
  }
  printf("%d kills  ", kills);
  CU_ASSERT(kills >= 24);
}

static void stops_on_a_signal(void) {
  CU_ASSERT_EQUAL(
      command_run("cd %s && OMP_NUM_THREADS=1 " HEED_MPIEXEC " --oversubscribe --bind-to none -n 2 " HEED_PROGRAM
                  " train micro.yaml --set run.output=signal --set train.steps=100000 --set checkpoint.every_steps=0 --set "
                  "evaluate.every_steps=0 --set log.every_steps=1 & job=$!; for i in $(seq 300); do grep -qs '\"step\": *[5-9]' "
                  "%s/signal/metrics.jsonl && break; sleep 0.1; done; kill -USR1 $job; wait $job",
                  folder, folder),
      75);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "--resume"));
  CU_ASSERT(command_ended(command_run("ls %s/signal/checkpoints | grep -c '^step-[0-9]*$'", folder), 0));
  CU_ASSERT_EQUAL(atoi(command_output), 1);
}

/* Whoever reads the log may end first: the run goes on to its end, or saves where it is asked to stop. */
static void outlives_its_reader(void) {
  CU_ASSERT(
      command_ended(command_run("cd %s && (" HEED_PROGRAM
                                " train micro.yaml --set run.output=unread --set log.every_steps=1 2>&1; echo $? > ended) | head -n 1 "
                                "&& cat ended",
                                folder),
                    0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "\n0\n"));
  same_as_expected("unread");
}

/* Nobody's run ends for a picture of it. */
static void trains_without_what_people_look_at(void) {
  CU_ASSERT(
      command_ended(command_run("cd %s && mkdir -p blind/report.html blind/loss.svg blind/samples.jsonl blind/events.new", folder), 0));
  CU_ASSERT(command_ended(train(2, "blind", "", ""), 0));
  static const char *const names[] = {"report.html", "loss.svg", "samples.jsonl", "events.new"};
  for (int i = 0; i < 4; i++)
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, names[i]));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "(training goes on)"));
  same_as_expected("blind");
}

static void stops_at_the_time_limit(void) {
  CU_ASSERT(command_ended(train(0, "limit", "--set train.time_limit=0.01 --set train.steps=1000000 --set log.every_steps=1000", ""), 75));
  CU_ASSERT(command_ended(command_run("grep -q '</html>' %s/limit/report.html", folder), 0)); /* of a run that was stopped, too */
  CU_ASSERT(command_ended(train(0, "limit", "--resume --set train.steps=2", ""), 0));         /* more are done already: nothing to do */
}

static void refuses_what_does_not_fit(void) {
  CU_ASSERT(command_ended(train(0, "whole", "", ""), 65)); /* holds checkpoints, no --resume */
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "--resume"));
  CU_ASSERT(command_ended(train(0, "whole", "--resume --set model.layers=3", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "model.layers"));
  CU_ASSERT(command_ended(train(3, "three", "", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "1, 2, 4"));
  CU_ASSERT(command_ended(train(2, "none", "--set data.train=missing.h5", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "missing.h5"));
  CU_ASSERT(command_ended(train(0, "none", "--set model.vocabulary_size=500", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "vocabulary_size"));
}

/* Gradients that are not finite: updates are skipped on all ranks, five in a row return to the last checkpoint, and a resume does not read
 * their data again. */
static void rolls_back_and_goes_on(void) {
  static char uninterrupted[65536], resumed[65536];
  CU_ASSERT(command_ended(train(2, "rolled", "", "HEED_FAILPOINT=step.gradients:7-11:error"), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "step 7: the gradient is not finite; its update is skipped"));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "step 11: 5 updates in a row were skipped; weights and moments are those of "
                                                "rolled/checkpoints/step-00000006 again"));
  tensors_of("rolled", 12, uninterrupted, sizeof uninterrupted);
  CU_ASSERT(command_ended(
      command_run("cd %s && grep -c '\"rollbacks\": 1' rolled/metrics.jsonl && rm -r rolled/checkpoints/step-00000012", folder), 0));
  CU_ASSERT(command_ended(train(1, "rolled", "--resume", ""), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "resuming at step 11"));
  tensors_of("rolled", 12, resumed, sizeof resumed);
  CU_ASSERT_STRING_EQUAL(resumed, uninterrupted);
  CU_ASSERT(command_ended(train(1, "hopeless", "--set guard.skips=2", "HEED_FAILPOINT=step.gradients:1-99:error"), 1));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "not even after rolling back 3 times"));
}

/* Trains on four ranks, one of which has a fault. */
static int train_with_a_fault(const char *run, int odd, const char *fault) {
  char command[1024];
  snprintf(command, sizeof command, HEED_PROGRAM " train micro.yaml --set guard.hash_every_steps=2 --set run.output=%s", run);
  return command_run("cd %s && export OMP_NUM_THREADS=1; timeout 120 " HEED_MPIEXEC
                     " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none"
                     " -n %d %s : -n 1 env HEED_FAILPOINT=%s %s : -n %d %s",
                     folder, odd, command, fault, command, 3 - odd, command);
}

/* A bit that flips in a rank's copy of the parameters, and in what it alone has. */
static void names_the_rank_whose_memory_changes(void) {
  CU_ASSERT(command_ended(train_with_a_fault("replica", 2, "step.replica:2:error"), 1));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "rank 2: on "));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "the parameters are not those of the other ranks"));
  CU_ASSERT(command_ended(train_with_a_fault("shard", 1, "step.shard:1:error"), 1));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "rank 1: on "));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "this rank's share of weights and moments changed by itself"));
  CU_ASSERT(command_ended(train_with_a_fault("sound", 1, "step.shard:99:error"), 0));
  static char tensors[65536];
  tensors_of("sound", 12, tensors, sizeof tensors);
  CU_ASSERT_STRING_EQUAL(tensors, expected);
}

static void resume_without_a_checkpoint_starts(void) {
  CU_ASSERT(command_ended(train(0, "fresh", "--resume", ""), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "step 0"));
  same_as_expected("fresh");
}

/* The step it stops at is one that is evaluated: the save does not wait for that, the resumed run makes up for it. */
static void evaluates_what_a_stop_left_out(void) {
  CU_ASSERT(command_ended(train(0, "late", "--set train.time_limit=1e-6 --set evaluate.every_steps=1", ""), 75));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "stopped at step 1 of 12"));
  CU_ASSERT_PTR_NULL(strstr(command_output, "validation loss"));
  CU_ASSERT(command_ended(train(2, "late", "--resume --set train.steps=2 --set evaluate.every_steps=1", ""), 0));
  CU_ASSERT(
      command_ended(command_run("grep validation_loss %s/late/metrics.jsonl | grep -o '\"step\": [0-9]*' | tr '\\n' ' '", folder), 0));
  CU_ASSERT_STRING_EQUAL(command_output, "\"step\": 1 \"step\": 2 ");
}

static void starts_from_weights_that_fit(void) {
  CU_ASSERT(command_ended(train(2, "second", "--set train.start_from=whole --set train.steps=2", ""), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "whole/checkpoints/step-00000012 (its step 12)"));
  CU_ASSERT(command_ended(train(2, "third", "--set train.start_from=whole --set model.heads=4", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "model.heads"));
  CU_ASSERT(command_ended(train(0, "third", "--set train.start_from=whole --set model.layers=1", ""), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "model.layers"));
  CU_ASSERT(command_ended(train(0, "third", "--set train.start_from=nowhere", ""), 65));
}

/* As many tokens, two of which have changed places: every id's shape fits, no id means the same. */
static void another_vocabulary_is_refused(void) {
  CU_ASSERT(command_ended(
      command_run("cd %s && mkdir swapped && awk 'NR==300{kept=$0; next} NR==301{print; print kept; next} {print}' vocab.txt > "
                  "swapped/vocab.txt && ! cmp -s vocab.txt swapped/vocab.txt && " HEED_PROGRAM
                  " prepare --vocab swapped/vocab.txt --output swapped/train.h5 train.txt",
                  folder),
      0));
  CU_ASSERT(
      command_ended(train(0, "third",
                          "--set train.start_from=whole --set data.train=swapped/train.h5 --set data.validation=swapped/train.h5 --set "
                          "data.vocabulary=swapped/vocab.txt",
                          ""),
                    65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "another vocabulary"));
}

static void a_full_disk_is_no_success(void) {
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " fill %s/whole 'no [MASK]' > /dev/full", folder), 74));
  CU_ASSERT(command_ended(command_run("echo text | " HEED_PROGRAM " embed %s/whole > /dev/full", folder), 74));
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " evaluate %s/whole > /dev/full", folder), 74));
}

/* mpirun may forward standard output before what was said on standard error earlier. */
#define NUMBERS_ALONE "--json 2>said || { cat said; false; }"

static void evaluates_and_fills(void) {
  static char one[sizeof command_output];
  CU_ASSERT(command_ended(command_run("cd %s && " HEED_PROGRAM " evaluate whole " NUMBERS_ALONE, folder), 0));
  strcpy(one, command_output);
  CU_ASSERT_PTR_NOT_NULL(strstr(one, "\"accuracy_masked\""));
  CU_ASSERT(command_ended(command_run("cd %s && " HEED_MPIEXEC " --oversubscribe --bind-to none -n 4 " HEED_PROGRAM
                                      " evaluate whole/checkpoints/step-00000012 --data validation.h5 " NUMBERS_ALONE,
                                      folder),
                          0));
  CU_ASSERT_STRING_EQUAL(one, command_output);
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " fill %s/whole 'In the [MASK] God created the [MASK].' --top 3 --json", folder), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "\"probability\""));
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " fill %s/whole 'no mask here'", folder), 65));
  CU_ASSERT_EQUAL(
      command_run("printf 'In the beginning\\nand then\\n' | " HEED_PROGRAM " embed %s/whole --pool cls | awk '{print NF}'", folder), 0);
  CU_ASSERT_STRING_EQUAL(command_output, "32\n32\n");
}

HEED_TESTS({"prepares data", prepares}, {"trains to the end", trains_to_the_end}, {"resumes on other ranks", resumes_on_other_ranks},
           {"resumes from several files", resumes_from_several_files}, {"resumes on its own data", resumes_on_its_own_data},
           {"in bf16 too", in_bf16_too}, {"loses nothing when killed in a save", loses_nothing_when_killed_in_a_save},
           {"stops on a signal", stops_on_a_signal}, {"outlives its reader", outlives_its_reader},
           {"trains without what people look at", trains_without_what_people_look_at}, {"stops at the time limit", stops_at_the_time_limit},
           {"refuses what does not fit", refuses_what_does_not_fit}, {"rolls back and goes on", rolls_back_and_goes_on},
           {"names the rank whose memory changes", names_the_rank_whose_memory_changes},
           {"resume without a checkpoint starts", resume_without_a_checkpoint_starts},
           {"evaluates what a stop left out", evaluates_what_a_stop_left_out},
           {"starts from weights that fit", starts_from_weights_that_fit}, {"another vocabulary is refused", another_vocabulary_is_refused},
           {"evaluates and fills", evaluates_and_fills}, {"a full disk is no success", a_full_disk_is_no_success}, {"cleans up", cleans_up})

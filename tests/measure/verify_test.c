/* heed verify: finds equal runs equal and different ones different, and leaves nothing behind. */
#include <unistd.h>

#include "command.h"
#include "measure/verify.h"
#include "test.h"

static char folder[] = "/tmp/heed-verify-test-XXXXXX";

/* Vocabulary, token shard, a configuration of a model of a second, and an mpirun that trains two ranks from another seed. */
static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_FATAL(command_ended(command_run("cd %s && mkdir runs other never && " HEED_PROGRAM
                                            " tokenizer train --type wordpiece --vocab-size 300 --output vocab.txt " HEED_SOURCE
                                            "/datasets/sample/text.txt && head -n 100 " HEED_SOURCE
                                            "/datasets/sample/text.txt > text.txt && " HEED_PROGRAM
                                            " prepare --vocab vocab.txt --output train.h5 text.txt",
                                            folder),
                                0));
  CU_ASSERT_EQUAL_FATAL(
      command_run("cd %s && cat > micro.yaml <<'END'\n"
                  "run: {name: micro}\n"
                  "model: {family: bert, vocabulary_size: 300, layers: 1, hidden: 32, heads: 2, feed_forward: 64, max_positions: 32}\n"
                  "data: {train: train.h5, vocabulary: vocab.txt}\n"
                  "train: {steps: 1000, sequence_length: 32, batch_sequences: 8, slices: 4}\n"
                  "optimizer: {learning_rate: 1.0e-3}\n"
                  "schedule: {warmup_steps: 500, decay: stable, decay_steps: 500}\n"
                  "END\n"
                  "cat > other/mpirun <<'END'\n"
                  "#!/bin/sh\n"
                  "case \"$*\" in *\"-n 2 \"*) exec " HEED_MPIEXEC " \"$@\" --set run.seed=7;; *) exec " HEED_MPIEXEC " \"$@\";; esac\n"
                  "END\n"
                  "printf '#!/bin/sh\\ntouch started\\n' > never/mpirun\n"
                  "chmod +x other/mpirun never/mpirun",
                  folder),
      0);
}

/* `before`: variables before the program's name. */
static int verify(const char *before, const char *arguments) {
  return command_run("cd %s && TMPDIR=%s/runs %s timeout 100 " HEED_PROGRAM " verify micro.yaml %s", folder, folder, before, arguments);
}

static int left_behind(void) {
  char output[sizeof command_output];
  strcpy(output, command_output);
  command_run("ls -A %s/runs | wc -l", folder);
  int count = atoi(command_output);
  strcpy(command_output, output);
  return count;
}

static int occurrences(const char *text, const char *word) {
  int count = 0;
  for (; (text = strstr(text, word)); text++)
    count++;
  return count;
}

static void same_bits_at_any_size(void) {
  CU_ASSERT_EQUAL(verify("", "--ranks 1,2,4 --threads 1,2 --steps 3"), 0);
  CU_ASSERT_EQUAL(occurrences(command_output, "  same\n"), 5);
  CU_ASSERT_EQUAL(occurrences(command_output, "  first\n"), 1);
  CU_ASSERT_EQUAL(left_behind(), 0);
  CU_ASSERT_EQUAL(verify("", "--ranks 1 --steps 1"), 0);
}

/* Masks, places, norms, gates and objectives: what ranks and threads must not show in. */
static void and_with_any_options(void) {
  static const char *const options[] = {
      "--set model.family=gpt",
      "--set model.family=gpt --set model.positions=rotary --set model.window=5 --set model.global_every=2 --set model.layers=3 "
      "--set model.activation=geglu --set model.biases=false",
      "--set model.positions=rotary --set model.window=5 --set model.norm=pre --set model.token_types=0 --set "
      "objective.masking=independent",
      "--set model.positions=sinusoidal --set model.activation=relu",
      "--set model.positions=sinusoidal_2d --set model.position_columns=8 --set model.causal=true --set model.embedding_norm=false",
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--ranks 1,2,4 --threads 1,2 --steps 2 %s", options[i]);
    CU_ASSERT_EQUAL(verify("", arguments), 0);
    CU_ASSERT_EQUAL(occurrences(command_output, "  same\n"), 5);
    if (occurrences(command_output, "  same\n") != 5)
      printf("\n%s\n%s\n", options[i], command_output);
  }
  CU_ASSERT_EQUAL(left_behind(), 0);
}

/* What backward makes again shows in the bits of no size of run. */
static void nor_does_recomputation_show(void) {
  static const char *const modes[] = {"none", "attention", "block"};
  static const char *const families[] = {"bert", "gpt"};
  for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
    char hash[17] = "";
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
      char arguments[256];
      snprintf(arguments, sizeof arguments, "--ranks 1,%s --threads 2 --steps 3 --set train.recompute=%s --set model.family=%s",
               i == 2 ? "2,4" : "2", modes[i], families[f]);
      CU_ASSERT_EQUAL(verify("", arguments), 0);
      const char *first = strstr(command_output, "  first\n");
      CU_ASSERT_FATAL(first && first - command_output > 16);
      CU_ASSERT(i == 0 || strncmp(hash, first - 16, 16) == 0);
      snprintf(hash, sizeof hash, "%.16s", first - 16);
    }
  }
  CU_ASSERT_EQUAL(left_behind(), 0);
}

static void a_difference_is_found(void) {
  CU_ASSERT_EQUAL(verify("PATH=$PWD/other:$PATH", "--ranks 1,2 --steps 2"), 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "first bert.embeddings.word_embeddings.weight"));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "1 of 2 runs differ"));
  CU_ASSERT_EQUAL(left_behind(), 0);
}

static void refuses_before_it_starts(void) {
  CU_ASSERT_EQUAL(verify("PATH=$PWD/never:$PATH", "--ranks 1,3"), 65);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "1, 2"));
  CU_ASSERT_EQUAL(verify("PATH=$PWD/never:$PATH", "--ranks 1 --set model.layers=x"), 65);
  CU_ASSERT_EQUAL(verify("PATH=$PWD/never:$PATH", "--ranks 1,,2"), 64);
  CU_ASSERT_EQUAL(verify("PATH=$PWD/never:$PATH", "--threads 1"), 64);
  CU_ASSERT(command_ended(command_run("test ! -e %s/started", folder), 0));
}

static void a_run_that_fails_says_why(void) {
  CU_ASSERT_EQUAL(verify("", "--ranks 1 --set model.vocabulary_size=301"), 65);
  const char *error = strstr(command_output, "error: "); /* one, of verify's own, with the run's in it */
  CU_ASSERT_PTR_NOT_NULL_FATAL(error);
  CU_ASSERT_PTR_NULL(strstr(error + 1, "error: "));
  CU_ASSERT_PTR_NOT_NULL(strstr(error, "training on 1 rank × 1 thread ended with exit code 65: "));
  CU_ASSERT_PTR_NOT_NULL(strstr(error, "vocab.txt has 300 tokens"));
  CU_ASSERT_EQUAL(left_behind(), 0);
  CU_ASSERT(
      command_ended(command_run("mkdir %s/empty && cd %s && TMPDIR=%s/runs PATH=%s/empty " HEED_PROGRAM " verify micro.yaml --ranks 1",
                                folder, folder, folder, folder),
                    1));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "mpirun could not be started"));
  CU_ASSERT_EQUAL(left_behind(), 0);
}

static void a_signal_leaves_nothing_behind(void) {
  CU_ASSERT(
      command_ended(command_run("cd %s && { TMPDIR=%s/runs " HEED_PROGRAM " verify micro.yaml --ranks 2 --steps 1000000 & job=$!; "
                                "for i in $(seq 300); do grep -qs step runs/heed-verify-*/run/metrics.jsonl && break; sleep 0.1; done; "
                                "ls -A runs; kill -TERM $job; wait $job; }",
                                folder, folder),
                    128 + 15));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "heed-verify-")); /* there was something to remove */
  CU_ASSERT_EQUAL(left_behind(), 0);
}

static void differences_are_counted(void) {
  char *names[] = {"a", "b", "c"}, *others[] = {"a", "x", "c"};
  uint64_t one[] = {1, 2, 3}, two[] = {1, 2, 4};
  const char *first;
  heed_verify_result a = {.count = 3, .names = names, .checksums = one}, b = {.count = 3, .names = names, .checksums = two};
  heed_verify_result c = {.count = 3, .names = others, .checksums = one}, d = {.count = 2, .names = names, .checksums = one};
  CU_ASSERT_EQUAL(heed_verify_differences(&a, &a, &first), 0);
  CU_ASSERT_PTR_NULL(first);
  CU_ASSERT_EQUAL(heed_verify_differences(&a, &b, &first), 1);
  CU_ASSERT_STRING_EQUAL(first, "c");
  CU_ASSERT_EQUAL(heed_verify_differences(&a, &c, &first), 1);
  CU_ASSERT_STRING_EQUAL(first, "b");
  CU_ASSERT_EQUAL(heed_verify_differences(&d, &a, &first), 1);
  CU_ASSERT_STRING_EQUAL(first, "c");
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

HEED_TESTS({"differences are counted", differences_are_counted}, {"prepares", prepares}, {"same bits at any size", same_bits_at_any_size},
           {"and with any options", and_with_any_options}, {"nor does recomputation show", nor_does_recomputation_show},
           {"a difference is found", a_difference_is_found}, {"refuses before it starts", refuses_before_it_starts},
           {"a run that fails says why", a_run_that_fails_says_why}, {"a signal leaves nothing behind", a_signal_leaves_nothing_behind},
           {"cleans up", cleans_up})

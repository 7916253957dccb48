/* Runs of models in parts (parallel.tensor): the losses of whole ones, the same bits on any number of data ranks, and checkpoints that go
 * from one division to another. */
#include <math.h>
#include <stdbool.h>

#include "command.h"
#include "test.h"

enum { LOGGED = 4 };

static char folder[] = "/tmp/heed-parts-XXXXXX";

/* A model of seconds whose feed-forward and vocabulary do not divide evenly. */
#define MODEL                                                                                                           \
  "run: {name: micro, output: run}\n"                                                                                   \
  "model: {family: bert, vocabulary_size: 401, layers: 2, hidden: 32, heads: 4, feed_forward: 65, max_positions: 32}\n" \
  "data: {train: text.h5, validation: text.h5, vocabulary: vocab.txt}\n"                                                \
  "train: {steps: 12, sequence_length: 32, batch_sequences: 16, slices: 4}\n"                                           \
  "optimizer: {learning_rate: 1.0e-3}\n"                                                                                \
  "schedule: {warmup_steps: 2, decay: constant}\n"                                                                      \
  "checkpoint: {every_steps: 6}\n"                                                                                      \
  "evaluate: {every_steps: 6, batches: 2}\n"                                                                            \
  "log: {every_steps: 3}\n"

static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_FATAL(command_ended(
      command_run("cd %s && " HEED_PROGRAM " tokenizer train --type wordpiece --vocab-size 401 --output vocab.txt " HEED_SOURCE
                  "/datasets/sample/text.txt && " HEED_PROGRAM " prepare --vocab vocab.txt --output text.h5 " HEED_SOURCE
                  "/datasets/sample/text.txt && printf '" MODEL "' > micro.yaml",
                  folder),
      0));
}

/* Trains on so many ranks, `tensor` of which share a layer. */
static void train(int ranks, int tensor, const char *run, const char *rest) {
  CU_ASSERT_FATAL(command_ended(command_run("cd %s && OMP_NUM_THREADS=1 timeout 120 " HEED_MPIEXEC
                                            " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d " HEED_PROGRAM
                                            " train micro.yaml --set run.output=%s --set parallel.tensor=%d %s",
                                            folder, ranks, run, tensor, rest),
                                0));
}

/* The losses that a run has logged, and those of its evaluations. */
typedef struct losses {
  double values[LOGGED], validation[2];
} losses;

static losses losses_of(const char *run) {
  losses l = {0};
  int logged = 0, evaluated = 0;
  CU_ASSERT(command_ended(command_run("cat %s/%s/metrics.jsonl", folder, run), 0));
  for (char *line = strtok(command_output, "\n"); line; line = strtok(NULL, "\n")) {
    const char *loss = strstr(line, "\"loss\": "), *validation = strstr(line, "\"validation_loss\": ");
    if (loss && logged < LOGGED)
      l.values[logged++] = strtod(loss + strlen("\"loss\": "), NULL);
    if (validation && evaluated < 2)
      l.validation[evaluated++] = strtod(validation + strlen("\"validation_loss\": "), NULL);
  }
  CU_ASSERT(logged == LOGGED && evaluated == 2);
  return l;
}

static bool near(const losses *a, const losses *b) {
  bool all = true;
  for (int i = 0; i < LOGGED; i++)
    all = all && fabs(a->values[i] - b->values[i]) <= 1e-5 * b->values[i];
  for (int i = 0; i < 2; i++)
    all = all && fabs(a->validation[i] - b->validation[i]) <= 1e-5 * b->validation[i];
  return all;
}

static void compare_divisions(const char *options) {
  train(1, 1, "whole", options);
  train(2, 2, "two", options);
  train(4, 4, "four", options);
  const losses whole = losses_of("whole"), two = losses_of("two"), four = losses_of("four");
  CU_ASSERT(whole.values[LOGGED - 1] < whole.values[0]);
  CU_ASSERT(near(&two, &whole));
  CU_ASSERT(near(&four, &whole));
  CU_ASSERT_EQUAL(command_run("cd %s && rm -r whole two four", folder), 0);
}

static void losses_are_those_of_whole_models(void) {
  compare_divisions("");
  compare_divisions(
      "--set objective.next_sentence=true --set optimizer.name=lamb --set model.activation=geglu --set train.slices_at_once=1");
  compare_divisions("--set model.family=gpt --set model.positions=rotary --set train.recompute=block");
}

/* The tensors of a checkpoint are those of another, by the checksums of their manifests. */
static void same_tensors(const char *run, const char *other) {
  CU_ASSERT(
      command_ended(command_run("cd %s && for r in %s %s; do grep -E '/(parameters|optimizer)/' $r/checkpoints/step-00000012/MANIFEST "
                                "> $r.tensors && [ $(wc -l < $r.tensors) -gt 90 ] || exit 1; done; cmp %s.tensors %s.tensors",
                                folder, run, other, run, other),
                    0));
}

static void data_ranks_change_no_bit(void) {
  train(2, 2, "one", "");
  train(4, 2, "two", "");
  train(8, 2, "four", "");
  same_tensors("one", "two");
  same_tensors("one", "four");
  train(2, 2, "one-bf16", "--set train.precision=bf16");
  train(8, 2, "four-bf16", "--set train.precision=bf16");
  same_tensors("one-bf16", "four-bf16");
}

/* Stopped at half-way, and gone on with in another division. */
static void checkpoints_go_to_any_division(void) {
  static const int from[][2] = {{4, 2}, {1, 1}, {4, 4}}, to[][2] = {{2, 1}, {4, 2}, {2, 2}};
  train(1, 1, "whole", "");
  const losses whole = losses_of("whole");
  for (int i = 0; i < 3; i++) {
    train(from[i][0], from[i][1], "moved", "--set train.steps=6");
    train(to[i][0], to[i][1], "moved", "--resume");
    const losses moved = losses_of("moved");
    CU_ASSERT(near(&moved, &whole));
    CU_ASSERT(command_ended(
        command_run("cd %s && " HEED_PROGRAM " checkpoint verify moved && " HEED_PROGRAM " evaluate moved --json && rm -r moved", folder),
        0));
  }
  train(4, 2, "gone", "--set train.steps=6"); /* in the same division: the bits of a run that was never stopped */
  train(2, 2, "gone", "--resume");
  same_tensors("gone", "one");
}

static void refuses_what_does_not_divide(void) {
  CU_ASSERT(
      command_ended(command_run("cd %s && " HEED_PROGRAM " train micro.yaml --set parallel.tensor=2 --set run.output=none", folder), 65));
  CU_ASSERT_PTR_NOT_NULL(
      strstr(command_output, "times 2 parts of the model (parallel.tensor), run on 2, 4 or 8 ranks, not 1; use mpirun -n 2"));
  CU_ASSERT(
      command_ended(command_run("cd %s && " HEED_PROGRAM " train micro.yaml --set parallel.tensor=3 --set run.output=none", folder), 65));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "3 ranks cannot share the 4 heads of a layer evenly"));
}

static void cleans_up(void) {
  CU_ASSERT_EQUAL(command_run("rm -r %s", folder), 0);
}

HEED_TESTS({"prepares", prepares}, {"losses are those of whole models", losses_are_those_of_whole_models},
           {"data ranks change no bit", data_ranks_change_no_bit}, {"checkpoints go to any division", checkpoints_go_to_any_division},
           {"refuses what does not divide", refuses_what_does_not_divide}, {"cleans up", cleans_up})

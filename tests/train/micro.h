/** What tests of whole runs train: a model of seconds, in a folder of its own. */
#ifndef HEED_TESTS_TRAIN_MICRO_H
#define HEED_TESTS_TRAIN_MICRO_H

#include "command.h"
#include "test.h"

static char folder[] = "/tmp/heed-run-XXXXXX";

/** Makes vocabulary, shards and micro.yaml there. */
static int prepare(void) {
  if (!mkdtemp(folder))
    return 1;
  const char *text = HEED_SOURCE "/datasets/sample/text.txt";
  int code =
      command_run("cd %s && " HEED_PROGRAM " tokenizer train --type wordpiece --vocab-size 400 --output vocab.txt %s && head -n 300 %s "
                  "> train.txt && tail -n 60 %s > validation.txt && " HEED_PROGRAM
                  " prepare --vocab vocab.txt --output train.h5 train.txt && " HEED_PROGRAM
                  " prepare --vocab vocab.txt --output validation.h5 validation.txt",
                  folder, text, text, text);
  if (code != 0) {
    fprintf(stderr, "%s\n", command_output);
    return 1;
  }
  char path[256];
  snprintf(path, sizeof path, "%s/micro.yaml", folder);
  FILE *file = fopen(path, "w");
  if (!file)
    return 1;
  fprintf(file,
          "run: {name: micro, output: %s/run}\n"
          "model: {family: bert, vocabulary_size: 400, layers: 2, hidden: 32, heads: 2, feed_forward: 64, max_positions: 32}\n"
          "data: {train: %s/train.h5, validation: %s/validation.h5, vocabulary: %s/vocab.txt}\n"
          "train: {steps: 12, sequence_length: 32, batch_sequences: 16, slices: 8}\n"
          "optimizer: {learning_rate: 1.0e-3}\n"
          "schedule: {warmup_steps: 2, decay: constant}\n"
          "checkpoint: {every_steps: 6}\n"
          "evaluate: {every_steps: 6, batches: 2}\n"
          "log: {every_steps: 3}\n",
          folder, folder, folder, folder);
  return fclose(file);
}

/** The checksums of all tensors of a checkpoint, as its manifest has them. */
__attribute__((unused)) static void tensors_of(const char *run, int step, char *text, size_t bytes) {
  CU_ASSERT(
      command_ended(command_run("grep -E '^(tensor|parameters|optimizer)|/(parameters|optimizer)/' %s/%s/checkpoints/step-%08d/MANIFEST",
                                folder, run, step),
                    0));
  snprintf(text, bytes, "%s", command_output);
  CU_ASSERT(strlen(text) > 1000);
}

static void prepares(void) {
  CU_ASSERT_EQUAL_FATAL(prepare(), 0);
}

static void cleans_up(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s", folder), 0));
}

#endif

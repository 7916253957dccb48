/* What ranks do where /dev/shm is short: they share what has room and send messages for the rest, with the same bits, and say so. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "test.h"

enum { SKIPPED = 77 };

static char folder[] = "/tmp/heed-room-XXXXXX";

/* Runs `command` in the folder with so many MiB of /dev/shm, in a world of mounts of its own. */
static int run_with(int megabytes, const char *command) {
  return command_run("cd %s && unshare -m sh -c 'mount -t tmpfs -o size=%dm none /dev/shm && exec timeout 120 %s'", folder, megabytes,
                     command);
}

#define MODEL                                                                                           \
  "run: {name: micro, output: run}\n"                                                                   \
  "model: {family: bert, vocabulary_size: 2000, layers: 2, hidden: 128, heads: 2, feed_forward: 512}\n" \
  "data: {train: text.h5, vocabulary: vocab.txt}\n"                                                     \
  "train: {steps: 4, sequence_length: 16, batch_sequences: 4, slices: 4}\n"                             \
  "optimizer: {learning_rate: 1.0e-3}\n"

static void prepares(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_FATAL(command_ended(
      command_run("cd %s && " HEED_PROGRAM " tokenizer train --type wordpiece --vocab-size 2000 --output vocab.txt " HEED_SOURCE
                  "/datasets/sample/text.txt && " HEED_PROGRAM " prepare --vocab vocab.txt --output text.h5 " HEED_SOURCE
                  "/datasets/sample/text.txt && printf '" MODEL "' > micro.yaml",
                  folder),
      0));
}

static void try_room(int megabytes, int at_once, bool short_of_it) {
  char command[1024];
  snprintf(command, sizeof command, HEED_PROGRAM " verify micro.yaml --ranks 1,2 --steps 2 --set train.slices_at_once=%d", at_once);
  CU_ASSERT(command_ended(run_with(megabytes, command), 0));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "the same bits in all 2 runs"));
  snprintf(command, sizeof command,
           HEED_MPIEXEC " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n 2 " HEED_PROGRAM
                        " bench step micro.yaml --steps 1 --warmup 1 --set train.slices_at_once=%d",
           at_once);
  CU_ASSERT(command_ended(run_with(megabytes, command), 0));
  CU_ASSERT_EQUAL(strstr(command_output, "/dev/shm has no room") != NULL, short_of_it);
}

/* Two ranks share 2 × 2.8 MiB of parameters and 2 × 3.8 of gradients, and 16 are to stay free beside. */
static void bits_are_the_same(void) {
  try_room(64, 2, false);
  try_room(33, 1, false); /* the blocks of further passes are not shared: with them it would not do */
  try_room(26, 2, true);  /* parameters, but not gradients */
  try_room(12, 2, true);  /* not even what they would wait by */
}

static void cleans_up(void) {
  CU_ASSERT_EQUAL(command_run("rm -r %s", folder), 0);
}

int main(void) {
  static const CU_TestInfo tests[] = {
      {"prepares", prepares}, {"bits are the same", bits_are_the_same}, {"cleans up", cleans_up}, CU_TEST_INFO_NULL};
  if (command_run("unshare -m sh -c 'mount -t tmpfs -o size=1m none /dev/shm'") != 0) {
    puts("mounts of one's own cannot be made here (unshare -m): skipped");
    return SKIPPED;
  }
  return heed_tests_run(__FILE__, tests);
}

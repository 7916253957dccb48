#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heed/communication.h"
#include "test.h"

static void agrees_with_itself(void) {
  heed_communication *c = heed_alone();
  double values[3] = {1, 2, 3};
  char data = 'x', copy = 0;
  CU_ASSERT_EQUAL(c->rank, 0);
  CU_ASSERT_EQUAL(c->size, 1);
  heed_error(HEED_INVALID, "what failed");
  CU_ASSERT_EQUAL(c->agree(c, HEED_INVALID), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "what failed");
  CU_ASSERT_EQUAL(c->agree(c, HEED_OK), HEED_OK);
  CU_ASSERT_EQUAL(c->maximum(c, -7), -7);
  c->broadcast(c, &data, 1);
  c->allgather(c, values, 3);
  c->barrier(c);
  c->bring(c, &copy, &data, 1, 0);
  CU_ASSERT(copy == 'x' && data == 'x' && values[0] == 1 && values[2] == 3);
}

static void owns_the_whole_block(void) {
  heed_communication *c = heed_alone();
  static const int64_t cuts[] = {0, 10, 17, 30}, edges[] = {0, 17, 30};
  float block[30], copy[30], part[5];
  for (int i = 0; i < 30; i++)
    block[i] = copy[i] = (float)i;
  CU_ASSERT_EQUAL(c->shard(c, cuts, 4, edges, 2), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(c->run_count, 1);
  CU_ASSERT(c->runs[0].first == 0 && c->runs[0].end == 30 && c->runs[0].at == 0 && c->shard_floats == 30);
  c->sum_start(c, block + 10, 10, 7);
  c->sum_poll(c);
  c->sum_finish(c);
  c->allgather_shards(c, &(heed_gathered){.data = block, .bytes = sizeof *block}, 1);
  CU_ASSERT_EQUAL(memcmp(block, copy, sizeof block), 0);
  c->gather_range(c, part, block, 12, 5);
  CU_ASSERT_EQUAL(memcmp(part, copy + 12, sizeof part), 0);
}

static void allocates_zeros(void) {
  heed_communication *c = heed_alone();
  float *block = NULL, sum = 0;
  CU_ASSERT_EQUAL_FATAL(c->allocate(c, &block, 100001), HEED_OK);
  CU_ASSERT_EQUAL((uintptr_t)block % 64, 0);
  for (int i = 0; i < 100001; i++)
    sum += block[i] != 0;
  CU_ASSERT_EQUAL(sum, 0);
  c->release(c, block);
  c->release(c, NULL);
  CU_ASSERT_EQUAL(c->allocate(c, &block, INT64_MAX / 8), HEED_FAILED);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "out of memory"));
}

static void abort_exits_with_the_status(void) {
  int pipes[2], state;
  char text[256] = "";
  CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    heed_communication *c = heed_alone();
    dup2(pipes[1], STDERR_FILENO);
    heed_error(HEED_IO, "the disk is gone");
    c->abort(c, HEED_IO);
    _exit(0);
  }
  close(pipes[1]);
  CU_ASSERT(read(pipes[0], text, sizeof text - 1) > 0);
  close(pipes[0]);
  CU_ASSERT_EQUAL(waitpid(child, &state, 0), child);
  CU_ASSERT(WIFEXITED(state) && WEXITSTATUS(state) == HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "the disk is gone"));
}

HEED_TESTS({"agrees with itself", agrees_with_itself}, {"owns the whole block", owns_the_whole_block}, {"allocates zeros", allocates_zeros},
           {"abort exits with the status", abort_exits_with_the_status})

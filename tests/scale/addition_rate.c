/* How fast this machine adds what arrives to what it holds, in bytes of summands a second: pieces as long as the messages of src/comm, from
 * its four buffers into a block that no cache holds, with all threads.  Prints the best of several passes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "comm/sum.h"

enum { PIECE = 1 << 16, BUFFERS = 4, PIECES = 1024, PASSES = 8 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(void) {
  float *held = calloc((size_t)PIECES * PIECE, sizeof *held), *arrived = calloc((size_t)BUFFERS * PIECE, sizeof *arrived);
  double best = 0;
  if (!held || !arrived) {
    fprintf(stderr, "addition_rate: out of memory for 256 MB\n");
    return 1;
  }
  for (int pass = 0; pass < PASSES; pass++) {
    const double begin = now();
    for (int64_t i = 0; i < PIECES; i++)
      heed_sum_into(held + i * PIECE, arrived + i % BUFFERS * PIECE, PIECE);
    const double rate = (double)PIECES * PIECE * sizeof *held / (now() - begin);
    best = pass > 0 && rate > best ? rate : best; /* the first touches the pages */
  }
  printf("%.3e\n", best);
  free(held);
  free(arrived);
  return 0;
}

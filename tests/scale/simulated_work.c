#include "scale/simulated_work.h"

#include <mpi.h>
#include <simgrid/actor.h>

#include "comm/sum.h"

static double seconds_a_byte = 0; /* of what goes through memory */
static double owed = 0;           /* seconds that did not pass yet */

void simulated_work_set_rate(double bytes_per_second) {
  seconds_a_byte = bytes_per_second > 0 ? 0.5 / bytes_per_second : 0;
}

void simulated_work_settle(void) {
  if (owed > 0)
    sg_actor_sleep_for(owed); /* a rank has a node to itself; SimGrid would look through all computations again at each message */
  owed = 0;
}

static void pass_through_memory(int64_t floats) {
  const double worth_a_sleep = 1e-3;
  owed += (double)floats * sizeof(float) * seconds_a_byte;
  if (owed >= worth_a_sleep)
    simulated_work_settle();
}

/* ---- comm/sum.h: a sum is read and written, what arrived is in the cache ---- */

void heed_sum_into(float *restrict into, const float *restrict from, int64_t count) {
  (void)into, (void)from;
  pass_through_memory(2 * count);
}

void heed_sum_leaves(float *sum, const float *const *leaves, int64_t leaf_count, int64_t count) {
  (void)sum, (void)leaves;
  pass_through_memory(2 * (leaf_count - 1) * count);
}

/* ---- the optimizer's kernels ---- */

static double square_sum(const float *x, int64_t count) {
  (void)x;
  pass_through_memory(count);
  return 1;
}

static void add(float *y, const float *x, int64_t count) {
  (void)y, (void)x;
  pass_through_memory(3 * count);
}

static void lamb_direction(float *u, float *m, float *v, const float *w, const float *gradient, int64_t count, const heed_adamw *settings) {
  (void)u, (void)m, (void)v, (void)w, (void)gradient, (void)settings;
  pass_through_memory(7 * count);
}

static void lamb_apply(float *w, const float *u, float step, int64_t count) {
  (void)w, (void)u, (void)step;
  pass_through_memory(3 * count);
}

heed_kernels simulated_work_kernels(void) {
  return (heed_kernels){.square_sum = square_sum, .add = add, .lamb_direction = lamb_direction, .lamb_apply = lamb_apply};
}

/* ---- memory: linked with --wrap=aligned_alloc,--wrap=memset: comm/ takes its receive buffers from there, and clears them ---- */

void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_memset(void *block, int byte, size_t bytes);
void *__real_memset(void *block, int byte, size_t bytes);

static void *newest;

void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  (void)alignment; /* whole pages */
  return newest = SMPI_SHARED_MALLOC(bytes);
}

/* What all share is left as it is: to enter its pages for each of a thousand ranks takes longer than their sums do. */
void *__wrap_memset(void *block, int byte, size_t bytes) {
  return block == newest ? block : __real_memset(block, byte, bytes);
}

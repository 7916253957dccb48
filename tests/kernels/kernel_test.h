/** What the tests of kernels share: each instruction level that the processor has, each number of threads, each grouping of slices. */
#ifndef HEED_TESTS_KERNELS_KERNEL_TEST_H
#define HEED_TESTS_KERNELS_KERNEL_TEST_H

#include <omp.h>

#include "base/blas.h"
#include "base/tree.h"
#include "kernels/element.h"
#include "kernels/kernels.h"
#include "reference/numbers.h"
#include "test.h"

/** Calls `check` with the table of each level; one that the processor lacks is named. */
static inline void test_each_level(void (*check)(const heed_kernels *)) {
  static const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16", "x86-64-v4-amx"};
  CU_ASSERT_EQUAL(heed_blas_check(), HEED_OK);
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(best);
  if (strcmp(best->isa, "generic") == 0)
    check(best);
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    const heed_kernels *kernels = heed_kernels_choose(levels[i]);
    if (kernels && strcmp(kernels->isa, levels[i]) == 0)
      check(kernels);
    else if (i > 0)
      printf("(%s skipped: not on this processor) ", levels[i]);
    test_release();
  }
}

/** As test_each_level, with the tables of both kinds of element of each. */
static void (*test_both_check)(const heed_kernels *);
static void test_both(const heed_kernels *kernels) {
  test_both_check(kernels);
  test_release();
  test_both_check(kernels->bf16);
}
static inline void test_each_kind(void (*check)(const heed_kernels *)) {
  test_both_check = check;
  test_each_level(test_both);
}

/** Floats as elements, and back; and floats that elements hold exactly. */
static inline void *test_elements(const heed_kernels *kernels, const float *values, int64_t count) {
  void *elements = test_memory(count, kernels->element_bytes);
  for (int64_t i = 0; i < count; i++)
    if (kernels->element_bytes == 2)
      ((uint16_t *)elements)[i] = heed_bf16_of(values[i]);
    else
      ((float *)elements)[i] = values[i];
  return elements;
}
static inline void test_values(const heed_kernels *kernels, float *values, const void *elements, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    values[i] = kernels->element_bytes == 2 ? heed_float_of_bf16(((const uint16_t *)elements)[i]) : ((const float *)elements)[i];
}
static inline float *test_rounded(const heed_kernels *kernels, float *values, int64_t count) {
  for (int64_t i = 0; kernels->element_bytes == 2 && i < count; i++)
    values[i] = heed_float_of_bf16(heed_bf16_of(values[i]));
  return values;
}

/** Work of one kernel call, run by all threads of a region; `scratch` is the thread's own. */
typedef void (*test_call)(const heed_kernels *kernels, const void *data, float *scratch);

enum { TEST_SLICES = 16, TEST_LONGEST = 1024, TEST_HEAD = 64, TEST_WIDTH = 1024, TEST_THREADS = 4 };

static inline void test_run(const heed_kernels *kernels, int threads, test_call call, const void *data) {
  int64_t floats = kernels->scratch_floats(TEST_SLICES, TEST_LONGEST, TEST_HEAD, TEST_WIDTH);
  int mark = test_pool_count;
  float *scratch = test_floats(TEST_THREADS * floats);
  for (int64_t i = 0; i < TEST_THREADS * floats; i++)
    scratch[i] = NAN; /* what is read before it is written shows */
#pragma omp parallel num_threads(threads)
  call(kernels, data, scratch + omp_get_thread_num() * floats);
  test_release_to(mark);
}

/** Whether the call leaves the same bits in result[count] (cleared before each) on 1, 2, 3 and 4 threads. */
static inline bool test_same_on_threads(const heed_kernels *kernels, test_call call, const void *data, float *result, int64_t count) {
  float *first = test_floats(count);
  bool same = true;
  for (int threads = 1; threads <= TEST_THREADS; threads++) {
    memset(result, 0, (size_t)count * sizeof *result);
    test_run(kernels, threads, call, data);
    if (threads == 1)
      memcpy(first, result, (size_t)count * sizeof *result);
    else
      same = same && memcmp(first, result, (size_t)count * sizeof *result) == 0;
  }
  return same;
}

/** Gradients of slices [first, first + slices) into a cleared block. */
typedef struct test_slices {
  int64_t first, slices;
  float *gradient;
  const void *data;
} test_slices;

/** The sum of blocks along the tree of base/tree.h; the first block holds it. */
static inline void test_tree_sum(float *blocks, int64_t blocks_count, int64_t count) {
  if (blocks_count == 1)
    return;
  int64_t split = heed_tree_split(blocks_count);
  test_tree_sum(blocks, split, count);
  test_tree_sum(blocks + split * count, blocks_count - split, count);
  for (int64_t i = 0; i < count; i++)
    blocks[i] += blocks[split * count + i];
}

/** Whether `slices` slices give the same bits together as in aligned groups of 1, 2, 4 … added along the tree: what makes gradients
 *  independent of the number of ranks and of passes.  `call` takes a test_slices. */
static inline bool test_same_in_groups(const heed_kernels *kernels, test_call call, const void *data, int64_t slices, int64_t count) {
  float *blocks = test_floats(slices * count);
  test_slices together = {0, slices, test_floats(count), data};
  test_run(kernels, 2, call, &together);
  bool same = true;
  for (int64_t group = 1; group < slices; group *= 2) {
    if (slices % group != 0)
      break;
    memset(blocks, 0, (size_t)(slices * count) * sizeof *blocks);
    for (int64_t g = 0; g < slices / group; g++) {
      test_slices part = {g * group, group, blocks + g * count, data};
      test_run(kernels, 1, call, &part);
    }
    test_tree_sum(blocks, slices / group, count);
    same = same && memcmp(blocks, together.gradient, (size_t)count * sizeof *blocks) == 0;
  }
  return same;
}

/** Rows of 1, 2, 3 … slices of uneven lengths, one of them empty: starts[slices + 1]. */
static inline int64_t *test_starts(int64_t slices, int64_t about) {
  int64_t *starts = test_memory(slices + 1, sizeof *starts);
  for (int64_t g = 0; g < slices; g++)
    starts[g + 1] = starts[g] + (g == 5 ? 0 : about / 2 + g * 7 % 11 * about / 10);
  return starts;
}

#endif

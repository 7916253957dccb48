/** What the tests of kernels share: each instruction level that the processor has, each kind of element, each number of threads, each
 *  grouping of slices. */
#ifndef HEED_TESTS_KERNELS_KERNEL_TEST_H
#define HEED_TESTS_KERNELS_KERNEL_TEST_H

#include <omp.h>

#include "base/blas.h"
#include "base/tree.h"
#include "kernels/kernels.h"
#include "reference/numbers.h"
#include "test.h"

/** Calls `check` with the fp32 table of each level; one that the processor lacks is named. */
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

static void (*test_checked_element)(const heed_kernels *);

static inline void test_both_elements(const heed_kernels *kernels) {
  test_checked_element(kernels);
  test_release();
  test_checked_element(kernels->bf16);
}

/** Calls `check` with both tables of each level: elements that are floats, and bf16. */
static inline void test_each_element(void (*check)(const heed_kernels *)) {
  test_checked_element = check;
  test_each_level(test_both_elements);
}

static inline bool test_is_bf16(const heed_kernels *kernels) {
  return kernels->element_bytes == 2;
}

/** The nearest bf16, ties to even, worked out apart from the kernels: by arithmetic. */
static inline float test_to_bf16(float x) {
  int exponent;
  if (!isfinite(x) || x == 0.0f)
    return x;
  frexpf(x, &exponent);
  double place = ldexp(1.0, (exponent < -125 ? -125 : exponent) - 8);
  return (float)(nearbyint((double)x / place) * place);
}

/** Rounds x to values that an element can have, so that the twin starts from the same numbers. */
static inline float *test_rounded(const heed_kernels *kernels, float *x, int64_t count) {
  for (int64_t i = 0; test_is_bf16(kernels) && i < count; i++)
    x[i] = test_to_bf16(x[i]);
  return x;
}
/** test_random of such values. */
static inline float *test_random_values(const heed_kernels *kernels, int64_t count, uint32_t which, double scale) {
  return test_rounded(kernels, test_random(count, which, scale), count);
}

/** Elements of those values, in memory of their own; and back. */
static inline void *test_elements(const heed_kernels *kernels, const float *x, int64_t count) {
  char *elements = test_memory(count, kernels->element_bytes);
  for (int64_t i = 0; i < count; i++)
    memcpy(elements + i * (int64_t)kernels->element_bytes, (const char *)(x + i) + (test_is_bf16(kernels) ? 2 : 0), kernels->element_bytes);
  return elements;
}
static inline float *test_values(const heed_kernels *kernels, const void *elements, int64_t count) {
  float *x = test_floats(count);
  for (int64_t i = 0; i < count; i++)
    memcpy((char *)(x + i) + (test_is_bf16(kernels) ? 2 : 0), (const char *)elements + i * (int64_t)kernels->element_bytes,
           kernels->element_bytes);
  return x;
}
/** Memory for elements that are all NaN: what is not written shows. */
static inline void *test_unwritten(const heed_kernels *kernels, int64_t count) {
  void *memory = test_memory(count, kernels->element_bytes);
  return memset(memory, 0xFF, (size_t)count * kernels->element_bytes);
}
static inline const void *test_behind(const heed_kernels *kernels, const void *elements, int64_t count) {
  return (const char *)elements + count * (int64_t)kernels->element_bytes;
}

/** Bound on ‖got − want‖ / ‖want‖ of elements whose values in fp32 are within `fp32`: a bf16 keeps 8 bits, so that rounding moves each
 * value by at most 2⁻⁸ of itself, and hence the norm of the whole. */
static inline double test_element_bound(const heed_kernels *kernels, double fp32) {
  return test_is_bf16(kernels) ? fp32 + 0x1p-8 : fp32;
}
static inline double test_element_error(const heed_kernels *kernels, const void *got, const double *want, int64_t count) {
  int mark = test_pool_count;
  double error = test_error(test_values(kernels, got, count), want, count);
  test_release_to(mark);
  return error;
}

/** Work of one kernel call, run by all threads of a region; `scratch` is the thread's own. */
typedef void (*test_call)(const heed_kernels *kernels, const void *data, float *scratch);

enum { TEST_SLICES = 16, TEST_LONGEST = 1024, TEST_HEAD = 64, TEST_THREADS = 4 };

/** The width of the model that scratch is made for: the depth of the deepest product whose outcome is elements. */
static int64_t test_width = 512;

static inline void test_run(const heed_kernels *kernels, int threads, test_call call, const void *data) {
  int64_t floats = kernels->scratch_floats(TEST_SLICES, TEST_LONGEST, TEST_HEAD, test_width);
  int mark = test_pool_count;
  float *scratch = test_floats(threads * floats);
  memset(scratch, 0xFF, (size_t)(threads * floats) * sizeof *scratch); /* NaN: what is read before it is written shows */
#pragma omp parallel num_threads(threads)
  call(kernels, data, scratch + omp_get_thread_num() * floats);
  test_release_to(mark);
}

/** Whether the call leaves the same bits in result[bytes] (cleared before each) on 1, 2, 3 and 4 threads. */
static inline bool test_same_bytes_on_threads(const heed_kernels *kernels, test_call call, const void *data, void *result, size_t bytes) {
  void *first = test_memory((int64_t)bytes, 1);
  bool same = true;
  for (int threads = 1; threads <= TEST_THREADS; threads++) {
    memset(result, 0, bytes);
    test_run(kernels, threads, call, data);
    if (threads == 1)
      memcpy(first, result, bytes);
    else
      same = same && memcmp(first, result, bytes) == 0;
  }
  return same;
}
/** Likewise in `count` floats, and elements. */
static inline bool test_same_on_threads(const heed_kernels *kernels, test_call call, const void *data, float *result, int64_t count) {
  return test_same_bytes_on_threads(kernels, call, data, result, (size_t)count * sizeof *result);
}
static inline bool test_same_elements_on_threads(const heed_kernels *kernels, test_call call, const void *data, void *result,
                                                 int64_t count) {
  return test_same_bytes_on_threads(kernels, call, data, result, (size_t)count * kernels->element_bytes);
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

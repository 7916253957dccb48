/* The serial OpenBLAS of Debian hands one work buffer to two threads now and then; base/blas.c puts an end to that.  Without it the
 * hammer below fails in most runs. */
#include "base/blas.h"

#include <cblas.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* OpenBLAS multiplies the smallest without a buffer, so most are above m·n·k = 100³. */
enum { SIZE = 160, SHAPES = 6, ROUNDS = 5000, THREADS = 4 };

static const int shapes[SHAPES][3] = {{160, 160, 160}, {128, 96, 160}, {97, 131, 101}, {64, 160, 128}, {48, 48, 48}, {1, 160, 160}};

static void product(float *c, const float *a, const float *b, int shape) {
  int m = shapes[shape][0], n = shapes[shape][1], k = shapes[shape][2];
  cblas_sgemm(CblasRowMajor, shape % 2 ? CblasTrans : CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a, SIZE, b, SIZE, 0.0f, c, SIZE);
}

static void wider_cores(void) {
  CU_ASSERT_STRING_EQUAL(heed_blas_wider_core("Prescott", true, true), "SkylakeX");
  CU_ASSERT_STRING_EQUAL(heed_blas_wider_core("prescott", true, false), "Haswell");
  CU_ASSERT_STRING_EQUAL(heed_blas_wider_core("Sandybridge", true, false), "Haswell");
  CU_ASSERT_STRING_EQUAL(heed_blas_wider_core("Haswell", true, true), "SkylakeX");
  CU_ASSERT_PTR_NULL(heed_blas_wider_core("Zen", true, false));
  CU_ASSERT_PTR_NULL(heed_blas_wider_core("Nehalem", false, false));
  CU_ASSERT_PTR_NULL(heed_blas_wider_core("Cooperlake", true, true));
  CU_ASSERT_PTR_NULL(heed_blas_wider_core("SapphireRapids", true, true)); /* of newer libraries */
  CU_ASSERT_PTR_NULL(heed_blas_wider_core("armv8", false, false));
}

/* Without addresses for its work buffer OpenBLAS would crash: the process ends with a message. */
static void no_room_for_a_buffer_is_said(void) {
  int status = -1;
  const pid_t child = fork(); /* before this process has a buffer */
  if (child == 0) {
    long pages = 0;
    FILE *sizes = fopen("/proc/self/statm", "r");
    if (!sizes || fscanf(sizes, "%ld", &pages) != 1)
      _exit(99);
    const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (64 << 20);
    setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
    _exit(heed_blas_check() == HEED_OK ? 98 : 97);
  }
  CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == HEED_FAILED);
}

/* Cores asked for are honoured even if slow: the child asks for the one that the library chose. */
static void what_is_asked_for_stays(void) {
  char chosen[32];
  snprintf(chosen, sizeof chosen, "%s", openblas_get_corename());
  pid_t child = fork(); /* before this process has asked for the core */
  if (child == 0) {
    setenv("OPENBLAS_CORETYPE", chosen, 1);
    _exit(heed_blas_check() != HEED_OK || strcmp(heed_blas_core(), chosen) != 0);
  }
  int status = -1;
  CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
  CU_ASSERT_EQUAL(status, 0);
}

/* The core that runs uses what the processor has, and the environment is as it was. */
static void the_core_fits(void) {
  bool asked = getenv("OPENBLAS_CORETYPE") != NULL, avx2 = false, avx512 = false;
#ifdef __x86_64__
  avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  avx512 = avx2 && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#endif
  CU_ASSERT_EQUAL(heed_blas_check(), HEED_OK);
  CU_ASSERT_EQUAL(getenv("OPENBLAS_CORETYPE") != NULL, asked);
  if (!asked && strstr(openblas_get_config(), "DYNAMIC_ARCH"))
    CU_ASSERT_PTR_NULL(heed_blas_wider_core(heed_blas_core(), avx2, avx512));
}

static void check_passes(void) {
  CU_ASSERT_EQUAL(heed_blas_check(), HEED_OK);
  CU_ASSERT(heed_blas_core()[0] != 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_blas_config(), "OpenBLAS"));
}

/* Against sums in double: |error| ≤ k·ε·Σ|a||b| ≤ 160 · 2⁻²⁴ · 160/4. */
static void products_are_right(void) {
  static float a[SIZE * SIZE], b[SIZE * SIZE], c[SIZE * SIZE];
  for (int i = 0; i < SIZE * SIZE; i++) {
    a[i] = (float)((i * 37) % 101) / 101 - 0.5f;
    b[i] = (float)((i * 53) % 97) / 97 - 0.5f;
  }
  for (int shape = 0; shape < SHAPES; shape++) {
    product(c, a, b, shape);
    for (int i = 0; i < shapes[shape][0]; i++)
      for (int j = 0; j < shapes[shape][1]; j++) {
        double sum = 0;
        for (int l = 0; l < shapes[shape][2]; l++)
          sum += (double)(shape % 2 ? a[l * SIZE + i] : a[i * SIZE + l]) * b[l * SIZE + j];
        CU_ASSERT_DOUBLE_EQUAL(c[i * SIZE + j], sum, 160 * 160 * 0.25 * 0x1p-24);
      }
  }
}

static void threads_give_the_bits_of_one(void) {
  size_t block = SIZE * SIZE;
  float *a = malloc(block * sizeof *a), *b = malloc(block * sizeof *b), *one = calloc(SHAPES * block, sizeof *one);
  CU_ASSERT_FATAL(a && b && one);
  for (size_t i = 0; i < block; i++) {
    a[i] = (float)((i * 37) % 101) / 101 - 0.5f;
    b[i] = (float)((i * 53) % 97) / 97 - 0.5f;
  }
  for (int shape = 0; shape < SHAPES; shape++)
    product(one + (size_t)shape * block, a, b, shape);
  int wrong = 0, threads = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : wrong, threads)
  {
    float *c = calloc(block, sizeof *c);
    threads += c != NULL;
    for (int i = 0; c && i < ROUNDS; i++) {
      int shape = (i + omp_get_thread_num()) % SHAPES;
      memset(c, 0, block * sizeof *c);
      product(c, a, b, shape);
      wrong += memcmp(c, one + (size_t)shape * block, block * sizeof *c) != 0;
    }
    free(c);
  }
  CU_ASSERT_EQUAL(threads, THREADS);
  CU_ASSERT_EQUAL(wrong, 0);
  free(a);
  free(b);
  free(one);
}

HEED_TESTS({"wider cores", wider_cores}, {"what is asked for stays", what_is_asked_for_stays},
           {"no room for a buffer is said", no_room_for_a_buffer_is_said}, {"the core fits", the_core_fits}, {"check passes", check_passes},
           {"products are right", products_are_right}, {"threads give the bits of one", threads_give_the_bits_of_one})

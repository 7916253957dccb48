/* Debian's serial OpenBLAS (0.3.21) is not safe to call from several threads: blas_memory_alloc looks for a free work buffer without
 * a lock, two threads may get the same one, and products come out wrong (some 1 in 100 on two threads).  The library calls that
 * function through its dynamic symbol, so the definitions below take its place and give each thread a buffer of its own: no race and no
 * search.  heed_blas_check makes sure that they really do. */
#include "base/blas.h"

#include <cblas.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heed/log.h"

/* At least the library's own buffer: BUFFER_SIZE is 32 << 22 bytes on x86-64 and smaller elsewhere.  Pages are used only when touched. */
enum { BUFFER_BYTES = 160 << 20 };

static _Thread_local void *thread_buffer;
static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void release_buffer(void *buffer) {
  munmap(buffer, BUFFER_BYTES);
}

static void create_key(void) {
  pthread_key_create(&buffer_key, release_buffer);
}

void *blas_memory_alloc(int procpos);
void blas_memory_free(void *buffer);

void *blas_memory_alloc(int procpos) {
  (void)procpos;
  if (!thread_buffer) {
    void *buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (buffer == MAP_FAILED) { /* OpenBLAS would write to what it does not get */
      heed_rank_alarm("error: ", "out of memory for a buffer of OpenBLAS's, %d MB of addresses: %s", BUFFER_BYTES >> 20, strerror(errno));
      _exit(HEED_FAILED);
    }
    pthread_once(&buffer_once, create_key);
    pthread_setspecific(buffer_key, buffer);
    thread_buffer = buffer;
  }
  return thread_buffer;
}

void blas_memory_free(void *buffer) {
  (void)buffer;
}

/* ---- the core ----
 * A build for many processors looks for the model's number, not for its instructions: a processor newer than the library may get code
 * from before AVX, 8 times slower.  Such a library chooses anew when its own start is run again, with OPENBLAS_CORETYPE set. */

static const char core_variable[] = "OPENBLAS_CORETYPE";

/* Exported by builds for many processors only. */
__attribute__((weak)) void gotoblas_dynamic_init(void);
__attribute__((weak)) void gotoblas_dynamic_quit(void);

typedef enum core_width { WIDTH_SSE, WIDTH_AVX, WIDTH_AVX2, WIDTH_AVX512 } core_width;

/* Cores by the vector instructions of their code, and those that are not listed: taken to be a good choice. */
static core_width width_of(const char *core) {
  static const struct {
    core_width width;
    const char *cores;
  } rows[] = {
      {WIDTH_SSE, " katmai coppermine northwood prescott banias atom core2 penryn dunnington nehalem athlon opteron opteron_sse3 barcelona "
                  "bobcat nano "},
      {WIDTH_AVX, " sandybridge bulldozer piledriver steamroller excavator "},
      {WIDTH_AVX2, " haswell zen "},
  };
  char word[40];
  snprintf(word, sizeof word, " %s ", core);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcasestr(rows[i].cores, word))
      return rows[i].width;
  return WIDTH_AVX512;
}

const char *heed_blas_wider_core(const char *core, bool avx2, bool avx512) {
  core_width width = width_of(core);
  if (avx512 && width < WIDTH_AVX512)
    return "SkylakeX";
  return avx2 && width < WIDTH_AVX2 ? "Haswell" : NULL;
}

static bool has_avx2(void) {
#ifdef HEED_X86_64
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

static bool has_avx512(void) {
#ifdef HEED_X86_64
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

static pthread_once_t core_once = PTHREAD_ONCE_INIT;
static const char *missed_core; /* one that would be wider, of a library that cannot choose anew */

static void choose_core(void) {
  const char *asked = getenv(core_variable), *wider = heed_blas_wider_core(openblas_get_corename(), has_avx2(), has_avx512());
  if (!wider || (asked && asked[0]))
    return;
  if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit) {
    missed_core = wider;
    return;
  }
  setenv(core_variable, wider, 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(core_variable); /* nobody asked for it: a program that is started from here decides for itself */
}

/* ---- the check ---- */

/* A product of ones, too large for the code that OpenBLAS has for small ones, which takes no buffer (on AVX-512 up to m·n·k = 100³). */
static heed_status probe(void) {
  enum { N = 128, BLOCK = N * N };
  float *blocks = malloc(3 * BLOCK * sizeof *blocks);
  bool right = true;
  if (!blocks)
    return heed_error(HEED_FAILED, "out of memory for a trial of OpenBLAS");
  for (int i = 0; i < 3 * BLOCK; i++)
    blocks[i] = 1.0f;
  float *a = blocks, *b = blocks + BLOCK, *c = blocks + 2 * BLOCK;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1.0f, a, N, b, N, 0.0f, c, N);
  for (int i = 0; i < BLOCK; i++)
    right = right && c[i] == (float)N;
  free(blocks);
  return right ? HEED_OK
               : heed_error(HEED_FAILED, "OpenBLAS (%s) multiplies wrongly on this processor; try another OPENBLAS_CORETYPE or build",
                            openblas_get_config());
}

static void warn_of_core(void) {
  static bool warned;
  if (missed_core && !warned)
    heed_warn("OpenBLAS (%s) runs its code for %s, and this processor could run that for %s, several times faster: build with "
              "-DHEED_OPENBLAS=/path/to/a/build/with/DYNAMIC_ARCH/libopenblas.so",
              openblas_get_config(), openblas_get_corename(), missed_core);
  warned = true;
}

heed_status heed_blas_check(void) {
  pthread_once(&core_once, choose_core);
  openblas_set_num_threads(1); /* builds with threads of their own: Heed threads the tiles */
  HEED_TRY(probe());
  bool ours = thread_buffer != NULL, locks = openblas_get_parallel() != 0;
  if (!ours && !locks)
    return heed_error(HEED_FAILED,
                      "OpenBLAS (%s) is a serial build that is not safe to call from threads, and its work buffers could not be "
                      "replaced; build with -DHEED_OPENBLAS=/path/to/a/pthread/build/libopenblas.so",
                      openblas_get_config());
  warn_of_core();
  return HEED_OK;
}

const char *heed_blas_core(void) {
  pthread_once(&core_once, choose_core);
  return openblas_get_corename();
}

const char *heed_blas_config(void) {
  return openblas_get_config();
}

/* Debian's serial OpenBLAS (0.3.21) is not safe to call from several threads: blas_memory_alloc looks for a free work buffer without
 * a lock, two threads may get the same one, and products come out wrong (some 1 in 100 on two threads).  The library calls that
 * function through its dynamic symbol, so the definitions below take its place and give each thread a buffer of its own: no race and no
 * search.  heed_blas_check makes sure that they really do. */
#include "base/blas.h"

#include <cblas.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

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
    if (buffer == MAP_FAILED)
      return NULL;
    pthread_once(&buffer_once, create_key);
    pthread_setspecific(buffer_key, buffer);
    thread_buffer = buffer;
  }
  return thread_buffer;
}

void blas_memory_free(void *buffer) {
  (void)buffer;
}

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

heed_status heed_blas_check(void) {
  openblas_set_num_threads(1); /* builds with threads of their own: Heed threads the tiles */
  HEED_TRY(probe());
  bool ours = thread_buffer != NULL, locks = openblas_get_parallel() != 0;
  if (!ours && !locks)
    return heed_error(HEED_FAILED,
                      "OpenBLAS (%s) is a serial build that is not safe to call from threads, and its work buffers could not be "
                      "replaced; build with -DHEED_OPENBLAS=/path/to/a/pthread/build/libopenblas.so",
                      openblas_get_config());
  return HEED_OK;
}

const char *heed_blas_core(void) {
  return openblas_get_corename();
}

const char *heed_blas_config(void) {
  return openblas_get_config();
}

/** A fuzz target is one function: the bytes of a stranger's file in; out come nothing, a refusal with a reason, or what was read, of which
 *  the target checks what must hold.  The same source runs under libFuzzer and AFL++ (run.sh) and, over the committed corpus, as an
 *  ordinary test (replay.c). */
#ifndef HEED_TESTS_FUZZ_TARGET_H
#define HEED_TESTS_FUZZ_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heed/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Ends the program where something that must hold does not: how a target tells the fuzzer what it found. */
#define FUZZ_MUST(condition)                                                                                \
  do                                                                                                        \
    if (!(condition)) {                                                                                     \
      fprintf(stderr, "%s:%d: does not hold: %s\n%s\n", __FILE__, __LINE__, #condition, heed_error_text()); \
      abort();                                                                                              \
    }                                                                                                       \
  while (0)

/** How often something was accepted in this program. */
__attribute__((weak)) int fuzz_accepted;

/** Whether it went well; what did not must have been refused as invalid, with a reason. */
static inline bool fuzz_went_well(heed_status status) {
  FUZZ_MUST(status == HEED_OK || (status == HEED_INVALID && *heed_error_text()));
  fuzz_accepted += status == HEED_OK;
  return status == HEED_OK;
}

/** The bytes as an open file in memory; the last call's is replaced. */
static inline int fuzz_file(const uint8_t *data, size_t bytes) {
  static int file = -1;
  if (file < 0)
    file = memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_MUST(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, bytes, 0) == (ssize_t)bytes);
  return file;
}

/** Its path. */
static inline const char *fuzz_path(int file) {
  static char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return path;
}

/** The bytes with a zero behind them; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t bytes) {
  char *text = malloc(bytes + 1);
  FUZZ_MUST(text != NULL);
  if (bytes > 0)
    memcpy(text, data, bytes);
  text[bytes] = 0;
  return text;
}

#endif

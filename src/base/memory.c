#include "base/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t heed_memory_of_machine(void) {
  char line[256];
  unsigned long long kilobytes = 0;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
      break;
  if (file)
    fclose(file);
  return kilobytes ? (size_t)(kilobytes * 1024) : SIZE_MAX;
}

/* A number alone in a file; `otherwise` where there is none ("max" of a container without a limit). */
static size_t number_in(const char *path, size_t otherwise) {
  unsigned long long number;
  FILE *file = fopen(path, "re");
  if (!file)
    return otherwise;
  const int found = fscanf(file, "%llu", &number);
  fclose(file);
  return found == 1 ? (size_t)number : otherwise;
}

size_t heed_memory_limit(void) {
  return number_in("/sys/fs/cgroup/memory.max", SIZE_MAX);
}

size_t heed_memory_available(void) {
  const size_t machine = heed_memory_of_machine(), limit = heed_memory_limit();
  return limit < machine ? limit : machine;
}

/* Pages of files are given back when memory is short. */
static size_t inactive_files(void) {
  char line[128];
  unsigned long long bytes = 0;
  FILE *file = fopen("/sys/fs/cgroup/memory.stat", "re");
  while (file && fgets(line, sizeof line, file) && sscanf(line, "inactive_file %llu", &bytes) != 1)
    ;
  if (file)
    fclose(file);
  return (size_t)bytes;
}

size_t heed_memory_left(void) {
  const size_t machine = heed_memory_of_machine(), limit = heed_memory_limit(), taken = number_in("/sys/fs/cgroup/memory.current", 0),
               files = inactive_files(), used = taken > files ? taken - files : 0;
  if (limit == SIZE_MAX)
    return machine;
  const size_t left = limit > used ? limit - used : 0;
  return left < machine ? left : machine;
}

void heed_memory_prefer_large_pages(void *block, size_t bytes) {
  const uintptr_t page = (uintptr_t)2 << 20, begin = ((uintptr_t)block + page - 1) / page * page,
                  end = ((uintptr_t)block + bytes) / page * page;
  if (block && end > begin)
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

float *heed_memory_block(int64_t count) {
  const size_t bytes = ((size_t)count * sizeof(float) + 127) / 64 * 64;
  float *block = aligned_alloc(64, bytes);
  heed_memory_prefer_large_pages(block, bytes);
  return block;
}

float *heed_memory_fresh(int64_t count, bool large_pages) {
  const size_t bytes = (size_t)count * sizeof(float), page = (size_t)sysconf(_SC_PAGESIZE);
  float *block = calloc((size_t)count, sizeof *block);
  const uintptr_t begin = ((uintptr_t)block + page - 1) / page * page, end = ((uintptr_t)block + bytes) / page * page;
  if (large_pages)
    heed_memory_prefer_large_pages(block, bytes);
  else if (block && end > begin)
    (void)madvise((void *)begin, end - begin, MADV_NOHUGEPAGE);
  return block;
}

void heed_memory_zero(float *block, int64_t count) {
  enum { PIECE = 1 << 12 };
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i += PIECE)
    memset(block + i, 0, (size_t)(count - i < PIECE ? count - i : PIECE) * sizeof *block);
}

bool heed_memory_take(float *block, int64_t count) {
  bool room = true, known = false;
#ifdef MADV_POPULATE_WRITE
  enum { PIECE = 1 << 20 };
  known = true;
#pragma omp parallel for schedule(static) reduction(&& : room, known)
  for (int64_t i = 0; i < count; i += PIECE) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)(block + i) / page * page,
                    end = (uintptr_t)(block + (count - i < PIECE ? count : i + PIECE));
    const bool taken = madvise((void *)begin, end - begin, MADV_POPULATE_WRITE) == 0;
    known = known && (taken || errno != EINVAL);
    room = room && (taken || errno == EINVAL);
  }
#endif
  if (!known)
    heed_memory_zero(block, count);
  return room;
}

size_t heed_memory_resident(void) {
  unsigned long long pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file)
    return 0;
  const int found = fscanf(file, "%*u %llu", &pages);
  fclose(file);
  return found == 1 ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

#include "base/arena.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 };

size_t heed_arena_reserve(heed_arena *arena, size_t count, size_t size) {
  size_t bytes, end, offset = arena->used;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT ||
      __builtin_add_overflow(offset, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, &end))
    end = SIZE_MAX / ALIGNMENT * ALIGNMENT; /* commit refuses it */
  arena->used = end;
  if (end > arena->peak)
    arena->peak = end;
  return offset;
}

size_t heed_arena_mark(const heed_arena *arena) {
  return arena->used;
}

void heed_arena_release(heed_arena *arena, size_t mark) {
  arena->used = mark;
}

heed_status heed_arena_commit(heed_arena *arena) {
  size_t bytes = arena->peak ? arena->peak : ALIGNMENT;
  void *memory = MAP_FAILED;
  if (bytes < SIZE_MAX / 2)
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return heed_error(HEED_FAILED, "%s: %.1f MiB of memory are not to be had; use a smaller batch, sequence or model",
                      arena->name ? arena->name : "memory", (double)bytes / 1048576.0);
  heed_memory_prefer_large_pages(memory, bytes); /* products stride through it: with pages of 4 KiB each row is another one */
  arena->base = memory;
  arena->capacity = bytes;
  return HEED_OK;
}

void heed_arena_free(heed_arena *arena) {
  if (arena->base)
    munmap(arena->base, arena->capacity);
  *arena = (heed_arena){.name = arena->name};
}

/** An arena that is planned first and allocated once.
 *
 *  While planning, heed_arena_reserve hands out offsets; heed_arena_commit allocates the peak; during steps heed_arena_at turns an
 *  offset into memory.  mark and release let reservations whose lifetimes do not meet share the same bytes. */
#ifndef HEED_BASE_ARENA_H
#define HEED_BASE_ARENA_H

#include <stddef.h>

#include "heed/status.h"

typedef struct heed_arena {
  char *base;
  size_t used, peak, capacity;
  const char *name; /**< for messages: "activations", "scratch" */
} heed_arena;

/** Reserves `count` elements of `size` bytes, aligned to 64 bytes.  Returns the offset.  A product that overflows is remembered and
 *  reported by commit. */
size_t heed_arena_reserve(heed_arena *arena, size_t count, size_t size);

/** The offset up to which is reserved now, to be given back to release. */
size_t heed_arena_mark(const heed_arena *arena);
void heed_arena_release(heed_arena *arena, size_t mark);

/** Allocates the planned peak (anonymous mapping, first touch by its users).  Errors: HEED_FAILED when memory is short. */
heed_status heed_arena_commit(heed_arena *arena);

static inline void *heed_arena_at(const heed_arena *arena, size_t offset) {
  return arena->base + offset;
}

void heed_arena_free(heed_arena *arena);

#endif

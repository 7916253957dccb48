/** A trie over bytes, all its edges in one flat hash table: what greedy longest match walks.  Read-only once built, so any number of
 *  threads may walk it. */
#ifndef HEED_DATA_TRIE_H
#define HEED_DATA_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** Two roots: tokens that begin a word, and tokens that go on one (## taken off). */
enum { HEED_TRIE_WORDS = 1, HEED_TRIE_CONTINUATIONS = 2 };

typedef struct heed_trie_edge {
  uint32_t key;   /**< node · 256 + byte; 0 = free slot */
  uint32_t child; /**< node the edge leads to */
} heed_trie_edge;

typedef struct heed_trie {
  heed_trie_edge *edges;
  uint32_t slots_log2;
  uint32_t nodes, capacity; /**< node 0 is none; nodes < 2²² */
  int32_t *ids;             /**< [capacity] token that ends at a node, −1 for none */
} heed_trie;

heed_status heed_trie_create(heed_trie *trie);
void heed_trie_free(heed_trie *trie);

/** Adds a token below a root.  \param[out] earlier  the id that the same token has already, −1 when it is new.
 *  Errors: HEED_FAILED when memory is short, HEED_INVALID when the trie would be too large or slow. */
heed_status heed_trie_add(heed_trie *trie, uint32_t root, const char *text, size_t bytes, int32_t id, int32_t *earlier);

static inline uint32_t heed_trie_slot(const heed_trie *trie, uint32_t key) {
  return (key * 0x9E3779B1u) >> (32 - trie->slots_log2);
}

/** The node one byte further, 0 for none. */
static inline uint32_t heed_trie_step(const heed_trie *trie, uint32_t node, unsigned char byte) {
  uint32_t key = node << 8 | byte, mask = (1u << trie->slots_log2) - 1;
  for (uint32_t slot = heed_trie_slot(trie, key);; slot = (slot + 1) & mask) {
    if (trie->edges[slot].key == key)
      return trie->edges[slot].child;
    if (trie->edges[slot].key == 0)
      return 0;
  }
}

#endif

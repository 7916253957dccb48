#include "data/trie.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FIRST_SLOTS_LOG2 = 10, FIRST_NODES = 256, MOST_NODES = 1 << 24 };

heed_status heed_trie_create(heed_trie *trie) {
  *trie = (heed_trie){.slots_log2 = FIRST_SLOTS_LOG2, .nodes = HEED_TRIE_CONTINUATIONS + 1, .capacity = FIRST_NODES};
  trie->edges = calloc((size_t)1 << FIRST_SLOTS_LOG2, sizeof *trie->edges);
  trie->ids = malloc(FIRST_NODES * sizeof *trie->ids);
  if (!trie->edges || !trie->ids) {
    heed_trie_free(trie);
    return heed_error(HEED_FAILED, "out of memory for a vocabulary");
  }
  for (int i = 0; i <= HEED_TRIE_CONTINUATIONS; i++)
    trie->ids[i] = -1;
  return HEED_OK;
}

void heed_trie_free(heed_trie *trie) {
  free(trie->edges);
  free(trie->ids);
  *trie = (heed_trie){0};
}

static void insert(heed_trie *trie, heed_trie_edge edge) {
  uint32_t mask = (1u << trie->slots_log2) - 1, slot = heed_trie_slot(trie, edge.key);
  while (trie->edges[slot].key != 0)
    slot = (slot + 1) & mask;
  trie->edges[slot] = edge;
}

/* Keeps the edge table at most half full: a step then looks at 1.5 slots on average. */
static bool grow_edges(heed_trie *trie) {
  uint32_t slots = 1u << trie->slots_log2;
  if (trie->nodes < slots / 2)
    return true;
  heed_trie larger = *trie;
  larger.slots_log2++;
  larger.edges = calloc((size_t)1 << larger.slots_log2, sizeof *larger.edges);
  if (!larger.edges)
    return false;
  for (uint32_t slot = 0; slot < slots; slot++)
    if (trie->edges[slot].key != 0)
      insert(&larger, trie->edges[slot]);
  free(trie->edges);
  *trie = larger;
  return true;
}

static bool grow_nodes(heed_trie *trie) {
  if (trie->nodes < trie->capacity)
    return true;
  int32_t *ids = realloc(trie->ids, 2 * (size_t)trie->capacity * sizeof *ids);
  if (!ids)
    return false;
  trie->ids = ids;
  trie->capacity *= 2;
  return true;
}

heed_status heed_trie_add(heed_trie *trie, uint32_t root, const char *text, size_t bytes, int32_t id, int32_t *earlier) {
  uint32_t node = root;
  for (size_t i = 0; i < bytes; i++) {
    unsigned char byte = (unsigned char)text[i];
    uint32_t next = heed_trie_step(trie, node, byte);
    if (next == 0) {
      if (trie->nodes == MOST_NODES)
        return heed_error(HEED_INVALID, "more than %d different beginnings of tokens: too large for a vocabulary", MOST_NODES);
      if (!grow_edges(trie) || !grow_nodes(trie))
        return heed_error(HEED_FAILED, "out of memory for a vocabulary");
      next = trie->nodes++;
      trie->ids[next] = -1;
      insert(trie, (heed_trie_edge){node << 8 | byte, next});
    }
    node = next;
  }
  *earlier = trie->ids[node];
  if (*earlier < 0)
    trie->ids[node] = id;
  return HEED_OK;
}

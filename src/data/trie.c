#include "data/trie.h"

#include <stdlib.h>

/* An edge lies some slots behind its own: 31 at most in BERT's vocabulary.  In one whose tokens are chosen to meet in the table it would be
 * millions, and building it would take hours. */
enum { FIRST_SLOTS_LOG2 = 10, FIRST_NODES = 256, MOST_NODES = 1 << 22, MOST_BEHIND = 128 };

static heed_status short_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for a vocabulary");
}

heed_status heed_trie_create(heed_trie *trie) {
  *trie = (heed_trie){.slots_log2 = FIRST_SLOTS_LOG2, .nodes = HEED_TRIE_CONTINUATIONS + 1, .capacity = FIRST_NODES};
  trie->edges = calloc((size_t)1 << FIRST_SLOTS_LOG2, sizeof *trie->edges);
  trie->ids = malloc(FIRST_NODES * sizeof *trie->ids);
  if (!trie->edges || !trie->ids) {
    heed_trie_free(trie);
    return short_of_memory();
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

static heed_status insert(heed_trie *trie, heed_trie_edge edge) {
  uint32_t mask = (1u << trie->slots_log2) - 1, first = heed_trie_slot(trie, edge.key), behind = 0;
  while (trie->edges[(first + behind) & mask].key != 0)
    if (++behind > MOST_BEHIND)
      return heed_error(HEED_INVALID, "its tokens are chosen to meet in the table: made to harm, or no vocabulary");
  trie->edges[(first + behind) & mask] = edge;
  return HEED_OK;
}

/* Keeps the edge table at most half full: a step then looks at 1.5 slots on average. */
static heed_status grow_edges(heed_trie *trie) {
  uint32_t slots = 1u << trie->slots_log2;
  if (trie->nodes < slots / 2)
    return HEED_OK;
  heed_trie larger = *trie;
  larger.slots_log2++;
  larger.edges = calloc((size_t)1 << larger.slots_log2, sizeof *larger.edges);
  heed_status status = larger.edges ? HEED_OK : short_of_memory();
  for (uint32_t slot = 0; slot < slots && status == HEED_OK; slot++)
    if (trie->edges[slot].key != 0)
      status = insert(&larger, trie->edges[slot]);
  if (status != HEED_OK) {
    free(larger.edges);
    return status;
  }
  free(trie->edges);
  *trie = larger;
  return HEED_OK;
}

static heed_status grow_nodes(heed_trie *trie) {
  if (trie->nodes < trie->capacity)
    return HEED_OK;
  int32_t *ids = realloc(trie->ids, 2 * (size_t)trie->capacity * sizeof *ids);
  if (!ids)
    return short_of_memory();
  trie->ids = ids;
  trie->capacity *= 2;
  return HEED_OK;
}

heed_status heed_trie_add(heed_trie *trie, uint32_t root, const char *text, size_t bytes, int32_t id, int32_t *earlier) {
  uint32_t node = root;
  for (size_t i = 0; i < bytes; i++) {
    unsigned char byte = (unsigned char)text[i];
    uint32_t next = heed_trie_step(trie, node, byte);
    if (next == 0) {
      if (trie->nodes == MOST_NODES)
        return heed_error(HEED_INVALID, "more than %d different beginnings of tokens: too large for a vocabulary", MOST_NODES);
      HEED_TRY(grow_edges(trie));
      HEED_TRY(grow_nodes(trie));
      next = trie->nodes;
      HEED_TRY(insert(trie, (heed_trie_edge){node << 8 | byte, next}));
      trie->ids[next] = -1;
      trie->nodes++;
    }
    node = next;
  }
  *earlier = trie->ids[node];
  if (*earlier < 0)
    trie->ids[node] = id;
  return HEED_OK;
}

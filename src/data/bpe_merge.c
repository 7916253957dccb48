/* Joining within a pre-token.  Short ones, nearly all, in a row that is searched anew for each merge; long ones with a queue. */
#include <stdlib.h>
#include <string.h>

#include "data/bpe.h"

enum { SHORT = 48, FIRST_SLOTS_LOG2 = 4, MOST_BEHIND = 128 }; /* slots behind a merge's own, as in trie.c */

heed_status heed_bpe_merges_create(heed_bpe_merges *merges, int64_t count) {
  int32_t log2 = FIRST_SLOTS_LOG2;
  while ((int64_t)1 << log2 < 2 * count)
    log2++;
  merges->slots_log2 = log2;
  merges->slots = malloc(((size_t)1 << log2) * sizeof *merges->slots);
  if (!merges->slots)
    return heed_error(HEED_FAILED, "out of memory for a vocabulary");
  for (size_t slot = 0; slot < (size_t)1 << log2; slot++)
    merges->slots[slot] = (heed_bpe_merge){.rank = HEED_BPE_NO_RANK};
  return HEED_OK;
}

heed_status heed_bpe_merges_add(heed_bpe_merges *merges, int32_t left, int32_t right, int32_t rank, int32_t joined) {
  uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, mask = ((uint64_t)1 << merges->slots_log2) - 1;
  uint64_t first = (pair * 0x9E3779B97F4A7C15u) >> (64 - merges->slots_log2), behind = 0;
  for (; merges->slots[(first + behind) & mask].rank != HEED_BPE_NO_RANK; behind++) {
    if (merges->slots[(first + behind) & mask].pair == pair)
      return heed_error(HEED_INVALID, "it stands on an earlier line already");
    if (behind == MOST_BEHIND)
      return heed_error(HEED_INVALID, "its merges are chosen to meet in the table: made to harm, or no vocabulary");
  }
  merges->slots[(first + behind) & mask] = (heed_bpe_merge){pair, rank, joined};
  return HEED_OK;
}

static int32_t rank_of(const heed_bpe_merges *merges, const int32_t *ids, int64_t left, int64_t count) {
  const heed_bpe_merge *merge = left >= 0 && left + 1 < count ? heed_bpe_merges_find(merges, ids[left], ids[left + 1]) : NULL;
  return merge ? merge->rank : HEED_BPE_NO_RANK;
}

/* ranks[i] is that of ids[i] with ids[i + 1]. */
static void merge_short(const heed_bpe_merges *merges, int32_t *ids, int64_t *count) {
  int32_t ranks[SHORT];
  int64_t n = *count;
  for (int64_t i = 0; i < n; i++)
    ranks[i] = rank_of(merges, ids, i, n);
  for (;;) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
      best = ranks[i] < ranks[best] ? i : best;
    if (ranks[best] == HEED_BPE_NO_RANK)
      break;
    ids[best] = heed_bpe_merges_find(merges, ids[best], ids[best + 1])->joined;
    n--;
    for (int64_t i = best + 1; i < n; i++) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
    }
    ranks[best] = rank_of(merges, ids, best, n);
    if (best > 0)
      ranks[best - 1] = rank_of(merges, ids, best - 1, n);
  }
  *count = n;
}

/* A token in a list: next and previous are places, −1 for none.  A joined one's right half has no id. */
typedef struct link {
  int32_t next, previous;
} link;

typedef struct candidate {
  int32_t rank, place;
} candidate;

typedef struct merging {
  const heed_bpe_merges *merges;
  int32_t *ids; /* −1: taken by the one before */
  link *links;
  candidate *queue; /* a binary heap */
  int64_t queued, room;
} merging;

static bool before(candidate a, candidate b) {
  return a.rank != b.rank ? a.rank < b.rank : a.place < b.place;
}

/* Enters the pair that begins at a place, if it has a merge.  False when memory is short. */
static bool enter(merging *m, int32_t place) {
  int32_t next = m->links[place].next;
  const heed_bpe_merge *merge = next < 0 ? NULL : heed_bpe_merges_find(m->merges, m->ids[place], m->ids[next]);
  if (!merge)
    return true;
  if (m->queued == m->room) {
    int64_t larger = 2 * m->room + SHORT;
    candidate *grown = realloc(m->queue, (size_t)larger * sizeof *grown);
    if (!grown)
      return false;
    m->queue = grown;
    m->room = larger;
  }
  candidate new = {merge->rank, place};
  int64_t at = m->queued++;
  for (; at > 0 && before(new, m->queue[(at - 1) / 2]); at = (at - 1) / 2)
    m->queue[at] = m->queue[(at - 1) / 2];
  m->queue[at] = new;
  return true;
}

static candidate take(merging *m) {
  candidate first = m->queue[0], last = m->queue[--m->queued];
  int64_t at = 0;
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child + 1 < m->queued && before(m->queue[child + 1], m->queue[child]))
      child++;
    if (child >= m->queued || !before(m->queue[child], last))
      break;
    m->queue[at] = m->queue[child];
    at = child;
  }
  m->queue[at] = last;
  return first;
}

/* Joins the pair of a candidate, unless one of it has been joined since.  False when memory is short. */
static bool join(merging *m, candidate c) {
  int32_t right = m->ids[c.place] < 0 ? -1 : m->links[c.place].next;
  const heed_bpe_merge *merge = right < 0 ? NULL : heed_bpe_merges_find(m->merges, m->ids[c.place], m->ids[right]);
  if (!merge || merge->rank != c.rank)
    return true;
  int32_t behind = m->links[right].next, previous = m->links[c.place].previous;
  m->ids[c.place] = merge->joined;
  m->ids[right] = -1;
  m->links[c.place].next = behind;
  if (behind >= 0)
    m->links[behind].previous = c.place;
  return (previous < 0 || enter(m, previous)) && enter(m, c.place);
}

static bool merge_long(const heed_bpe_merges *merges, int32_t *ids, int64_t *count) {
  int64_t n = *count, kept = 0;
  merging m = {.merges = merges, .ids = ids, .links = malloc((size_t)n * sizeof *m.links)};
  bool have = m.links != NULL;
  for (int64_t i = 0; i < n && have; i++)
    m.links[i] = (link){(int32_t)(i + 1 < n ? i + 1 : -1), (int32_t)(i - 1)};
  for (int64_t i = 0; i < n && have; i++)
    have = enter(&m, (int32_t)i);
  while (have && m.queued > 0)
    have = join(&m, take(&m));
  for (int64_t i = 0; i < n && have; i++)
    if (ids[i] >= 0)
      ids[kept++] = ids[i];
  free(m.links);
  free(m.queue);
  *count = kept;
  return have;
}

heed_status heed_bpe_merge_all(const heed_bpe_merges *merges, int32_t *ids, int64_t *count) {
  if (*count <= SHORT) {
    merge_short(merges, ids, count);
    return HEED_OK;
  }
  return merge_long(merges, ids, count) ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a word of %lld bytes", (long long)*count);
}

/* Vocabularies whose tokens were chosen so that a table would be searched for hours: refused within the limits for strangers' files. */
#include "data/trie.h"

#include <string.h>

#include "data/bpe.h"
#include "stranger.h"
#include "test.h"

/* A token of a million bytes, each chosen so that its edge's own slot is among the first of the table: as whoever knows the hash can. */
static int add_chosen_edges(const void *unused) {
  enum { BYTES = 1000000 };
  static char token[BYTES];
  heed_trie trie;
  int32_t earlier;
  (void)unused;
  if (heed_trie_create(&trie) != HEED_OK)
    return 1;
  for (uint32_t i = 0; i < BYTES; i++) {
    uint32_t node = i == 0 ? HEED_TRIE_WORDS : HEED_TRIE_CONTINUATIONS + i, best = 1;
    for (uint32_t byte = 1; byte < 128; byte++)
      if (heed_trie_slot(&trie, node << 8 | byte) < heed_trie_slot(&trie, node << 8 | best))
        best = byte;
    token[i] = (char)best;
  }
  heed_status status = heed_trie_add(&trie, HEED_TRIE_WORDS, token, BYTES, 0, &earlier);
  heed_trie_free(&trie);
  return status == HEED_INVALID && strstr(heed_error_text(), "chosen to meet") ? 0 : 2;
}

static int add_chosen_merges(const void *unused) {
  enum { MERGES = 1 << 20 };
  heed_bpe_merges merges;
  heed_status status = heed_bpe_merges_create(&merges, MERGES);
  (void)unused;
  for (int32_t left = 0, right = 0, added = 0; added < MERGES && status == HEED_OK; right++) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    if ((pair * 0x9E3779B97F4A7C15u) >> 54 != 0)
      continue;
    status = heed_bpe_merges_add(&merges, left, right, added, 0);
    added++;
  }
  free(merges.slots);
  return status == HEED_INVALID && strstr(heed_error_text(), "chosen to meet") ? 0 : 2;
}

static void chosen_edges(void) {
  CU_ASSERT_EQUAL(limits_run(add_chosen_edges, NULL), 0);
}

static void chosen_merges(void) {
  CU_ASSERT_EQUAL(limits_run(add_chosen_merges, NULL), 0);
}

/* Twenty times BERT's vocabulary, and tokens of the length of a file: no harm. */
static int add_many(const void *unused) {
  char token[32];
  heed_trie trie;
  int32_t earlier;
  heed_status status = heed_trie_create(&trie);
  (void)unused;
  for (int32_t i = 0; i < 600000 && status == HEED_OK; i++)
    status = heed_trie_add(&trie, HEED_TRIE_WORDS + i % 2, token, (size_t)sprintf(token, "%lld", i * 7919LL), i, &earlier);
  heed_trie_free(&trie);
  return status;
}

static void many_tokens(void) {
  CU_ASSERT_EQUAL(limits_run(add_many, NULL), HEED_OK);
}

HEED_TESTS({"chosen edges", chosen_edges}, {"chosen merges", chosen_merges}, {"many tokens", many_tokens})

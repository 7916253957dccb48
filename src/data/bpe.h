/** Byte-level BPE: what bpe.c encodes with, bpe_files.c makes of a vocabulary's files, and bpe_merge.c joins by. */
#ifndef HEED_DATA_BPE_H
#define HEED_DATA_BPE_H

#include "data/string_map.h"
#include "data/tokenizer.h"

enum { HEED_BPE_MOST_BYTES = 1 << 30 };

/** A pair of tokens and what it becomes. */
typedef struct heed_bpe_merge {
  uint64_t pair; /**< left · 2³² + right */
  int32_t rank;  /**< lower ones join first; HEED_BPE_NO_RANK: a free slot */
  int32_t joined;
} heed_bpe_merge;

enum { HEED_BPE_NO_RANK = INT32_MAX };

typedef struct heed_bpe_merges {
  heed_bpe_merge *slots; /**< open addressing, at most half full */
  int32_t slots_log2;
} heed_bpe_merges;

typedef struct heed_bpe {
  heed_tokenizer base;   /**< text: vocab.json on one line, then merges.txt */
  heed_string_map names; /**< item = id */
  heed_bpe_merges merges;
  char *raw;             /**< the bytes that the tokens stand for, one behind the other */
  size_t *raw_at;        /**< [size + 1] */
  heed_string_map whole; /**< pre-tokens that become one token, its id as their value: most pre-tokens of a text are of these */
  int32_t byte_ids[256];
} heed_bpe;

static inline heed_bpe *heed_bpe_of(const heed_tokenizer *tokenizer) {
  return (heed_bpe *)(void *)(uintptr_t)tokenizer;
}

extern const heed_tokenizer_operations heed_bpe_operations;

/** Makes room for `count` merges.  Errors: HEED_FAILED when memory is short. */
heed_status heed_bpe_merges_create(heed_bpe_merges *merges, int64_t count);

/** Adds a merge.  Errors: HEED_INVALID when the pair has one already, or when too many meet in the table. */
heed_status heed_bpe_merges_add(heed_bpe_merges *merges, int32_t left, int32_t right, int32_t rank, int32_t joined);

/** The merge of a pair; NULL for none. */
static inline const heed_bpe_merge *heed_bpe_merges_find(const heed_bpe_merges *merges, int32_t left, int32_t right) {
  uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, mask = ((uint64_t)1 << merges->slots_log2) - 1;
  for (uint64_t slot = (pair * 0x9E3779B97F4A7C15u) >> (64 - merges->slots_log2);; slot = (slot + 1) & mask) {
    const heed_bpe_merge *found = &merges->slots[slot];
    if (found->rank == HEED_BPE_NO_RANK)
      return NULL;
    if (found->pair == pair)
      return found;
  }
}

/** Joins the tokens ids[0 … count) of one pre-token in place, the merge of lowest rank first, of equals the leftmost: what is left when no
 *  neighbours have a merge.  In O(count · log count).  \param[in,out] count
 *  Source: Sennrich et al. 2016, alg. 1.  Errors: HEED_FAILED when memory is short. */
heed_status heed_bpe_merge_all(const heed_bpe_merges *merges, int32_t *ids, int64_t *count);

#endif

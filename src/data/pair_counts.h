/** Adjacent pairs of pieces, how often each stands in the text and in which words: the working table of vocabulary training. */
#ifndef HEED_DATA_PAIR_COUNTS_H
#define HEED_DATA_PAIR_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct heed_pair {
  int32_t left, right;
  int64_t count; /**< occurrences in the text */
  int64_t where; /**< head of its list of words, −1 = empty */
  bool grown;    /**< in the list of those whose count has risen */
} heed_pair;

/** A word in a pair's list; a word may stand there twice, or no longer hold the pair. */
typedef struct heed_pair_place {
  int64_t next; /**< −1 = last */
  int32_t word;
} heed_pair_place;

/** A pair in the queue with the count it had then. */
typedef struct heed_pair_entry {
  int64_t count;
  int64_t pair;
} heed_pair_entry;

typedef struct heed_pair_counts {
  heed_pair *pairs;
  int64_t count, capacity;
  int64_t *slots; /**< open addressing: pair + 1, 0 = free */
  int64_t slot_count;
  heed_pair_place *places;
  int64_t place_count, place_capacity;
  int64_t *grown; /**< pairs to enter in the queue */
  int64_t grown_count, grown_capacity;
  heed_pair_entry *queue; /**< a binary heap */
  int64_t queue_count, queue_capacity;
} heed_pair_counts;

/** Adds `change` to the count of (left, right).  With `word` ≥ 0 that word is noted as a place of it, and its count as risen; without,
 *  the caller gives back no more than it took before.  False when memory is short. */
bool heed_pair_counts_add(heed_pair_counts *table, int32_t left, int32_t right, int64_t change, int32_t word);

/** Enters the pairs whose counts have risen since the last call in the queue.  False when memory is short. */
bool heed_pair_counts_enter(heed_pair_counts *table);

/** Takes the most frequent pair; of equals the one with the smallest left, then right piece.  −1 when there is none. */
int64_t heed_pair_counts_take(heed_pair_counts *table);

void heed_pair_counts_free(heed_pair_counts *table);

#endif

/* Blocks of the stream of all documents against the stream itself, laid out by hand. */
#include "data/blocks.h"

#include "data/corpus.h"
#include "test.h"

enum { SEPARATOR = 3, SHARDS = 3, GUARD = -7 };

typedef struct stream {
  heed_shard shards[SHARDS];
  int32_t *ids; /* [count + 1], the separator at the end included */
  int64_t count;
} stream;

/* Short documents, one long one, wide ids. */
static void make(stream *s) {
  static const corpus_shape shapes[SHARDS] = {
      {9, 3, 1, 4, 1000, 5, false, 1}, {1, 1, 70, 70, 1000, 5, false, 2}, {5, 2, 1, 9, 100000, 5, true, 3}};
  *s = (stream){0};
  for (int i = 0; i < SHARDS; i++) {
    s->shards[i] = corpus_shard(&shapes[i]);
    s->count += s->shards[i].token_count + s->shards[i].document_count;
  }
  s->ids = calloc((size_t)s->count + 1, sizeof *s->ids);
  int64_t at = 0;
  for (int i = 0; i < SHARDS; i++)
    for (int64_t t = 0; t < s->shards[i].token_count; t++) {
      int64_t document = corpus_document_of(&s->shards[i], t);
      if (t == 0 || document != corpus_document_of(&s->shards[i], t - 1))
        s->ids[at++] = SEPARATOR;
      s->ids[at++] = heed_shard_token(&s->shards[i], t);
    }
  s->ids[at] = SEPARATOR;
  CU_ASSERT_EQUAL_FATAL(at, s->count);
}

static void finish(stream *s) {
  for (int i = 0; i < SHARDS; i++)
    corpus_free(&s->shards[i]);
  free(s->ids);
}

/* Whether a sample is just its part of the stream, with nothing written behind it. */
static bool is_its_part(const heed_blocks *blocks, const stream *s, int64_t sample) {
  int64_t length = blocks->length, first = sample * length, left = s->count - first, want = left < length ? left : length;
  int32_t *ids = malloc((size_t)(length + 1) * sizeof *ids), *next_ids = malloc((size_t)(length + 1) * sizeof *next_ids);
  ids[want] = next_ids[want] = GUARD;
  bool same = heed_blocks_read(blocks, sample, ids, next_ids) == want && ids[want] == GUARD && next_ids[want] == GUARD;
  for (int64_t i = 0; i < want && same; i++)
    same = ids[i] == s->ids[first + i] && next_ids[i] == s->ids[first + i + 1];
  free(ids);
  free(next_ids);
  return same;
}

/* Of any length, each sample is its part of the stream, so that every token is a target once, and the end of every document; from the
 * last sample to the first, so that none leans on the one before it. */
static void every_token_is_a_target_once(void) {
  stream s;
  make(&s);
  const int64_t lengths[] = {1, 2, 3, 7, 64, 71, s.count - 1, s.count, s.count + 1, 10 * s.count};
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
    heed_blocks blocks;
    int64_t wrong = 0;
    CU_ASSERT_EQUAL_FATAL(heed_blocks_create(&blocks, s.shards, SHARDS, lengths[k], SEPARATOR), HEED_OK);
    CU_ASSERT_EQUAL(blocks.samples, (s.count + lengths[k] - 1) / lengths[k]);
    for (int64_t sample = blocks.samples - 1; sample >= 0; sample--)
      wrong += !is_its_part(&blocks, &s, sample);
    CU_ASSERT_EQUAL(wrong, 0);
    s.ids[s.count] = SEPARATOR + 1; /* the test of the test: the end of the last document */
    CU_ASSERT_FALSE(is_its_part(&blocks, &s, blocks.samples - 1));
    s.ids[s.count] = SEPARATOR;
    heed_blocks_free(&blocks);
  }
  finish(&s);
}

/* Blocks of one token begin at every place there is: the walk finds each, in any shard and at any edge. */
static void one_shard_is_the_first_part_of_more(void) {
  stream s;
  heed_blocks one, all;
  make(&s);
  CU_ASSERT_EQUAL_FATAL(heed_blocks_create(&one, s.shards, 1, 1, SEPARATOR), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_blocks_create(&all, s.shards, SHARDS, 1, SEPARATOR), HEED_OK);
  CU_ASSERT_EQUAL(one.samples, s.shards[0].token_count + s.shards[0].document_count);
  for (int64_t sample = 0; sample < one.samples; sample++) {
    int32_t a, next_a, b, next_b;
    CU_ASSERT(heed_blocks_read(&one, sample, &a, &next_a) == 1 && heed_blocks_read(&all, sample, &b, &next_b) == 1);
    CU_ASSERT(a == b && next_a == next_b); /* behind the last document of a shard comes the separator in either */
  }
  heed_blocks_free(&one);
  heed_blocks_free(&all);
  finish(&s);
}

static void data_without_text_are_refused(void) {
  heed_blocks blocks;
  CU_ASSERT_EQUAL(heed_blocks_create(&blocks, NULL, 0, 8, SEPARATOR), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "no text"));
  heed_blocks_free(&blocks);
}

HEED_TESTS({"every token is a target once", every_token_is_a_target_once},
           {"one shard is the first part of more", one_shard_is_the_first_part_of_more},
           {"data without text are refused", data_without_text_are_refused})

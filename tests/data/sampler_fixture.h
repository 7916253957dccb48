/** A tokenizer, shards and a sampler for tests of sampler and reader: nothing touches the disk. */
#ifndef HEED_TESTS_DATA_SAMPLER_FIXTURE_H
#define HEED_TESTS_DATA_SAMPLER_FIXTURE_H

#include <stdio.h>

#include "data/corpus.h"
#include "data/sampler.h"

enum { FIXTURE_WORDS = 1000, FIXTURE_PIECES = 200, FIXTURE_SPECIALS = 5, FIXTURE_V = FIXTURE_SPECIALS + FIXTURE_WORDS + FIXTURE_PIECES };

/** [PAD] [UNK] [CLS] [SEP] [MASK], w0 … w999, ##p0 … ##p199. */
static inline heed_tokenizer *fixture_tokenizer(bool cased) {
  static char text[32 * FIXTURE_V];
  size_t used = (size_t)sprintf(text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  for (int i = 0; i < FIXTURE_WORDS; i++)
    used += (size_t)sprintf(text + used, "w%d\n", i);
  for (int i = 0; i < FIXTURE_PIECES; i++)
    used += (size_t)sprintf(text + used, "##p%d\n", i);
  heed_tokenizer *tokenizer = NULL;
  return heed_tokenizer_from_text(&tokenizer, text, used, "fixture", cased) == HEED_OK ? tokenizer : NULL;
}

typedef struct fixture {
  heed_tokenizer *tokenizer;
  heed_shard shards[2];
  heed_sampler_spec spec;
} fixture;

/** Two shards, the second with wide ids; a batch of 16 rows in 8 slices of at most 64 tokens. */
static inline void fixture_make(fixture *data) {
  *data = (fixture){.tokenizer = fixture_tokenizer(false)};
  for (uint32_t s = 0; s < 2; s++) {
    corpus_shape shape = {30 + 5 * s, 20, 1, 40, FIXTURE_V, FIXTURE_SPECIALS, s == 1, 11 + s};
    data->shards[s] = corpus_shard(&shape);
    data->shards[s].vocabulary_hash = heed_tokenizer_hash(data->tokenizer);
    data->shards[s].vocabulary_size = FIXTURE_V;
  }
  data->spec = (heed_sampler_spec){.tokenizer = data->tokenizer,
                                   .objective = {.mask_probability = 0.15, .short_sequence_probability = 0.1},
                                   .sequence_length = 64,
                                   .batch_sequences = 16,
                                   .slices = 8,
                                   .seed = 1234};
}

static inline void fixture_free(fixture *data) {
  for (int s = 0; s < 2; s++)
    corpus_free(&data->shards[s]);
  heed_tokenizer_free(data->tokenizer);
}

static inline heed_sampler *fixture_sampler(const fixture *data) {
  heed_sampler *sampler = NULL;
  if (heed_sampler_create_from_shards(&sampler, &data->spec, data->shards, 2) != HEED_OK)
    fprintf(stderr, "%s\n", heed_error_text());
  return sampler;
}

/** Whether slices [first, first + count) of `part`'s source are all of `part`, byte by byte; `whole` begins at slice 0. */
static inline bool fixture_same(const heed_batch *whole, const heed_batch *part, int64_t first) {
  int64_t b = whole->slice_rows[first], t = whole->stream.slice_tokens[first], m = whole->slice_targets[first];
  const heed_stream *x = &whole->stream, *y = &part->stream;
  size_t tokens = (size_t)y->tokens, targets = (size_t)part->targets;
  bool same = whole->slice_rows[first + part->slices] - b == y->sequences &&
              whole->stream.slice_tokens[first + part->slices] - t == y->tokens &&
              whole->slice_targets[first + part->slices] - m == part->targets && part->first_row == whole->first_row + b &&
              part->data_position == whole->data_position && !memcmp(x->ids + t, y->ids, tokens * sizeof *y->ids) &&
              !memcmp(x->positions + t, y->positions, tokens * sizeof *y->positions) &&
              !memcmp(x->token_types + t, y->token_types, tokens * sizeof *y->token_types) &&
              !memcmp(whole->target_ids + m, part->target_ids, targets * sizeof *part->target_ids) &&
              !memcmp(whole->target_is_mask + m, part->target_is_mask, targets * sizeof *part->target_is_mask);
  for (int64_t i = 0; i < y->tokens; i++)
    same = same && x->sequence_of[t + i] - b == y->sequence_of[i];
  for (int64_t i = 0; i <= y->sequences; i++)
    same = same && x->offsets[b + i] - t == y->offsets[i];
  for (int64_t i = 0; i < part->targets; i++)
    same = same && whole->target_tokens[m + i] - t == part->target_tokens[i];
  for (int64_t g = 0; g <= part->slices; g++)
    same = same && whole->slice_rows[first + g] - b == part->slice_rows[g] &&
           whole->stream.slice_tokens[first + g] - t == part->stream.slice_tokens[g] &&
           whole->slice_targets[first + g] - m == part->slice_targets[g];
  if (part->next_sentence && y->sequences > 0)
    same = same && !memcmp(whole->next_sentence + b, part->next_sentence, (size_t)y->sequences * sizeof *part->next_sentence);
  return same;
}

#endif

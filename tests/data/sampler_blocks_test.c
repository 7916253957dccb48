/* The sampler where next tokens are predicted: blocks in the place of segments, the rest as with masks. */
#include "data/sampler.h"

#include "data/sampler_fixture.h"
#include "test.h"

enum { SEPARATE = 3, ROWS = 16, SLICES = 8, LENGTH = 64 };

static void make(fixture *data, bool evaluation) {
  fixture_make(data);
  data->spec.objective.predict = HEED_PREDICT_NEXT_TOKEN;
  data->spec.evaluation = evaluation;
}

static int64_t stream_tokens(const fixture *data) {
  return data->shards[0].token_count + data->shards[0].document_count + data->shards[1].token_count + data->shards[1].document_count;
}

/* What each batch keeps: every token a target, in order, none shown as a mask; places from 0; the next token of a row is its target. */
static void check_batch(const heed_batch *batch) {
  const heed_stream *stream = &batch->stream;
  int64_t wrong = batch->targets != stream->tokens || batch->next_sentence != NULL;
  for (int64_t t = 0; t < stream->tokens; t++) {
    int64_t b = stream->sequence_of[t];
    bool last = t + 1 == stream->offsets[b + 1];
    wrong += stream->positions[t] != t - stream->offsets[b] || stream->token_types[t] != 0;
    wrong += batch->target_tokens[t] != t || batch->target_is_mask[t] || (!last && batch->target_ids[t] != stream->ids[t + 1]);
  }
  for (int64_t g = 0; g <= batch->slices; g++)
    wrong += stream->slice_tokens[g] != stream->offsets[batch->slice_rows[g]] || batch->slice_targets[g] != stream->slice_tokens[g];
  CU_ASSERT_EQUAL(wrong, 0);
}

static void any_rank_makes_any_row(void) {
  fixture data;
  heed_batch whole, part;
  make(&data, false);
  heed_sampler *sampler = fixture_sampler(&data), *fresh = fixture_sampler(&data);
  CU_ASSERT_FATAL(sampler && fresh && heed_sampler_create_batch(sampler, &whole, SLICES) == HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_sampler_create_batch(fresh, &part, 4), HEED_OK);
  CU_ASSERT_EQUAL(heed_sampler_most_targets(sampler, ROWS), ROWS * LENGTH);
  for (uint32_t position = 0; position < 40; position++) {
    heed_sampler_read(sampler, &whole, position, 0, SLICES);
    check_batch(&whole);
    CU_ASSERT_EQUAL(whole.stream.sequences, ROWS);
    heed_sampler_read(fresh, &part, position, 2, 1);
    CU_ASSERT(fixture_same(&whole, &part, 2));
    heed_sampler_read(fresh, &part, position, 4, 4);
    CU_ASSERT(fixture_same(&whole, &part, 4));
    CU_ASSERT_FALSE(fixture_same(&whole, &part, 0)); /* the comparison can fail */
  }
  heed_sampler_read(sampler, &whole, 1000003, 0, SLICES); /* a place far on costs nothing */
  heed_sampler_read(fresh, &part, 1000003, 4, 4);
  CU_ASSERT(fixture_same(&whole, &part, 4));
  heed_batch_free(&whole);
  heed_batch_free(&part);
  heed_sampler_free(sampler);
  heed_sampler_free(fresh);
  fixture_free(&data);
}

/* How often each id is a target in the rows of `epochs` epochs; the order is hashed. */
static uint64_t count_targets(fixture *data, uint32_t seed, int64_t epochs, int64_t *counts) {
  heed_batch batch;
  data->spec.seed = seed;
  data->spec.batch_sequences = data->spec.slices = 1; /* so that an epoch is a whole number of batches */
  heed_sampler *sampler = fixture_sampler(data);
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, 1) == HEED_OK);
  CU_ASSERT_EQUAL(heed_sampler_samples(sampler), (stream_tokens(data) + LENGTH - 1) / LENGTH);
  uint64_t hash = 0;
  for (int64_t n = 0; n < epochs * heed_sampler_samples(sampler); n++) {
    heed_sampler_read(sampler, &batch, (uint32_t)n, 0, 1);
    for (int64_t m = 0; m < batch.targets; m++) {
      counts[batch.target_ids[m]]++;
      hash = hash * 31 + (uint64_t)batch.target_ids[m];
    }
  }
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  return hash;
}

static void every_token_once_an_epoch(void) {
  fixture data;
  int64_t want[FIXTURE_V] = {0}, got[FIXTURE_V] = {0}, twice[FIXTURE_V] = {0}, other[FIXTURE_V] = {0};
  make(&data, false);
  for (int s = 0; s < 2; s++) {
    for (int64_t t = 0; t < data.shards[s].token_count; t++)
      want[heed_shard_token(&data.shards[s], t)]++;
    want[SEPARATE] += data.shards[s].document_count;
  }
  uint64_t hash = count_targets(&data, 1, 1, got);
  CU_ASSERT_EQUAL(memcmp(want, got, sizeof want), 0);
  count_targets(&data, 1, 2, twice);
  for (int v = 0; v < FIXTURE_V; v++)
    CU_ASSERT_EQUAL_FATAL(twice[v], 2 * want[v]);
  CU_ASSERT(hash != count_targets(&data, 2, 1, other)); /* another seed, another order of the same */
  CU_ASSERT_EQUAL(memcmp(want, other, sizeof want), 0);
  fixture_free(&data);
}

/* In evaluation the stream is read from its begin to its end, once, whatever batch and seed. */
static void evaluation_follows_the_data(void) {
  static const int64_t shapes[][2] = {{16, 8}, {7, 1}, {64, 4}};
  uint64_t first = 0;
  for (size_t k = 0; k < 3; k++) {
    fixture data;
    heed_batch batch;
    make(&data, true);
    data.spec.batch_sequences = shapes[k][0];
    data.spec.slices = shapes[k][1];
    data.spec.seed = (uint32_t)k;
    heed_sampler *sampler = fixture_sampler(&data);
    CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, data.spec.slices) == HEED_OK);
    int64_t tokens = 0, document = -1, place = 0, wrong = 0;
    uint64_t hash = 0;
    for (uint32_t n = 0; n <= heed_sampler_samples(sampler) / shapes[k][0] + 1; n++) {
      heed_sampler_read(sampler, &batch, n, 0, data.spec.slices);
      check_batch(&batch);
      for (int64_t t = 0; t < batch.stream.tokens; t++, tokens++) {
        int32_t id = batch.stream.ids[t];
        hash = hash * 31 + (uint64_t)id;
        document += id == SEPARATE;
        bool second = document >= data.shards[0].document_count;
        if (id != SEPARATE)
          wrong += id != heed_shard_token(&data.shards[second], second ? place - data.shards[0].token_count : place);
        place += id != SEPARATE;
      }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(tokens, stream_tokens(&data));
    first = k == 0 ? hash : first;
    CU_ASSERT_EQUAL(hash, first);
    heed_batch_free(&batch);
    heed_sampler_free(sampler);
    fixture_free(&data);
  }
}

/* A row may be a single token; [CLS] and [SEP] need no room. */
static void short_rows_are_possible(void) {
  fixture data;
  make(&data, false);
  data.spec.sequence_length = 1;
  heed_sampler *sampler = fixture_sampler(&data);
  CU_ASSERT_PTR_NOT_NULL_FATAL(sampler);
  CU_ASSERT_EQUAL(heed_sampler_samples(sampler), stream_tokens(&data));
  heed_sampler_free(sampler);
  data.spec.sequence_length = 0;
  CU_ASSERT_EQUAL(heed_sampler_create_from_shards(&sampler, &data.spec, data.shards, 2), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "sequence_length"));
  fixture_free(&data);
}

HEED_TESTS({"any rank makes any row", any_rank_makes_any_row}, {"every token once an epoch", every_token_once_an_epoch},
           {"evaluation follows the data", evaluation_follows_the_data}, {"short rows are possible", short_rows_are_possible})

#include "data/sampler.h"

#include <math.h>
#include <unistd.h>

#include "data/sampler_fixture.h"
#include "data/shard_writer.h"
#include "test.h"

enum { CLASSIFY = 2, SEPARATE = 3, MASK = 4 };

/* The batch's ids as they were before masking. */
static int32_t *unmasked(const heed_batch *batch) {
  int32_t *ids = malloc(((size_t)batch->stream.tokens + 1) * sizeof *ids);
  memcpy(ids, batch->stream.ids, (size_t)batch->stream.tokens * sizeof *ids);
  for (int64_t m = 0; m < batch->targets; m++)
    ids[batch->target_tokens[m]] = batch->target_ids[m];
  return ids;
}

/* What each batch keeps: rows [CLS] A [SEP] (B [SEP]), positions, types, arrays of slices that tile the rows, ordered targets. */
static void check_batch(const heed_batch *batch, int64_t sequence_length) {
  const heed_stream *stream = &batch->stream;
  int32_t *ids = unmasked(batch);
  int64_t wrong = 0;
  for (int64_t b = 0; b < stream->sequences; b++) {
    int64_t first = stream->offsets[b], length = stream->offsets[b + 1] - first, separators = 0;
    CU_ASSERT_FATAL(length >= 3 && length <= sequence_length);
    wrong += ids[first] != CLASSIFY || ids[first + length - 1] != SEPARATE;
    for (int64_t t = 0; t < length; t++) {
      wrong += stream->positions[first + t] != t || stream->sequence_of[first + t] != b || stream->token_types[first + t] != separators;
      separators += ids[first + t] == SEPARATE;
    }
    wrong += separators != (batch->next_sentence ? 2 : 1);
  }
  for (int64_t m = 0; m < batch->targets; m++) {
    int64_t token = batch->target_tokens[m];
    wrong += m > 0 && batch->target_tokens[m - 1] >= token;
    wrong += ids[token] < FIXTURE_SPECIALS || batch->target_is_mask[m] != (stream->ids[token] == MASK);
  }
  for (int64_t g = 0; g <= batch->slices; g++) {
    wrong += batch->stream.slice_tokens[g] != stream->offsets[batch->slice_rows[g]];
    for (int64_t m = g < batch->slices ? batch->slice_targets[g] : batch->targets; g < batch->slices && m < batch->slice_targets[g + 1];
         m++)
      wrong += batch->target_tokens[m] < batch->stream.slice_tokens[g] || batch->target_tokens[m] >= batch->stream.slice_tokens[g + 1];
  }
  wrong += batch->slice_rows[batch->slices] != stream->sequences || batch->slice_targets[batch->slices] != batch->targets;
  CU_ASSERT_EQUAL(wrong, 0);
  free(ids);
}

static void any_rank_makes_any_row(void) {
  fixture data;
  fixture_make(&data);
  for (int k = 0; k < 4; k++) {
    data.spec.objective.next_sentence = k & 1;
    data.spec.objective.whole_word = k & 1;
    data.spec.objective.masking = k & 2 ? HEED_MASKING_INDEPENDENT : HEED_MASKING_FIXED;
    heed_sampler *sampler = fixture_sampler(&data);
    heed_batch whole, part;
    CU_ASSERT_FATAL(sampler != NULL);
    CU_ASSERT_FATAL(heed_sampler_create_batch(sampler, &whole, 8) == HEED_OK);
    CU_ASSERT_FATAL(heed_sampler_create_batch(sampler, &part, 4) == HEED_OK);
    for (uint32_t position = 0; position < 40; position++) {
      heed_sampler_read(sampler, &whole, position, 0, 8);
      check_batch(&whole, 64);
      CU_ASSERT_EQUAL(whole.stream.sequences, 16);
      heed_sampler_read(sampler, &part, position, 2, 1);
      CU_ASSERT(fixture_same(&whole, &part, 2));
      heed_sampler_read(sampler, &part, position, 4, 4);
      CU_ASSERT(fixture_same(&whole, &part, 4));
      CU_ASSERT_FALSE(fixture_same(&whole, &part, 0)); /* the comparison can fail */
    }
    heed_batch_free(&whole);
    heed_batch_free(&part);
    heed_sampler_free(sampler);
  }
  fixture_free(&data);
}

/* 37 documents of one sentence each: the first word names the sample. */
static heed_sampler *sampler_of_37(fixture *data, heed_shard *shard, uint32_t seed) {
  corpus_shape shape = {37, 1, 12, 12, FIXTURE_V, FIXTURE_SPECIALS, false, 1};
  fixture_make(data);
  *shard = corpus_shard(&shape);
  shard->vocabulary_hash = heed_tokenizer_hash(data->tokenizer);
  shard->vocabulary_size = FIXTURE_V;
  for (int64_t d = 0; d < 37; d++)
    ((uint16_t *)(uintptr_t)shard->tokens)[12 * d] = (uint16_t)(FIXTURE_SPECIALS + d);
  data->spec.seed = seed;
  heed_sampler *sampler = NULL;
  CU_ASSERT_FATAL(heed_sampler_create_from_shards(&sampler, &data->spec, shard, 1) == HEED_OK);
  return sampler;
}

enum { EPOCHS = 16 }; /* 37 · 16 rows are 37 batches */

/* The samples of 16 epochs in order. */
static void list_samples(uint32_t seed, int64_t samples[37 * EPOCHS]) {
  fixture data;
  heed_shard shard;
  heed_batch batch;
  heed_sampler *sampler = sampler_of_37(&data, &shard, seed);
  CU_ASSERT_EQUAL(heed_sampler_samples(sampler), 37);
  CU_ASSERT_FATAL(heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
  for (uint32_t n = 0; n < 37; n++) {
    heed_sampler_read(sampler, &batch, n, 0, 8);
    int32_t *ids = unmasked(&batch);
    for (int64_t b = 0; b < 16; b++)
      samples[n * 16 + b] = ids[batch.stream.offsets[b] + 1] - FIXTURE_SPECIALS;
    free(ids);
  }
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  corpus_free(&shard);
  fixture_free(&data);
}

static void each_sample_once_an_epoch(void) {
  int64_t samples[37 * EPOCHS], others[37 * EPOCHS], alike = 0, as_before = 0;
  list_samples(1, samples);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    int count[37] = {0};
    for (int i = 0; i < 37; i++) {
      count[samples[epoch * 37 + i]]++;
      as_before += epoch > 0 && samples[epoch * 37 + i] == samples[epoch * 37 - 37 + i];
    }
    for (int i = 0; i < 37; i++)
      CU_ASSERT_EQUAL(count[i], 1);
  }
  list_samples(2, others);
  for (int i = 0; i < 37 * EPOCHS; i++)
    alike += samples[i] == others[i];
  CU_ASSERT(as_before < 45); /* about one an epoch */
  CU_ASSERT(alike < 45);
}

/* The masks of a sample change from epoch to epoch, and with the seed. */
static void masks_change(void) {
  fixture data;
  heed_shard shard;
  heed_batch batch;
  heed_sampler *sampler = sampler_of_37(&data, &shard, 1);
  CU_ASSERT_FATAL(heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
  int places[16] = {0}, used = 0;
  for (uint32_t n = 0; n < 200; n++) {
    heed_sampler_read(sampler, &batch, n, 0, 8);
    int32_t *ids = unmasked(&batch);
    for (int64_t m = 0; m < batch.targets; m++) {
      int64_t row = batch.stream.sequence_of[batch.target_tokens[m]];
      if (ids[batch.stream.offsets[row] + 1] == FIXTURE_SPECIALS)
        places[batch.stream.positions[batch.target_tokens[m]]]++;
    }
    free(ids);
  }
  for (int t = 0; t < 16; t++)
    used += places[t] > 0;
  CU_ASSERT_EQUAL(used, 12);
  CU_ASSERT_EQUAL(places[0] + places[13], 0);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  corpus_free(&shard);
  fixture_free(&data);
}

/* One sample, so one order: what differs between seeds is the masks. */
static void masks_differ_by_seed(void) {
  fixture data;
  corpus_shape shape = {1, 1, 60, 60, FIXTURE_V, FIXTURE_SPECIALS, false, 1};
  heed_shard shard = corpus_shard(&shape);
  heed_batch batch[3];
  fixture_make(&data);
  shard.vocabulary_hash = heed_tokenizer_hash(data.tokenizer);
  shard.vocabulary_size = FIXTURE_V;
  for (uint32_t i = 0; i < 3; i++) {
    heed_sampler *sampler = NULL;
    data.spec.seed = i / 2;
    CU_ASSERT_FATAL(heed_sampler_create_from_shards(&sampler, &data.spec, &shard, 1) == HEED_OK);
    CU_ASSERT_FATAL(heed_sampler_create_batch(sampler, &batch[i], 8) == HEED_OK);
    heed_sampler_read(sampler, &batch[i], 5, 0, 8);
    heed_sampler_free(sampler);
  }
  CU_ASSERT(fixture_same(&batch[0], &batch[1], 0));
  CU_ASSERT_FALSE(fixture_same(&batch[0], &batch[2], 0));
  for (int i = 0; i < 3; i++)
    heed_batch_free(&batch[i]);
  corpus_free(&shard);
  fixture_free(&data);
}

/* A fresh sampler at position 1,000,003 gives what one gives that has read all before it. */
static void resume_costs_nothing(void) {
  fixture data;
  fixture_make(&data);
  heed_sampler *old = fixture_sampler(&data), *fresh = fixture_sampler(&data);
  heed_batch a, b;
  CU_ASSERT_FATAL(old && fresh && heed_sampler_create_batch(old, &a, 8) == HEED_OK && heed_sampler_create_batch(fresh, &b, 8) == HEED_OK);
  for (uint32_t n = 1000000; n <= 1000003; n++)
    heed_sampler_read(old, &a, n, 0, 8);
  heed_sampler_read(fresh, &b, 1000003, 0, 8);
  CU_ASSERT(fixture_same(&a, &b, 0));
  heed_sampler_read(fresh, &b, 1000004, 0, 8);
  CU_ASSERT_FALSE(fixture_same(&a, &b, 0));
  heed_batch_free(&a);
  heed_batch_free(&b);
  heed_sampler_free(old);
  heed_sampler_free(fresh);
  fixture_free(&data);
}

static void pair_rows(void) {
  fixture data;
  fixture_make(&data);
  data.spec.objective.next_sentence = true;
  heed_sampler *sampler = fixture_sampler(&data);
  heed_batch batch;
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
  double random = 0, rows = 0;
  CU_ASSERT_PTR_NOT_NULL_FATAL(batch.next_sentence);
  for (uint32_t n = 0; n < 100; n++) {
    heed_sampler_read(sampler, &batch, n, 0, 8);
    check_batch(&batch, 64);
    for (int64_t b = 0; b < 16; b++, rows++)
      random += batch.next_sentence[b];
  }
  /* Half of the pairs, and all that have one sentence: with sentences of up to 40 of 61 tokens these are many. */
  CU_ASSERT(random / rows > 0.45 && random / rows < 0.85);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

typedef struct evaluated {
  int64_t rows, tokens, targets;
  uint64_t hash; /* of (sample, place, original, shown) of all targets, in order */
} evaluated;

static evaluated evaluate(fixture *data, int64_t batch_sequences, int64_t slices, uint32_t seed) {
  evaluated sum = {0};
  data->spec.batch_sequences = batch_sequences;
  data->spec.slices = slices;
  data->spec.seed = seed;
  heed_sampler *sampler = fixture_sampler(data);
  heed_batch batch;
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, slices) == HEED_OK);
  int64_t samples = heed_sampler_samples(sampler);
  for (uint32_t n = 0; n < (uint32_t)(samples / batch_sequences) + 3; n++) {
    heed_sampler_read(sampler, &batch, n, 0, slices);
    check_batch(&batch, 64);
    int64_t left = samples - n * batch_sequences, expected = left < 0 ? 0 : left < batch_sequences ? left : batch_sequences;
    CU_ASSERT_EQUAL(batch.stream.sequences, expected);
    for (int64_t m = 0; m < batch.targets; m++) {
      int64_t token = batch.target_tokens[m], sample = n * batch_sequences + batch.stream.sequence_of[token];
      uint64_t fact = (uint64_t)sample * 1000003 + (uint64_t)batch.stream.positions[token];
      fact = fact * 1000003 + (uint64_t)batch.target_ids[m] * 65536 + (uint64_t)batch.stream.ids[token];
      sum.hash = sum.hash * 31 + fact;
    }
    sum.rows += batch.stream.sequences;
    sum.tokens += batch.stream.tokens;
    sum.targets += batch.targets;
  }
  CU_ASSERT_EQUAL(sum.rows, samples);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  return sum;
}

static void evaluation(void) {
  fixture data;
  fixture_make(&data);
  data.spec.evaluation = true;
  for (int pairs = 0; pairs < 2; pairs++) {
    data.spec.objective.next_sentence = pairs;
    evaluated a = evaluate(&data, 16, 8, 1), others[] = {evaluate(&data, 16, 8, 99), evaluate(&data, 7, 1, 1), evaluate(&data, 64, 4, 5)};
    for (int i = 0; i < 3; i++)
      CU_ASSERT(a.hash == others[i].hash && a.targets == others[i].targets && a.tokens == others[i].tokens);
    CU_ASSERT(a.targets > a.rows);
    data.spec.objective.short_sequence_probability = 0.9; /* no short rows in evaluation */
    CU_ASSERT(evaluate(&data, 16, 8, 1).hash == a.hash);
    int64_t text = data.shards[0].token_count + data.shards[1].token_count;
    CU_ASSERT(pairs || a.tokens == text + 2 * a.rows); /* each token of the data is looked at once */
  }
  fixture_free(&data);
}

/* In evaluation samples come in the order of the data: shard by shard, token by token. */
static void order_of_the_data(void) {
  fixture data;
  fixture_make(&data);
  data.spec.evaluation = true;
  heed_sampler *sampler = fixture_sampler(&data);
  heed_batch batch;
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
  int64_t next = 0, wrong = 0;
  for (uint32_t n = 0; n <= (uint32_t)(heed_sampler_samples(sampler) / 16); n++) {
    heed_sampler_read(sampler, &batch, n, 0, 8);
    int32_t *ids = unmasked(&batch);
    for (int64_t t = 0; t < batch.stream.tokens; t++) {
      if (ids[t] == CLASSIFY || ids[t] == SEPARATE)
        continue;
      bool second = next >= data.shards[0].token_count;
      wrong += ids[t] != heed_shard_token(&data.shards[second], second ? next - data.shards[0].token_count : next);
      next++;
    }
    free(ids);
  }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT_EQUAL(next, data.shards[0].token_count + data.shards[1].token_count);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

static void bound_of_targets(void) {
  fixture data;
  fixture_make(&data);
  data.spec.objective.short_sequence_probability = 0;
  static const struct {
    heed_masking masking;
    double probability;
    int64_t bound, expected;
  } cases[] = {{HEED_MASKING_FIXED, 0.15, 0, 10},
               {HEED_MASKING_FIXED, 0.15, 4, 4},
               {HEED_MASKING_INDEPENDENT, 1, 0, 62},
               {HEED_MASKING_INDEPENDENT, 1, 9, 9}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data.spec.objective.masking = cases[i].masking;
    data.spec.objective.mask_probability = cases[i].probability;
    data.spec.objective.max_predictions = cases[i].bound;
    heed_sampler *sampler = fixture_sampler(&data);
    heed_batch batch;
    int64_t most = 0;
    CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
    CU_ASSERT_EQUAL(heed_sampler_most_targets(sampler, 16), 16 * cases[i].expected);
    for (uint32_t n = 0; n < 50; n++) {
      heed_sampler_read(sampler, &batch, n, 0, 8);
      for (int64_t b = 0, m = 0; b < 16; b++) {
        int64_t first = m;
        while (m < batch.targets && batch.stream.sequence_of[batch.target_tokens[m]] == b)
          m++;
        most = m - first > most ? m - first : most;
      }
    }
    CU_ASSERT_EQUAL(most, cases[i].expected);
    heed_batch_free(&batch);
    heed_sampler_free(sampler);
  }
  fixture_free(&data);
}

static bool refused_with(const fixture *data, const char *word) {
  heed_sampler *sampler = NULL;
  heed_status status = heed_sampler_create_from_shards(&sampler, &data->spec, data->shards, 2);
  heed_sampler_free(sampler);
  return status == HEED_INVALID && !sampler && strstr(heed_error_text(), word);
}

static void refusals(void) {
  fixture data;
  fixture_make(&data);
  data.shards[1].vocabulary_hash++;
  CU_ASSERT(refused_with(&data, "another vocabulary"));
  CU_ASSERT(refused_with(&data, "memory.h5"));
  data.shards[1].vocabulary_hash--;
  data.shards[1].vocabulary_size++;
  CU_ASSERT(refused_with(&data, "another vocabulary"));
  data.shards[1].vocabulary_size--;
  data.shards[1].cased = true;
  CU_ASSERT(refused_with(&data, "alike"));
  data.shards[0].cased = true;
  CU_ASSERT(refused_with(&data, "--cased"));
  data.shards[0].cased = data.shards[1].cased = false;
  data.spec.sequence_length = 2;
  CU_ASSERT(refused_with(&data, "sequence_length"));
  data.spec.sequence_length = 4;
  data.spec.objective.next_sentence = true;
  CU_ASSERT(refused_with(&data, "sequence_length"));
  data.spec.sequence_length = 64;
  data.spec.slices = 5;
  CU_ASSERT(refused_with(&data, "slices"));
  fixture_free(&data);
}

static void write_shard(const char *path, const heed_tokenizer *tokenizer, int32_t first) {
  heed_shard_writer *writer = NULL;
  CU_ASSERT_FATAL(heed_shard_writer_create(&writer, path, tokenizer) == HEED_OK);
  for (int32_t d = 0; d < 3; d++) {
    int32_t ids[] = {first + d, 50, 51, 52};
    CU_ASSERT_FATAL(heed_shard_writer_sentence(writer, ids, 4) == HEED_OK && heed_shard_writer_document(writer) == HEED_OK);
  }
  CU_ASSERT_FATAL(heed_shard_writer_finish(writer) == HEED_OK);
  heed_shard_writer_free(writer);
}

/* Files and globs, in their order; a glob's files sorted by name, whatever the order of the folder. */
static void files_and_globs(void) {
  enum { FILES = 7 };
  static const char *const stems[FILES] = {"zero", "part-4", "part-2", "part-6", "part-1", "part-5", "part-3"};
  char folder[] = "/tmp/heed-sampler-XXXXXX", names[FILES][64], glob[64], nothing[64];
  CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
  fixture data;
  fixture_make(&data);
  for (int i = 0; i < FILES; i++) {
    snprintf(names[i], sizeof names[i], "%s/%s.h5", folder, stems[i]);
    write_shard(names[i], data.tokenizer, 100 * (i == 0 ? 1 : stems[i][5] - '0' + 1));
  }
  snprintf(glob, sizeof glob, "%s/part-*.h5", folder);
  snprintf(nothing, sizeof nothing, "%s/none-*.h5", folder);
  const char *paths[] = {names[0], glob}, *bad[] = {glob, nothing};
  data.spec.paths = paths;
  data.spec.path_count = 2;
  data.spec.evaluation = true;
  data.spec.batch_sequences = 24;
  heed_sampler *sampler = NULL;
  heed_batch batch;
  bool cased = true;
  CU_ASSERT_FATAL(heed_sampler_create(&sampler, &data.spec) == HEED_OK && heed_sampler_create_batch(sampler, &batch, 8) == HEED_OK);
  heed_sampler_read(sampler, &batch, 0, 0, 8);
  int32_t *ids = unmasked(&batch);
  CU_ASSERT_EQUAL_FATAL(batch.stream.sequences, 3 * FILES);
  for (int b = 0; b < 3 * FILES; b++)
    CU_ASSERT_EQUAL(ids[batch.stream.offsets[b] + 1], 100 * (b / 3 + 1) + b % 3);
  free(ids);
  CU_ASSERT(heed_sampler_casing(paths, 2, &cased) == HEED_OK && !cased);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  data.spec.paths = bad;
  CU_ASSERT(heed_sampler_create(&sampler, &data.spec) == HEED_INVALID && sampler == NULL && strstr(heed_error_text(), "none-*.h5"));
  data.spec.path_count = 0;
  CU_ASSERT_EQUAL(heed_sampler_create(&sampler, &data.spec), HEED_INVALID);
  for (int i = 0; i < FILES; i++)
    unlink(names[i]);
  rmdir(folder);
  fixture_free(&data);
}

HEED_TESTS({"any rank makes any row", any_rank_makes_any_row}, {"each sample once an epoch", each_sample_once_an_epoch},
           {"masks change from epoch to epoch", masks_change}, {"masks differ by seed", masks_differ_by_seed},
           {"a resume costs nothing", resume_costs_nothing}, {"pairs", pair_rows},
           {"evaluation: the same whatever seed and batch", evaluation}, {"evaluation: the order of the data", order_of_the_data},
           {"the bound of targets is true and reached", bound_of_targets}, {"what is refused", refusals},
           {"files and globs", files_and_globs})

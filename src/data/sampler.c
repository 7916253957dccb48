#include "data/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/blocks.h"
#include "data/draws.h"
#include "data/masking.h"
#include "data/permutation.h"
#include "data/segments.h"
#include "data/shard_list.h"

struct heed_sampler {
  heed_shard_list owned;    /* shards this sampler opened itself */
  const heed_shard *shards; /* owned.items, or the caller's */
  heed_predict predict;
  uint64_t data_hash;
  int64_t samples;
  heed_blocks blocks;     /* of next tokens */
  heed_segments segments; /* of masked tokens, with the rule that masks them */
  heed_mask_rule rule;
  uint8_t *kinds; /* [vocabulary_size], rule.kinds */
  heed_special_tokens special;
  int64_t sequence_length, batch_sequences, slices;
  uint32_t seed;
  bool evaluation;
};

/* [CLS] A [SEP], or [CLS] A [SEP] B [SEP] */
static int64_t specials_of(bool pairs) {
  return pairs ? 3 : 2;
}

static heed_status check_spec(const heed_sampler_spec *spec) {
  bool pairs = spec->objective.next_sentence, masked = spec->objective.predict == HEED_PREDICT_MASKED;
  int64_t least = masked ? specials_of(pairs) + (pairs ? 2 : 1) : 1;
  if (spec->sequence_length < least || spec->sequence_length > INT32_MAX)
    return heed_error(HEED_INVALID, "train.sequence_length: %lld is not possible; a row %s needs at least %lld tokens",
                      (long long)spec->sequence_length, pairs ? "of two segments" : "with [CLS] and [SEP]", (long long)least);
  if (spec->slices < 1 || spec->batch_sequences < spec->slices || spec->batch_sequences % spec->slices != 0)
    return heed_error(HEED_INVALID, "train.batch_sequences: %lld is not a multiple of train.slices: %lld", (long long)spec->batch_sequences,
                      (long long)spec->slices);
  return HEED_OK;
}

/* A shard says what it was made with; another vocabulary would give the ids other meanings. */
static heed_status check_shards(const heed_sampler_spec *spec, const heed_shard *shards, int64_t count) {
  bool cased = heed_tokenizer_is_cased(spec->tokenizer);
  uint64_t hash = heed_tokenizer_hash(spec->tokenizer);
  int64_t size = heed_tokenizer_size(spec->tokenizer);
  const char *kind = heed_tokenizer_kind_name(spec->tokenizer);
  for (int64_t s = 0; s < count; s++) {
    if (strcmp(shards[s].tokenizer, kind) != 0)
      return heed_error(HEED_INVALID, "%s holds %s tokens, the vocabulary is %s: run `heed prepare` again with this one", shards[s].path,
                        shards[s].tokenizer, kind);
    if (shards[s].cased != cased && s > 0 && shards[0].cased == cased)
      return heed_error(HEED_INVALID, "%s is %s, but %s is %s; prepare all shards of a run alike", shards[s].path,
                        shards[s].cased ? "cased" : "uncased", shards[0].path, cased ? "cased" : "uncased");
    if (shards[s].cased != cased)
      return heed_error(HEED_INVALID, "%s was prepared %s --cased, but what it goes with is %s: run `heed prepare` again %s --cased",
                        shards[s].path, cased ? "without" : "with", cased ? "cased" : "uncased", cased ? "with" : "without");
    if (shards[s].vocabulary_hash != hash || shards[s].vocabulary_size != size)
      return heed_error(
          HEED_INVALID,
          "%s was prepared with another vocabulary (%lld tokens, hash %016llx) than this one (%lld tokens, hash %016llx); name "
          "the vocabulary it was made with, or run `heed prepare` again with this one",
          shards[s].path, (long long)shards[s].vocabulary_size, (unsigned long long)shards[s].vocabulary_hash, (long long)size,
          (unsigned long long)hash);
  }
  return HEED_OK;
}

static heed_status list_kinds(heed_sampler *sampler, const heed_tokenizer *tokenizer) {
  int64_t size = heed_tokenizer_size(tokenizer);
  sampler->kinds = calloc((size_t)size, sizeof *sampler->kinds);
  if (!sampler->kinds)
    return heed_error(HEED_FAILED, "out of memory for the kinds of %lld tokens", (long long)size);
  for (int32_t id = 0; id < size; id++)
    sampler->kinds[id] = (uint8_t)((heed_tokenizer_is_special(tokenizer, id) ? HEED_TOKEN_SPECIAL : 0) |
                                   (heed_tokenizer_is_continuation(tokenizer, id) ? HEED_TOKEN_CONTINUATION : 0));
  return HEED_OK;
}

/* [CLS] A [SEP] with [MASK] in it is what rows are made of. */
static heed_status check_special(const heed_tokenizer *tokenizer) {
  const heed_special_tokens *special = heed_tokenizer_special(tokenizer);
  if (special->classify >= 0 && special->separate >= 0 && special->mask >= 0)
    return HEED_OK;
  return heed_error(HEED_INVALID,
                    "objective.predict: masked needs [CLS], [SEP] and [MASK], which a vocabulary of kind %s does not have; take WordPiece",
                    heed_tokenizer_kind_name(tokenizer));
}

static heed_status fill_segments(heed_sampler *sampler, const heed_sampler_spec *spec, int64_t count) {
  const heed_objective_config *objective = &spec->objective;
  HEED_TRY(check_special(spec->tokenizer));
  HEED_TRY(list_kinds(sampler, spec->tokenizer));
  sampler->rule = (heed_mask_rule){.masking = objective->masking,
                                   .probability = objective->mask_probability,
                                   .max_predictions = objective->max_predictions,
                                   .whole_word = objective->whole_word,
                                   .vocabulary_size = heed_tokenizer_size(spec->tokenizer),
                                   .kinds = sampler->kinds,
                                   .mask = sampler->special.mask};
  heed_segments_rule rule = {.room = spec->sequence_length - specials_of(objective->next_sentence),
                             .short_probability = spec->evaluation ? 0 : objective->short_sequence_probability,
                             .pairs = objective->next_sentence,
                             .seed = sampler->seed};
  return heed_segments_create(&sampler->segments, sampler->shards, count, &rule);
}

static heed_status fill_sampler(heed_sampler *sampler, const heed_sampler_spec *spec, const heed_shard *shards, int64_t count) {
  const heed_objective_config *objective = &spec->objective;
  HEED_TRY(check_spec(spec));
  HEED_TRY(check_shards(spec, shards, count));
  sampler->shards = shards;
  for (int64_t s = 0; s < count; s++)
    sampler->data_hash = heed_hash((uint64_t[]){sampler->data_hash, shards[s].content_hash}, 2 * sizeof sampler->data_hash);
  sampler->special = *heed_tokenizer_special(spec->tokenizer);
  sampler->sequence_length = spec->sequence_length;
  sampler->batch_sequences = spec->batch_sequences;
  sampler->slices = spec->slices;
  sampler->seed = spec->evaluation ? 0 : spec->seed;
  sampler->evaluation = spec->evaluation;
  sampler->predict = objective->predict;
  heed_status status = objective->predict == HEED_PREDICT_MASKED
                           ? fill_segments(sampler, spec, count)
                           : heed_blocks_create(&sampler->blocks, shards, count, spec->sequence_length, sampler->special.separate);
  sampler->samples = objective->predict == HEED_PREDICT_MASKED ? sampler->segments.samples : sampler->blocks.samples;
  return status;
}

heed_status heed_sampler_create_from_shards(heed_sampler **sampler, const heed_sampler_spec *spec, const heed_shard *shards,
                                            int64_t count) {
  *sampler = NULL;
  heed_sampler *made = calloc(1, sizeof *made);
  if (!made)
    return heed_error(HEED_FAILED, "out of memory for the sampler");
  heed_status status = fill_sampler(made, spec, shards, count);
  if (status == HEED_OK)
    *sampler = made;
  else
    heed_sampler_free(made);
  return status;
}

heed_sampler_spec heed_sampler_spec_of(const heed_config *config, const heed_tokenizer *tokenizer, bool evaluation) {
  const heed_data_config *data = &config->data;
  return (heed_sampler_spec){.paths = (const char *const *)(evaluation ? data->validation : data->train),
                             .path_count = evaluation ? data->validation_count : data->train_count,
                             .tokenizer = tokenizer,
                             .objective = config->objective,
                             .sequence_length = config->train.sequence_length,
                             .batch_sequences = config->train.batch_sequences,
                             .slices = config->train.slices,
                             .seed = config->run.seed,
                             .evaluation = evaluation};
}

heed_status heed_sampler_open_run(const heed_config *config, heed_tokenizer **tokenizer, heed_sampler **training,
                                  heed_sampler **validation) {
  HEED_TRY(heed_sampler_open_tokenizer(tokenizer, config, (const char *const *)config->data.train, config->data.train_count));
  heed_sampler_spec spec = heed_sampler_spec_of(config, *tokenizer, false);
  HEED_TRY(heed_sampler_create(training, &spec));
  if (config->data.validation_count == 0)
    return HEED_OK;
  spec = heed_sampler_spec_of(config, *tokenizer, true);
  return heed_sampler_create(validation, &spec);
}

heed_status heed_sampler_create(heed_sampler **sampler, const heed_sampler_spec *spec) {
  heed_shard_list list;
  *sampler = NULL;
  HEED_TRY(heed_shard_list_open(&list, spec->paths, spec->path_count, INT64_MAX));
  heed_status status = heed_sampler_create_from_shards(sampler, spec, list.items, list.count);
  if (status == HEED_OK)
    (*sampler)->owned = list;
  else
    heed_shard_list_close(&list);
  return status;
}

void heed_sampler_free(heed_sampler *sampler) {
  if (!sampler)
    return;
  heed_segments_free(&sampler->segments);
  heed_blocks_free(&sampler->blocks);
  heed_shard_list_close(&sampler->owned);
  free(sampler->kinds);
  free(sampler);
}

int64_t heed_sampler_samples(const heed_sampler *sampler) {
  return sampler->samples;
}

uint64_t heed_sampler_data_hash(const heed_sampler *sampler) {
  return sampler->data_hash;
}

int64_t heed_sampler_most_targets(const heed_sampler *sampler, int64_t rows) {
  if (sampler->predict == HEED_PREDICT_NEXT_TOKEN)
    return rows * sampler->sequence_length;
  return rows * heed_mask_most(&sampler->rule, sampler->sequence_length, specials_of(sampler->segments.parts == 2));
}

heed_status heed_sampler_create_batch(const heed_sampler *sampler, heed_batch *batch, int64_t slices) {
  int64_t rows = slices * (sampler->batch_sequences / sampler->slices);
  return heed_batch_create(batch, slices, rows, rows * sampler->sequence_length, heed_sampler_most_targets(sampler, rows),
                           sampler->segments.parts == 2);
}

/* Copies token ids.  Opening a shard has checked that all are below its vocabulary's size, which is the tokenizer's; a file may have been
 * written to since. */
static void copy_tokens(const heed_sampler *sampler, int32_t *ids, heed_range range) {
  const heed_shard *shard = &sampler->shards[range.shard];
  uint32_t largest = 0;
  for (uint32_t i = 0; i < range.length; i++) {
    const uint32_t id = (uint32_t)heed_shard_token(shard, range.first + i);
    ids[i] = (int32_t)id;
    largest = id > largest ? id : largest;
  }
  if (largest >= shard->vocabulary_size)
    heed_shard_changed(shard);
}

/* Lays out [CLS] A [SEP] (B [SEP]) at `ids`.  Returns the length; *first_part is that of [CLS] A [SEP]. */
static int64_t lay_row(const heed_sampler *sampler, int64_t sample, int32_t *ids, int64_t *first_part) {
  const heed_range *ranges = &sampler->segments.ranges[sample * sampler->segments.parts];
  int64_t length = 0;
  ids[length++] = sampler->special.classify;
  for (int part = 0; part < sampler->segments.parts; part++) {
    copy_tokens(sampler, ids + length, ranges[part]);
    length += ranges[part].length;
    ids[length++] = sampler->special.separate;
    if (part == 0)
      *first_part = length;
  }
  return length;
}

/* Masks depend in training on the row of the run, in evaluation on the sample alone. */
static heed_draws row_draws(const heed_sampler *sampler, int64_t sample, uint32_t data_position, int64_t row) {
  if (sampler->evaluation)
    return heed_draws_begin(0, HEED_FOR_EVALUATION, (uint32_t)sample, (uint32_t)((uint64_t)sample >> 32), 0);
  return heed_draws_begin(sampler->seed, HEED_FOR_MASKING, (uint32_t)row, 0, data_position);
}

/* Lays out and masks a row at the end of the batch.  Returns its length. */
static int64_t add_masked(const heed_sampler *sampler, heed_batch *batch, int64_t sample, int64_t row) {
  heed_stream *stream = &batch->stream;
  int64_t first = stream->tokens, first_part = 0;
  int32_t *ids = stream->ids + first, *types = stream->token_types + first;
  int64_t length = lay_row(sampler, sample, ids, &first_part);
  heed_draws draws = row_draws(sampler, sample, batch->data_position, row);
  heed_targets targets = {batch->target_tokens + batch->targets, batch->target_ids + batch->targets,
                          batch->target_is_mask + batch->targets};
  batch->targets +=
      heed_mask_row(&sampler->rule, targets, ids, length, first, types, &draws); /* types are filled after: scratch until then */
  for (int64_t t = 0; t < length; t++)
    types[t] = t >= first_part;
  if (batch->next_sentence)
    batch->next_sentence[stream->sequences] = sampler->segments.parts == 2 && sampler->segments.ranges[sample * 2 + 1].is_random;
  return length;
}

/* The same for next tokens: every token has a target. */
static int64_t add_block(const heed_sampler *sampler, heed_batch *batch, int64_t sample) {
  heed_stream *stream = &batch->stream;
  int64_t first = stream->tokens,
          length = heed_blocks_read(&sampler->blocks, sample, stream->ids + first, batch->target_ids + batch->targets);
  for (int64_t t = 0; t < length; t++) {
    stream->token_types[first + t] = 0;
    batch->target_tokens[batch->targets + t] = first + t;
    batch->target_is_mask[batch->targets + t] = false;
  }
  batch->targets += length;
  return length;
}

/* Adds one sample behind the rows that are in the batch already. */
static void add_row(const heed_sampler *sampler, heed_batch *batch, int64_t sample, int64_t row) {
  heed_stream *stream = &batch->stream;
  int64_t first = stream->tokens,
          length = sampler->predict == HEED_PREDICT_MASKED ? add_masked(sampler, batch, sample, row) : add_block(sampler, batch, sample);
  for (int64_t t = 0; t < length; t++) {
    stream->positions[first + t] = (int32_t)t;
    stream->sequence_of[first + t] = (int32_t)stream->sequences;
  }
  stream->tokens += length;
  stream->offsets[++stream->sequences] = stream->tokens;
}

/* Whether files were written to: of a few of many shards, others each time. */
static void look_at_shards(const heed_sampler *sampler, uint32_t data_position) {
  enum { AT_ONCE = 16 };
  const int64_t count = sampler->owned.count;
  for (int64_t i = 0; i < count && i < AT_ONCE; i++)
    heed_shard_look(&sampler->owned.items[((int64_t)data_position * AT_ONCE + i) % count]);
}

void heed_sampler_read(const heed_sampler *sampler, heed_batch *batch, uint32_t data_position, int64_t first_slice, int64_t slices) {
  int64_t slice_rows = sampler->batch_sequences / sampler->slices, samples = sampler->samples;
  look_at_shards(sampler, data_position);
  batch->data_position = data_position;
  batch->first_row = first_slice * slice_rows;
  batch->slices = slices;
  batch->stream.sequences = batch->stream.tokens = batch->targets = 0;
  batch->stream.offsets[0] = batch->slice_rows[0] = batch->stream.slice_tokens[0] = batch->slice_targets[0] = 0;
  for (int64_t g = 0; g < slices; g++) {
    for (int64_t r = 0; r < slice_rows; r++) {
      int64_t row = batch->first_row + g * slice_rows + r, sample = (int64_t)data_position * sampler->batch_sequences + row;
      if (sampler->evaluation && sample >= samples)
        break;
      if (!sampler->evaluation)
        sample = heed_permute(sample % samples, samples, sampler->seed, (uint64_t)(sample / samples));
      add_row(sampler, batch, sample, row);
    }
    batch->slice_rows[g + 1] = batch->stream.sequences;
    batch->stream.slice_tokens[g + 1] = batch->stream.tokens;
    batch->slice_targets[g + 1] = batch->targets;
  }
}

heed_status heed_sampler_casing(const char *const *paths, unsigned path_count, bool *cased) {
  heed_shard_list list;
  HEED_TRY(heed_shard_list_open(&list, paths, path_count, 1));
  *cased = list.items[0].cased;
  heed_shard_list_close(&list);
  return HEED_OK;
}

heed_status heed_sampler_open_tokenizer(heed_tokenizer **tokenizer, const heed_config *config, const char *const *paths,
                                        unsigned path_count) {
  bool cased;
  HEED_TRY(heed_sampler_casing(paths, path_count, &cased));
  HEED_TRY(heed_tokenizer_open(tokenizer, config->data.vocabulary, cased));
  int64_t size = heed_tokenizer_size(*tokenizer);
  if (size != config->model.vocabulary_size)
    return heed_error(HEED_INVALID,
                      "%s has %lld tokens, but model.vocabulary_size is %lld: set it to the former, --set model.vocabulary_size=%lld",
                      config->data.vocabulary, (long long)size, (long long)config->model.vocabulary_size, (long long)size);
  return HEED_OK;
}

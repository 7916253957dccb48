/* Generation's pass: what is given in pieces, with keys and values kept, gives the logits of the whole. */
#include "models/options.h"

/* Tokens of the first call of each row; the others come one a call, so that rows end at different calls. */
static const int64_t prompts[SEQUENCES] = {4, 16, 0, 1, 7, 9};

enum { ALL = SEQUENCES * POSITIONS * VOCABULARY };

static heed_model_sizes sizes_with(int64_t cache_tokens) {
  return (heed_model_sizes){.sequences = SEQUENCES,
                            .tokens = SEQUENCES * POSITIONS,
                            .targets = SEQUENCES * POSITIONS,
                            .slices = 1,
                            .longest = POSITIONS,
                            .token_head = true,
                            .cache_tokens = cache_tokens};
}

/* Tokens [first, end) of each row as one slice; each has a target. */
static void set_batch(heed_batch *batch, const heed_batch *whole, const int64_t *first, const int64_t *end) {
  heed_stream *stream = &batch->stream;
  stream->sequences = SEQUENCES;
  stream->tokens = batch->targets = 0;
  for (int64_t b = 0; b < SEQUENCES; b++) {
    for (int64_t t = first[b]; t < end[b]; t++) {
      int64_t at = stream->tokens++, from = whole->stream.offsets[b] + t;
      stream->ids[at] = whole->stream.ids[from];
      stream->positions[at] = (int32_t)t;
      stream->token_types[at] = whole->stream.token_types[from];
      stream->sequence_of[at] = (int32_t)b;
      batch->target_tokens[batch->targets++] = at;
    }
    stream->offsets[b + 1] = stream->tokens;
  }
  batch->slices = 1;
  batch->slice_rows[1] = SEQUENCES;
  stream->slice_tokens[1] = stream->tokens;
  batch->slice_targets[1] = batch->targets;
}

/* Puts a call's logits where their tokens are. */
static void keep(float *all, const float *logits, const heed_batch *batch) {
  for (int64_t m = 0; m < batch->targets; m++) {
    int64_t t = batch->target_tokens[m], at = batch->stream.sequence_of[t] * POSITIONS + batch->stream.positions[t];
    memcpy(all + at * VOCABULARY, logits + m * VOCABULARY, VOCABULARY * sizeof *all);
  }
}

static void extend(heed_model *model, const float *weights, const heed_batch *whole, float *all) {
  int64_t done[SEQUENCES] = {0}, end[SEQUENCES];
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, SEQUENCES, SEQUENCES * POSITIONS, SEQUENCES * POSITIONS, false), HEED_OK);
  for (int call = 0; call <= POSITIONS; call++) {
    for (int64_t b = 0; b < SEQUENCES; b++) {
      end[b] = call == 0 ? prompts[b] : done[b] + 1;
      end[b] = end[b] < lengths[b] ? end[b] : lengths[b];
    }
    set_batch(&batch, whole, done, end);
    keep(all, heed_model_extend(model, weights, &batch), &batch);
    memcpy(done, end, sizeof done);
  }
  CU_ASSERT_EQUAL(memcmp(done, lengths, sizeof done), 0);
  heed_batch_free(&batch);
}

static void pieces_give_the_logits_of_the_whole(void) {
  static const int64_t zeros[SEQUENCES] = {0};
  int64_t checked = 0;
  for (size_t i = 0; i < OPTIONS; i++) {
    const heed_model_config *config = &options[i].config;
    if (!config->causal)
      continue;
    heed_model_sizes plain = sizes_with(0), cached = sizes_with(POSITIONS);
    heed_model *model = option_model(config, &plain), *extended = option_model(config, &cached);
    float *weights = option_weights(heed_model_table(model)), *want = test_floats(ALL), *got = test_floats(ALL);
    heed_batch whole = make_batch(0, SEQUENCES, 1), batch;
    CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, SEQUENCES, SEQUENCES * POSITIONS, SEQUENCES * POSITIONS, false), HEED_OK);
    set_batch(&batch, &whole, zeros, lengths);
    keep(want, heed_model_logits(model, weights, &batch), &batch);
    extend(extended, weights, &whole, got);
    CU_ASSERT(test_error(got, test_widen(want, ALL), ALL) < 1e-5);
    memset(got, 0, ALL * sizeof *got);
    heed_model_forget(extended); /* anew: nothing stays from the time before */
    extend(extended, weights, &whole, got);
    CU_ASSERT(test_error(got, test_widen(want, ALL), ALL) < 1e-5);
    whole.stream.ids[0] ^= 1; /* the test of the test */
    heed_model_forget(extended);
    extend(extended, weights, &whole, got);
    CU_ASSERT(test_error(got, test_widen(want, ALL), ALL) > 1e-3);
    heed_batch_free(&whole);
    heed_batch_free(&batch);
    heed_model_free(model);
    heed_model_free(extended);
    test_release();
    checked++;
  }
  CU_ASSERT(checked >= 6);
}

/* Another number of sequences' worth of cache costs keys and values of every layer: 2·C floats a token. */
static void the_cache_is_counted(void) {
  heed_model_sizes plain = sizes_with(0), cached = sizes_with(POSITIONS);
  heed_model *without = option_model(&options[1].config, &plain), *with = option_model(&options[1].config, &cached);
  CU_ASSERT_EQUAL(heed_model_bytes(with) - heed_model_bytes(without), LAYERS * SEQUENCES * POSITIONS * 2 * WIDTH * sizeof(float));
  heed_model_free(without);
  heed_model_free(with);
}

HEED_TESTS({"pieces give the logits of the whole", pieces_give_the_logits_of_the_whole}, {"the cache is counted", the_cache_is_counted})

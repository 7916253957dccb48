/* Keys and values that outlive a call: tokens given one by one, or in pieces, are attended to as when they come together. */
#include "layers/attention_twin.h"

enum { PIECES = LAYER_LONGEST + 1 };

/* Of each sequence the tokens of the first call; the others come one a call, so that sequences end at different calls. */
static const int64_t prompts[LAYER_ROWS] = {3, 1, 5, 0, 9};

typedef struct cached {
  layer_fixture f;
  heed_body body;
  heed_arena memory;
  int64_t starts[LAYER_ROWS + 1], ends[LAYER_ROWS];
  heed_cache cache;
  heed_batch piece;
} cached;

static void begin(cached *k, const variant *v) {
  *k = (cached){.memory.name = "keys and values"};
  layer_begin(&k->f, false);
  k->f.config.causal = true;
  k->f.config.window = v->window;
  k->f.config.positions = v->rotary ? HEED_POSITIONS_ROTARY : HEED_POSITIONS_LEARNED;
  k->f.plan.cache = &k->memory;
  k->f.plan.cache_tokens = LAYER_LONGEST;
  k->f.plan.rotary = k->f.plan.rotary_local = heed_arena_reserve(&k->f.arena, (size_t)LAYER_LONGEST * D, sizeof(float));
  heed_arena_reserve(&k->memory, 1000, sizeof(float)); /* as if another layer came before */
  heed_body_spec spec = {.config = &k->f.config, .prefix = "", .names = fused_names, .residual_deviation = 0.02};
  CU_ASSERT_EQUAL_FATAL(heed_self_attention_body.plan(&k->body, &k->f.plan, &spec), HEED_OK);
  heed_self_attention_body.plan_forward(&k->body, &k->f.plan);
  CU_ASSERT_EQUAL_FATAL(heed_arena_commit(&k->memory), HEED_OK);
  memset(k->memory.base, 0xFF, k->memory.capacity);
  layer_commit(&k->f);
  heed_positions_turns(heed_arena_at(&k->f.arena, k->f.plan.rotary), &k->f.config, theta);
  for (int64_t b = 0; b <= LAYER_ROWS; b++)
    k->starts[b] = b * LAYER_LONGEST;
  memcpy(k->ends, k->starts, sizeof k->ends);
  k->cache = (heed_cache){k->starts, k->ends};
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&k->piece, 1, LAYER_ROWS, LAYER_TOKENS, 1, false), HEED_OK);
}

static void end(cached *k) {
  heed_batch_free(&k->piece);
  heed_arena_free(&k->memory);
  layer_end(&k->f);
}

/* Tokens [done, until) of each sequence; `from` lists their rows in the whole. */
static void set_piece(cached *k, int64_t *from, const int64_t *done, const int64_t *until) {
  heed_stream *stream = &k->piece.stream;
  stream->sequences = LAYER_ROWS;
  stream->tokens = 0;
  for (int64_t b = 0; b < LAYER_ROWS; b++) {
    for (int64_t t = done[b]; t < until[b]; t++, stream->tokens++) {
      from[stream->tokens] = k->f.batch.stream.offsets[b] + t;
      stream->positions[stream->tokens] = (int32_t)t;
      stream->sequence_of[stream->tokens] = (int32_t)b;
    }
    stream->offsets[b + 1] = stream->tokens;
    k->ends[b] = k->starts[b] + until[b];
  }
  k->piece.slices = 1;
  stream->slice_tokens[1] = stream->tokens;
}

/* Puts the rows of each call where they are in the whole. */
static void run_in_pieces(cached *k, float *y, const float *x) {
  int64_t done[LAYER_ROWS] = {0}, until[LAYER_ROWS], from[LAYER_TOKENS];
  float *some = test_floats(COUNT), *out = test_floats(COUNT);
  heed_context context = k->f.context;
  context.batch = &k->piece;
  context.stream = &k->piece.stream;
  context.cache = &k->cache;
  context.cache_arena = &k->memory;
  heed_residual r = layer_bare(context.stream, out);
  for (int call = 0; call < PIECES; call++) {
    for (int64_t b = 0; b < LAYER_ROWS; b++) {
      until[b] = call == 0 ? prompts[b] : done[b] + 1;
      until[b] = until[b] < layer_lengths[b] ? until[b] : layer_lengths[b];
    }
    set_piece(k, from, done, until);
    for (int64_t t = 0; t < k->piece.stream.tokens; t++)
      memcpy(some + t * C, x + from[t] * C, C * sizeof *x);
#pragma omp parallel
    heed_self_attention_body.forward(&context, &r, some, &k->body);
    for (int64_t t = 0; t < k->piece.stream.tokens; t++)
      memcpy(y + from[t] * C, out + t * C, C * sizeof *x);
    memcpy(done, until, sizeof done);
  }
  CU_ASSERT_EQUAL(memcmp(done, layer_lengths, sizeof done), 0);
}

static void check(variant v) {
  cached k;
  begin(&k, &v);
  float *x = test_random(COUNT, 3, 1.0), *whole = test_floats(COUNT), *pieces = test_floats(COUNT);
  heed_residual r = layer_bare(&k.f.batch.stream, whole);
#pragma omp parallel
  heed_self_attention_body.forward(&k.f.context, &r, x, &k.body);
  double *want = test_widen(whole, COUNT);
  run_in_pieces(&k, pieces, x);
  CU_ASSERT(test_error(pieces, want, COUNT) < layer_bound);
  x[COUNT - C] += 1; /* the test of the test: another token in the last sequence */
  run_in_pieces(&k, pieces, x);
  CU_ASSERT(test_error(pieces, want, COUNT) > 1e-4);
  end(&k);
}

static void causal(void) {
  check((variant){0});
}
static void turned(void) {
  check((variant){.rotary = true});
}
static void in_windows(void) {
  for (int64_t window = 1; window <= LAYER_LONGEST; window += 3)
    check((variant){.window = window});
}
static void turned_in_windows(void) {
  check((variant){.window = 2, .rotary = true});
}

/* A layer keeps the keys and values of its own tokens where the cache says, and nothing besides. */
static void each_sequence_has_its_place(void) {
  cached k;
  begin(&k, &(variant){0});
  float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT);
  run_in_pieces(&k, y, x);
  const float *memory = heed_arena_at(&k.memory, k.body.attention.cache);
  for (int64_t b = 0; b < LAYER_ROWS; b++)
    for (int64_t t = 0; t < LAYER_LONGEST; t++)
      for (int64_t c = 0; c < 2 * C; c++)
        CU_ASSERT_EQUAL_FATAL(!isnan(memory[((b * LAYER_LONGEST) + t) * 2 * C + c]), t < layer_lengths[b]);
  const float *before = heed_arena_at(&k.memory, 0);
  for (int64_t i = 0; i < 1000; i++)
    CU_ASSERT_TRUE_FATAL(isnan(before[i]));
  end(&k);
}

HEED_TESTS({"causal", causal}, {"turned", turned}, {"in windows", in_windows}, {"turned in windows", turned_in_windows},
           {"each sequence has its place", each_sequence_has_its_place})

/** The attention body's twin in double, with all its options, and what the tests of attention plan it with. */
#ifndef HEED_TESTS_LAYERS_ATTENTION_TWIN_H
#define HEED_TESTS_LAYERS_ATTENTION_TWIN_H

#include "layers/body.h"
#include "layers/layer_test.h"
#include "layers/positions.h"
#include "reference/attention.h"
#include "reference/linear.h"

enum {
  C = LAYER_WIDTH,
  D = LAYER_WIDTH / LAYER_HEADS,
  COUNT = LAYER_TOKENS * LAYER_WIDTH,
  SOURCE_TOKENS = 17,
  SOURCE_COUNT = SOURCE_TOKENS * C
};

/** Of the source: some sequences are empty, others longer than the queries'. */
static const int64_t source_lengths[LAYER_ROWS] = {3, 5, 0, 9, 0};

static const char *const part_names[HEED_BODY_NAMES] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                                        "attention.output.dense"};
static const char *const fused_names[HEED_BODY_NAMES] = {"attn.c_attn", NULL, NULL, "attn.c_proj"};

/** Low bases, so that all pairs of channels turn within the few places there are. */
static const double theta = 40, theta_local = 9;

typedef struct variant {
  bool causal, biases, fused, rotary, cross;
  int64_t window, global_every, block;
} variant;

typedef struct twin_source {
  heed_stream stream;
  int32_t sequence_of[SOURCE_TOKENS];
  int64_t offsets[LAYER_ROWS + 1], slice_tokens[LAYER_SLICES + 1];
  float *hidden, *gradient;
} twin_source;

static inline const heed_body_operations *twin_operations(const variant *v) {
  return v->cross ? &heed_cross_attention_body : &heed_self_attention_body;
}

static inline void twin_plan(layer_fixture *f, heed_body *body, const variant *v, bool training) {
  layer_begin(f, training);
  f->config.causal = v->causal;
  f->config.biases = v->biases;
  f->config.window = v->window;
  f->config.global_every = v->global_every;
  f->config.positions = v->rotary ? HEED_POSITIONS_ROTARY : HEED_POSITIONS_LEARNED;
  f->plan.source_tokens = SOURCE_TOKENS;
  f->plan.rotary = heed_arena_reserve(&f->arena, (size_t)LAYER_LONGEST * D, sizeof(float));
  f->plan.rotary_local = heed_arena_reserve(&f->arena, (size_t)LAYER_LONGEST * D, sizeof(float));
  heed_body_spec spec = {.config = &f->config,
                         .prefix = "layer.0.",
                         .names = v->fused ? fused_names : part_names,
                         .block = v->block,
                         .residual_deviation = 0.02};
  CU_ASSERT_EQUAL_FATAL(twin_operations(v)->plan(body, &f->plan, &spec), HEED_OK);
  twin_operations(v)->plan_forward(body, &f->plan);
  if (training)
    twin_operations(v)->plan_backward(body, &f->plan);
}

static inline void twin_begin(layer_fixture *f, heed_body *body, twin_source *source, const variant *v, bool training) {
  twin_plan(f, body, v, training);
  layer_commit(f);
  heed_positions_turns(heed_arena_at(&f->arena, f->plan.rotary), &f->config, theta);
  heed_positions_turns(heed_arena_at(&f->arena, f->plan.rotary_local), &f->config, theta_local);
  *source = (twin_source){.hidden = test_random(SOURCE_COUNT, 6, 1.0), .gradient = test_random(SOURCE_COUNT, 7, 1.0)};
  for (int64_t b = 0; b < LAYER_ROWS; b++) {
    source->offsets[b + 1] = source->offsets[b] + source_lengths[b];
    for (int64_t t = source->offsets[b]; t < source->offsets[b + 1]; t++)
      source->sequence_of[t] = (int32_t)b;
  }
  for (int64_t g = 0; g <= LAYER_SLICES; g++)
    source->slice_tokens[g] = source->offsets[layer_slice_rows[g]];
  source->stream = (heed_stream){.sequences = LAYER_ROWS,
                                 .tokens = SOURCE_TOKENS,
                                 .sequence_of = source->sequence_of,
                                 .offsets = source->offsets,
                                 .slice_tokens = source->slice_tokens};
  CU_ASSERT_EQUAL_FATAL(source->offsets[LAYER_ROWS], SOURCE_TOKENS);
  f->context.source = (heed_source){&source->stream, source->hidden, training ? source->gradient : NULL};
}

/** What the twins work on: the same layout as the layer's, in double. */
typedef struct twin {
  heed_attention_shape shape;
  heed_dropout dropout;
  double *q, *k, *v, *kv; /* kv: across streams */
  double *lse, *attended, *y;
} twin;

static inline bool twin_is_local(const variant *v) {
  return !v->cross && v->window > 0 && !(v->global_every > 0 && v->block % v->global_every == 0);
}

/** Rotates each head of a row by its place: the pair (i, i + D/2) by the angle p·θ^(−2i/D) (Su et al. 2021, eq. 34). */
static inline void twin_turn(const layer_fixture *f, const variant *v, double *x, bool back) {
  for (int64_t t = 0; t < LAYER_TOKENS; t++)
    for (int64_t i = 0; i < LAYER_HEADS * D / 2; i++) {
      double *one = x + t * 3 * C + i / (D / 2) * D + i % (D / 2), *two = one + D / 2, a = *one, b = *two;
      double angle = f->batch.stream.positions[t] / pow(twin_is_local(v) ? theta_local : theta, 2.0 * (double)(i % (D / 2)) / D);
      if (back)
        angle = -angle;
      *one = a * cos(angle) - b * sin(angle);
      *two = b * cos(angle) + a * sin(angle);
    }
}

static inline twin twin_make(const layer_fixture *f, const heed_attention *a, const variant *v, const twin_source *source) {
  const int64_t *offsets = f->batch.stream.offsets;
  int64_t side = twin_is_local(v) ? v->window : HEED_EVERYWHERE;
  twin w = {.shape = {.sequences = LAYER_ROWS,
                      .heads = LAYER_HEADS,
                      .head_width = D,
                      .q_offsets = offsets,
                      .kv_offsets = v->cross ? source->offsets : offsets,
                      .q_stride = v->cross ? C : 3 * C,
                      .kv_stride = v->cross ? 2 * C : 3 * C,
                      .out_stride = C,
                      .scale = (float)sqrt((double)LAYER_HEADS / C),
                      .behind = side,
                      .ahead = v->causal && !v->cross ? 0 : side},
            .dropout = {.scale = 1},
            .q = test_doubles(3 * COUNT),
            .kv = test_doubles(2 * SOURCE_COUNT),
            .lse = test_doubles(LAYER_TOKENS * LAYER_HEADS),
            .attended = test_doubles(COUNT),
            .y = test_doubles(COUNT)};
  if (f->plan.training) /* a quarter of 65,536 */
    w.dropout = (heed_dropout){16384, (float)(4.0 / 3.0), f->context.seed, f->batch.data_position, a->site, (uint32_t)f->batch.first_row};
  w.k = v->cross ? w.kv : w.q + C;
  w.v = w.k + C;
  return w;
}

static inline twin twin_forward(const layer_fixture *f, const heed_attention *a, const variant *v, const double *x,
                                const twin_source *source) {
  twin w = twin_make(f, a, v, source);
  reference_linear_forward(w.q, x, layer_weights(f, a->input.weight), layer_weights(f, a->input.bias), LAYER_TOKENS, C,
                           v->cross ? C : 3 * C);
  if (v->cross)
    reference_linear_forward(w.kv, test_widen(source->hidden, SOURCE_COUNT), layer_weights(f, a->key_value.weight),
                             layer_weights(f, a->key_value.bias), SOURCE_TOKENS, C, 2 * C);
  if (v->rotary && !v->cross) {
    twin_turn(f, v, w.q, false);
    twin_turn(f, v, w.k, false);
  }
  reference_attention_forward(w.attended, w.lse, w.q, w.k, w.v, &w.shape, &w.dropout);
  reference_linear_forward(w.y, w.attended, layer_weights(f, a->output.weight), layer_weights(f, a->output.bias), LAYER_TOKENS, C, C);
  return w;
}

static inline void twin_add(double *y, const double *x, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    y[i] += x[i];
}

/** d_x, d_source and the gradients of the parameters are added to. */
static inline void twin_backward(const layer_fixture *f, const heed_attention *a, const variant *v, const twin *w, double *d_x,
                                 double *d_source, const double *d_y, const double *x, const twin_source *source) {
  double *d_attended = test_doubles(COUNT), *d_q = test_doubles(3 * COUNT), *d_kv = test_doubles(2 * SOURCE_COUNT),
         *part = test_doubles(COUNT), *d_k = v->cross ? d_kv : d_q + C;
  reference_linear_backward(d_attended, layer_gradient(f, a->output.weight), layer_gradient(f, a->output.bias), d_y, w->attended,
                            layer_weights(f, a->output.weight), LAYER_TOKENS, C, C);
  reference_attention_backward(d_q, d_k, d_k + C, d_attended, w->q, w->k, w->v, &w->shape, &w->dropout);
  if (v->rotary && !v->cross) {
    twin_turn(f, v, d_q, true);
    twin_turn(f, v, d_k, true);
  }
  reference_linear_backward(part, layer_gradient(f, a->input.weight), layer_gradient(f, a->input.bias), d_q, x,
                            layer_weights(f, a->input.weight), LAYER_TOKENS, C, v->cross ? C : 3 * C);
  twin_add(d_x, part, COUNT);
  if (!v->cross)
    return;
  reference_linear_backward(part, layer_gradient(f, a->key_value.weight), layer_gradient(f, a->key_value.bias), d_kv,
                            test_widen(source->hidden, SOURCE_COUNT), layer_weights(f, a->key_value.weight), SOURCE_TOKENS, C, 2 * C);
  twin_add(d_source, part, SOURCE_COUNT);
}

#endif

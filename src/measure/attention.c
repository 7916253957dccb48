#include "measure/attention.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "measure/ceiling.h"
#include "models/level.h"

enum { LEAST_WINDOWS = 5, WINDOWS = 30, WIDTH = HEED_ATTENTION_HEADS * HEED_ATTENTION_HEAD_WIDTH };
#define SECONDS_A_LENGTH 1.0

const int64_t heed_attention_lengths[HEED_ATTENTION_LENGTHS] = {128, 512, 2048};

/* What a layer hands to the kernels: queries, keys and values side by side, as one product makes them. */
typedef struct layer {
  const heed_kernels *kernels;
  heed_arena arena;
  heed_attention_shape shape;
  heed_dropout dropout;
  int64_t scratch_floats;
  char *qkv, *d_qkv, *out, *d_out;
  float *lse, *scratch;
  size_t width; /* of a token's queries, in bytes */
} layer;

typedef void pass(const layer *l);

static void forward(const layer *l) {
#pragma omp parallel
  l->kernels->attention_forward(l->out, l->lse, l->qkv, l->qkv + l->width, l->qkv + 2 * l->width, &l->shape, &l->dropout,
                                l->scratch + l->scratch_floats * omp_get_thread_num());
}
static void backward(const layer *l) {
#pragma omp parallel
  l->kernels->attention_backward(l->d_qkv, l->d_qkv + l->width, l->d_qkv + 2 * l->width, l->d_out, l->out, l->lse, l->qkv,
                                 l->qkv + l->width, l->qkv + 2 * l->width, &l->shape, &l->dropout,
                                 l->scratch + l->scratch_floats * omp_get_thread_num());
}

enum { QKV, D_QKV, OUT, D_OUT, LSE, SCRATCH, VALUES, PIECES };

static heed_status prepare(layer *l, const heed_kernels *kernels, int64_t length, int64_t batch, bool causal, int64_t *offsets) {
  const size_t tokens = (size_t)(batch * length), element = kernels->element_bytes;
  int64_t scratch = kernels->scratch_floats(1, length, HEED_ATTENTION_HEAD_WIDTH, WIDTH);
  *l = (layer){.kernels = kernels,
               .arena = {.name = "attention"},
               .scratch_floats = scratch,
               .width = WIDTH * element,
               .dropout = {.threshold = 6554, .scale = (float)(65536.0 / (65536.0 - 6554)), .seed = 1}};
  l->shape = (heed_attention_shape){.sequences = batch,
                                    .heads = HEED_ATTENTION_HEADS,
                                    .head_width = HEED_ATTENTION_HEAD_WIDTH,
                                    .q_offsets = offsets,
                                    .kv_offsets = offsets,
                                    .q_stride = 3 * WIDTH,
                                    .kv_stride = 3 * WIDTH,
                                    .out_stride = WIDTH,
                                    .scale = (float)(1.0 / sqrt(HEED_ATTENTION_HEAD_WIDTH)),
                                    .behind = HEED_EVERYWHERE,
                                    .ahead = causal ? 0 : HEED_EVERYWHERE};
  for (int64_t b = 0; b <= batch; b++)
    offsets[b] = b * length;
  size_t at[PIECES] = {[QKV] = heed_arena_reserve(&l->arena, tokens * 3 * WIDTH, element),
                       [D_QKV] = heed_arena_reserve(&l->arena, tokens * 3 * WIDTH, element),
                       [OUT] = heed_arena_reserve(&l->arena, tokens * WIDTH, element),
                       [D_OUT] = heed_arena_reserve(&l->arena, tokens * WIDTH, element),
                       [LSE] = heed_arena_reserve(&l->arena, tokens * HEED_ATTENTION_HEADS, sizeof(float)),
                       [SCRATCH] = heed_arena_reserve(&l->arena, (size_t)scratch * (size_t)omp_get_max_threads(), sizeof(float)),
                       [VALUES] = heed_arena_reserve(&l->arena, tokens * 3 * WIDTH, sizeof(float))};
  HEED_TRY(heed_arena_commit(&l->arena));
  l->qkv = heed_arena_at(&l->arena, at[QKV]);
  l->d_qkv = heed_arena_at(&l->arena, at[D_QKV]);
  l->out = heed_arena_at(&l->arena, at[OUT]);
  l->d_out = heed_arena_at(&l->arena, at[D_OUT]);
  l->lse = heed_arena_at(&l->arena, at[LSE]);
  l->scratch = heed_arena_at(&l->arena, at[SCRATCH]);
  float *values = heed_arena_at(&l->arena, at[VALUES]);
  int64_t count = (int64_t)tokens * WIDTH;
  for (int64_t i = 0; i < 3 * count; i++)
    values[i] = (float)(i * 7919 % 2001 - 1000) * 1e-3f;
  kernels->narrow(l->qkv, values, 3 * count);
  kernels->narrow(l->d_out, values, count);
  return HEED_OK;
}

static double seconds_of(pass *run, const layer *l) {
  double begun = heed_seconds();
  run(l);
  return heed_seconds() - begun;
}

static double least(double a, double b) {
  return a < b ? a : b;
}

/* The best of several windows, as the ceiling is counted. */
static heed_status measure_length(heed_attention_result *r, int64_t length, bool causal, const heed_kernels *kernels,
                                  heed_communication *c) {
  int64_t batch = HEED_ATTENTION_TOKENS / length, offsets[HEED_ATTENTION_TOKENS + 1];
  layer l;
  heed_status status = c->agree(c, prepare(&l, kernels, length, batch, causal, offsets));
  if (status == HEED_OK) {
    c->barrier(c);
    double best[2] = {seconds_of(forward, &l), seconds_of(backward, &l)}, first = heed_seconds();
    for (int window = 0; window < LEAST_WINDOWS || (window < WINDOWS && heed_seconds() - first < SECONDS_A_LENGTH); window++) {
      best[0] = least(best[0], seconds_of(forward, &l));
      best[1] = least(best[1], seconds_of(backward, &l));
    }
    double pairs = (double)batch * HEED_ATTENTION_HEADS * (double)length * (double)(causal ? length + 1 : 2 * length) / 2;
    *r = (heed_attention_result){.sequence_length = length, .batch = batch, .seconds_forward = best[0], .seconds_backward = best[1]};
    r->flops_per_second = heed_ceiling_sum(14.0 * HEED_ATTENTION_HEAD_WIDTH * pairs / (best[0] + best[1]), c);
  }
  heed_arena_free(&l.arena);
  return status;
}

heed_status heed_attention_measure(heed_attention_result *results, heed_precision precision, bool causal, const heed_kernels *kernels,
                                   heed_communication *c) {
  double peak = 0;
  heed_ceiling_raise_flops(&peak, precision, c);
  for (int i = 0; i < HEED_ATTENTION_LENGTHS; i++) {
    HEED_TRY(measure_length(&results[i], heed_attention_lengths[i], causal, heed_kernels_of(kernels, precision), c));
    heed_ceiling_raise_flops(&peak, precision, c);
  }
  for (int i = 0; i < HEED_ATTENTION_LENGTHS; i++)
    for (int more = 0; more < HEED_CEILING_MORE && results[i].flops_per_second > peak; more++)
      heed_ceiling_raise_flops(&peak, precision, c);
  for (int i = 0; i < HEED_ATTENTION_LENGTHS; i++) {
    results[i].ceiling = peak;
    if (results[i].flops_per_second > peak)
      return heed_error(HEED_FAILED,
                        "attention over %lld tokens reached %.1f GFLOP/s, above the ceiling of %.1f: the ceiling was disturbed, run again "
                        "on a quiet machine",
                        (long long)results[i].sequence_length, results[i].flops_per_second / 1e9, peak / 1e9);
  }
  return HEED_OK;
}

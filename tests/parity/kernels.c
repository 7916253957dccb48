/* The kernels of the attention mechanism for mechanism.py beside this file:
 *
 *   parity-kernels NAME IN OUT
 *
 * IN: int32 little-endian, first their count, then the sizes below; then float32 arrays in the order of the list.  OUT: float32 arrays.
 *
 *   attention   B, H, D, behind, ahead (−1: everywhere), queries[B], keys[B];  q, k, v, d_out [T, H·D]
 *               → out, d_q, d_k, d_v, weights of the first sequence, entropy[B, H]
 *   rotary      T, H, D, P, back, positions[T];  x[T, H·D], table[P, D]  → x
 *   activation  form, count;  x, d_y  → y, d_x
 *   gated       form, T, F;  x[T, 2F], d_y[T, F]  → y, d_x
 *   layer_norm  T, C;  x, d_y, gamma  → y, d_x, d_gamma       (no bias; ε = 1e-5) */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "kernels/kernels.h"

static void fail(const char *why) {
  fprintf(stderr, "parity-kernels: %s\n", why);
  exit(1);
}

static void *memory(int64_t count, size_t size) {
  size_t bytes = ((size_t)count * size + 64) / 64 * 64;
  void *block = aligned_alloc(64, bytes);
  if (!block)
    fail("out of memory");
  return memset(block, 0, bytes);
}
static float *floats(int64_t count) {
  return memory(count, sizeof(float));
}

/** One call: what it reads and where it writes. */
typedef struct call {
  const heed_kernels *kernels;
  FILE *in, *out;
  int32_t *sizes;
  float *scratch; /* of each thread */
  int64_t scratch_floats;
} call;

static float *take(const call *c, int64_t count) {
  float *values = floats(count);
  if (fread(values, sizeof *values, (size_t)count, c->in) != (size_t)count)
    fail("the input ends too early");
  return values;
}
static void put(const call *c, const float *values, int64_t count) {
  if (fwrite(values, sizeof *values, (size_t)count, c->out) != (size_t)count)
    fail("the output could not be written");
}

static int32_t *take_sizes(FILE *in) {
  int32_t count = 0;
  if (fread(&count, sizeof count, 1, in) != 1 || count < 0)
    fail("no sizes");
  int32_t *sizes = memory(count, sizeof *sizes);
  if (fread(sizes, sizeof *sizes, (size_t)count, in) != (size_t)count)
    fail("the input ends within the sizes");
  return sizes;
}

static void give_scratch(call *c, int64_t longest, int64_t head_width) {
  c->scratch_floats = c->kernels->scratch_floats(1, longest, head_width, 1);
  c->scratch = floats(omp_get_max_threads() * c->scratch_floats);
}
static float *own_scratch(const call *c) {
  return c->scratch + omp_get_thread_num() * c->scratch_floats;
}

static int64_t *offsets_of(const int32_t *lengths, int64_t sequences) {
  int64_t *offsets = memory(sequences + 1, sizeof *offsets);
  for (int64_t b = 0; b < sequences; b++)
    offsets[b + 1] = offsets[b] + lengths[b];
  return offsets;
}

static void attention(call *c) {
  const int32_t *n = c->sizes;
  int64_t B = n[0], H = n[1], D = n[2], W = H * D;
  int64_t *q_offsets = offsets_of(n + 5, B), *kv_offsets = offsets_of(n + 5 + B, B), T = q_offsets[B], K = kv_offsets[B];
  heed_attention_shape shape = {.sequences = B,
                                .heads = H,
                                .head_width = D,
                                .q_offsets = q_offsets,
                                .kv_offsets = kv_offsets,
                                .q_stride = W,
                                .kv_stride = W,
                                .out_stride = W,
                                .scale = (float)(1.0 / sqrt((double)D)),
                                .behind = n[3] < 0 ? HEED_EVERYWHERE : n[3],
                                .ahead = n[4] < 0 ? HEED_EVERYWHERE : n[4]};
  heed_dropout none = {0};
  float *q = take(c, T * W), *k = take(c, K * W), *v = take(c, K * W), *d_out = take(c, T * W);
  float *out = floats(T * W), *lse = floats(T * H), *d_q = floats(T * W), *d_k = floats(K * W), *d_v = floats(K * W);
  int64_t map = H * q_offsets[1] * kv_offsets[1];
  float *weights = floats(map), *narrow = floats(B * H);
  double *entropy = memory(B * H, sizeof *entropy);
  give_scratch(c, T > K ? T : K, D);
#pragma omp parallel
  {
    c->kernels->attention_forward(out, lse, q, k, v, &shape, &none, own_scratch(c));
    c->kernels->attention_backward(d_q, d_k, d_v, d_out, out, lse, q, k, v, &shape, &none, own_scratch(c));
    c->kernels->attention_weights(weights, q, k, lse, &shape, 0, own_scratch(c));
    c->kernels->attention_entropy(entropy, q, k, lse, &shape, own_scratch(c));
  }
  for (int64_t i = 0; i < B * H; i++)
    narrow[i] = (float)entropy[i];
  put(c, out, T * W);
  put(c, d_q, T * W);
  put(c, d_k, K * W);
  put(c, d_v, K * W);
  put(c, weights, map);
  put(c, narrow, B * H);
}

static void rotary(call *c) {
  const int32_t *n = c->sizes;
  int64_t T = n[0], H = n[1], D = n[2], P = n[3];
  float *x = take(c, T * H * D), *table = take(c, P * D);
#pragma omp parallel
  c->kernels->rotary(x, table, n + 5, T, H * D, H, D, n[4] == 1);
  put(c, x, T * H * D);
}

static void activation(call *c) {
  heed_form form = (heed_form)c->sizes[0];
  int64_t count = c->sizes[1];
  float *x = take(c, count), *d_y = take(c, count), *y = floats(count), *d_x = floats(count);
  float *slopes = floats(count), *workspace = floats(c->kernels->linear_workspace(count, 1, 1, 1, false));
  const float one = 1.0f; /* the activation of a linear map that leaves x as it is */
  give_scratch(c, 1, 1);
#pragma omp parallel
  {
    c->kernels->linear_activation_forward(y, true, slopes, x, (heed_linear_weights){.w = &one}, NULL, form, count, 1, 1, workspace,
                                          own_scratch(c));
    c->kernels->activation_backward(d_x, d_y, slopes, count);
  }
  put(c, y, count);
  put(c, d_x, count);
}

static void gated(call *c) {
  heed_form form = (heed_form)c->sizes[0];
  int64_t T = c->sizes[1], F = c->sizes[2];
  float *x = take(c, T * 2 * F), *d_y = take(c, T * F), *y = floats(T * F), *d_x = floats(T * 2 * F);
#pragma omp parallel
  {
    c->kernels->gated_forward(y, x, T, F, form);
    c->kernels->gated_backward(d_x, d_y, x, T, F, form);
  }
  put(c, y, T * F);
  put(c, d_x, T * 2 * F);
}

static void layer_norm(call *c) {
  int64_t T = c->sizes[0], C = c->sizes[1], starts[2] = {0, T};
  float *x = take(c, T * C), *d_y = take(c, T * C), *gamma = take(c, C);
  float *y = floats(T * C), *mean = floats(T), *rstd = floats(T), *d_x = floats(T * C), *d_gamma = floats(C);
  float *workspace = floats(c->kernels->layer_norm_workspace(T, 1, C));
  give_scratch(c, 1, 1);
#pragma omp parallel
  {
    c->kernels->layer_norm_forward(y, NULL, mean, rstd, x, gamma, NULL, T, C, 1e-5f);
    c->kernels->layer_norm_backward(d_x, false, d_gamma, NULL, d_y, x, mean, rstd, gamma, starts, 1, C, workspace, own_scratch(c));
  }
  put(c, y, T * C);
  put(c, d_x, T * C);
  put(c, d_gamma, C);
}

static const struct {
  const char *name;
  void (*run)(call *c);
} kernels[] = {{"attention", attention}, {"rotary", rotary}, {"activation", activation}, {"gated", gated}, {"layer_norm", layer_norm}};

int main(int argc, char **argv) {
  if (argc != 4)
    fail("NAME IN OUT");
  call c = {.kernels = heed_kernels_choose(NULL), .in = fopen(argv[2], "rb"), .out = fopen(argv[3], "wb")};
  if (!c.in || !c.out || !c.kernels || heed_blas_check() != HEED_OK)
    fail("files could not be opened, or no kernels for this processor");
  c.sizes = take_sizes(c.in);
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (strcmp(kernels[i].name, argv[1]) == 0) {
      kernels[i].run(&c);
      return fclose(c.out) == 0 ? 0 : 1;
    }
  fail("no such kernel");
}

#include "measure/gemm.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "measure/ceiling.h"
#include "measure/gemm_peer.h"
#include "models/level.h"

enum { SLICES = 8, PART = 4096, LEAST_WINDOWS = 3, WINDOWS = 10 };
#define SECONDS_A_PRODUCT 0.3

const int64_t heed_gemm_shapes[HEED_GEMM_SHAPES][3] = {{512, 512, 512},  {2048, 256, 256},  {2048, 1024, 256}, {2048, 256, 1024},
                                                       {4096, 768, 768}, {4096, 3072, 768}, {4096, 768, 3072}, {640, 30522, 256}};

/* The operands of one linear layer and its backward: elements x [tokens, inputs] and y [tokens, outputs], floats w [outputs, inputs], with
 * panels where training has such, and bias [outputs]. */
typedef struct layer {
  const heed_kernels *kernels;
  void *x, *y;
  float *w, *bias, *scratch, *workspace;
  void *forward, *backward; /* panels, or NULL */
  int64_t tokens, outputs, inputs, scratch_floats;
  int64_t starts[SLICES + 1];
} layer;

typedef void product(const layer *l);

static float *own_scratch(const layer *l) {
  return l->scratch + l->scratch_floats * omp_get_thread_num();
}

static heed_linear_weights weights_of(const layer *l) {
  return (heed_linear_weights){l->w, l->forward, l->backward};
}

static void forward(const layer *l) {
#pragma omp parallel
  l->kernels->linear_forward(l->y, false, l->x, weights_of(l), l->bias, l->tokens, l->inputs, l->outputs, l->workspace, own_scratch(l));
}
static void backward_input(const layer *l) {
#pragma omp parallel
  l->kernels->linear_backward_input(l->x, true, false, l->y, weights_of(l), l->tokens, l->inputs, l->outputs, l->workspace, own_scratch(l));
}
static void backward_weight(const layer *l) {
#pragma omp parallel
  l->kernels->linear_backward_weight(l->w, NULL, l->y, l->x, l->starts, SLICES, l->inputs, l->outputs, l->workspace, own_scratch(l));
}

/* The same by OpenBLAS, of floats, without the bias: no more work. */
static void peer_forward(const layer *l) {
  heed_gemm_peer(l->y, l->x, false, l->w, true, l->tokens, l->outputs, l->inputs);
}
static void peer_backward_input(const layer *l) {
  heed_gemm_peer(l->x, l->y, false, l->w, false, l->tokens, l->inputs, l->outputs);
}
static void peer_backward_weight(const layer *l) {
  heed_gemm_peer(l->w, l->y, true, l->x, false, l->outputs, l->inputs, l->tokens);
}

static float value_at(int64_t i) {
  return (float)(i * 37 % 101 - 50) * 1e-3f;
}

static void fill(float *values, int64_t count) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++)
    values[i] = value_at(i);
}

static float *floats(int64_t count) {
  float *values = aligned_alloc(64, (size_t)(count + 15) / 16 * 64);
  if (values)
    fill(values, count);
  return values;
}

/* The same values as elements. */
static void fill_elements(void *to, const heed_kernels *kernels, int64_t count) {
  float part[PART];
  for (int64_t first = 0; first < count; first += PART) {
    int64_t length = count - first < PART ? count - first : PART;
    for (int64_t i = 0; i < length; i++)
      part[i] = value_at(first + i);
    kernels->narrow((char *)to + (size_t)first * kernels->element_bytes, part, length);
  }
}

static void *elements(const heed_kernels *kernels, int64_t count) {
  void *values = aligned_alloc(64, (size_t)(count + 15) / 16 * 64);
  if (values)
    fill_elements(values, kernels, count);
  return values;
}

static void release(layer *l) {
  free(l->x);
  free(l->w);
  free(l->bias);
  free(l->y);
  free(l->scratch);
  free(l->workspace);
  free(l->forward);
  free(l->backward);
}

static heed_status pack(layer *l) {
  size_t forward = (size_t)l->kernels->linear_panels(l->inputs, l->outputs) * l->kernels->element_bytes;
  size_t backward = (size_t)l->kernels->linear_panels(l->outputs, l->inputs) * l->kernels->element_bytes;
  if (forward == 0)
    return HEED_OK;
  l->forward = aligned_alloc(64, forward);
  l->backward = aligned_alloc(64, backward);
  void *w = elements(l->kernels, l->outputs * l->inputs);
  const bool have = w && l->forward && l->backward;
#pragma omp parallel for schedule(static)
  for (int64_t band = 0; band < (have ? (l->outputs + HEED_WEIGHT_BAND - 1) / HEED_WEIGHT_BAND : 0); band++)
    l->kernels->linear_pack(l->forward, l->backward, w, band, l->inputs, l->outputs);
  free(w);
  return have ? HEED_OK
              : heed_error(HEED_FAILED, "out of memory for panels of %lld × %lld weights", (long long)l->outputs, (long long)l->inputs);
}

static heed_status prepare(layer *l, const heed_kernels *kernels, const int64_t shape[3]) {
  *l = (layer){.kernels = kernels, .tokens = shape[0], .outputs = shape[1], .inputs = shape[2]};
  for (int64_t g = 0; g <= SLICES; g++)
    l->starts[g] = l->tokens * g / SLICES;
  l->scratch_floats = kernels->scratch_floats(SLICES, 1, 64, l->inputs);
  l->x = elements(kernels, l->tokens * l->inputs);
  l->w = floats(l->outputs * l->inputs);
  l->bias = floats(l->outputs);
  l->y = elements(kernels, l->tokens * l->outputs);
  l->scratch = floats(l->scratch_floats * omp_get_max_threads());
  l->workspace = floats(kernels->linear_workspace(l->tokens, SLICES, l->inputs, l->outputs, true));
  if (l->x && l->w && l->bias && l->y && l->scratch && l->workspace)
    return pack(l);
  return heed_error(HEED_FAILED, "out of memory for a product of %lld × %lld × %lld", (long long)shape[0], (long long)shape[1],
                    (long long)shape[2]);
}

/* Products a second in the best of several windows, as the ceiling is counted.  They change an operand, which is then made anew: the
 * next product finds the values it would find alone. */
static double products_per_second(product *run, const layer *l, void *changed, int64_t count) {
  double best = 0, first = heed_seconds();
  run(l);
  for (int window = 0; window < LEAST_WINDOWS || (window < WINDOWS && heed_seconds() - first < SECONDS_A_PRODUCT); window++) {
    double begun = heed_seconds(), spent;
    int64_t runs = 0;
    do {
      run(l);
      runs++;
      spent = heed_seconds() - begun;
    } while (spent < HEED_CEILING_WINDOW);
    best = (double)runs / spent > best ? (double)runs / spent : best;
  }
  if (changed == l->w)
    fill(changed, count);
  else
    fill_elements(changed, l->kernels, count);
  return best;
}

/* The three products of a layer. */
static heed_status measure_shape(heed_gemm_result *results, const heed_kernels *kernels, const int64_t shape[3], heed_communication *c) {
  layer l;
  heed_status status = c->agree(c, prepare(&l, kernels, shape));
  const int64_t t = l.tokens, o = l.outputs, i = l.inputs;
  const struct {
    product *run, *peer;
    void *changed;
    heed_gemm_result result;
  } forms[HEED_GEMM_FORMS] = {{forward, peer_forward, l.y, {.m = t, .n = o, .k = i, .trans = "NT"}},
                              {backward_input, peer_backward_input, l.x, {.m = t, .n = i, .k = o, .trans = "NN"}},
                              {backward_weight, peer_backward_weight, l.w, {.m = o, .n = i, .k = t, .trans = "TN"}}};
  for (int form = 0; form < HEED_GEMM_FORMS && status == HEED_OK; form++) {
    heed_gemm_result *r = &results[form];
    *r = forms[form].result;
    c->barrier(c);
    double flops = 2.0 * (double)r->m * (double)r->n * (double)r->k;
    r->flops_per_second = heed_ceiling_sum(flops * products_per_second(forms[form].run, &l, forms[form].changed, r->m * r->n), c);
    if (kernels->element_bytes == sizeof(float))
      r->peer = heed_ceiling_sum(flops * products_per_second(forms[form].peer, &l, forms[form].changed, r->m * r->n), c);
  }
  release(&l);
  return status;
}

/* min(peak, operations over the time that reading both factors and writing the product once takes). */
static double bound(const heed_gemm_result *r, heed_precision precision, double peak, double bandwidth) {
  double m = (double)r->m, n = (double)r->n, k = (double)r->k;
  double element = precision == HEED_BF16 ? 2 : 4; /* bytes of what is multiplied; forward gives elements, the gradients are floats */
  double bytes = element * (m * k + k * n) + (strcmp(r->trans, "NT") == 0 ? element : 4) * m * n;
  double limit = 2 * m * n * k / bytes * bandwidth;
  return limit < peak ? limit : peak;
}

/* Gives all their ceilings; NULL, or one that lies above its own. */
static const heed_gemm_result *judge(heed_gemm_result *results, int64_t count, heed_precision precision, double peak, double bandwidth) {
  const heed_gemm_result *above = NULL;
  for (int64_t i = 0; i < count; i++) {
    results[i].ceiling = bound(&results[i], precision, peak, bandwidth);
    if (results[i].flops_per_second > results[i].ceiling)
      above = &results[i];
  }
  return above;
}

heed_status heed_gemm_measure(heed_gemm_result *results, const int64_t (*shapes)[3], int64_t count, heed_precision precision,
                              const heed_kernels *kernels, heed_communication *c, int64_t ranks_on_node) {
  kernels = heed_kernels_of(kernels, precision);
  double bandwidth = 0, peak = 0;
  heed_ceiling_raise_flops(&peak, precision, c);
  HEED_TRY(c->agree(c, heed_blas_check()));
  HEED_TRY(heed_ceiling_raise_bandwidth(&bandwidth, c, ranks_on_node));
  for (int64_t s = 0; s < count; s++) {
    HEED_TRY(measure_shape(results + s * HEED_GEMM_FORMS, kernels, shapes[s], c));
    heed_ceiling_raise_flops(&peak, precision, c);
  }
  HEED_TRY(heed_ceiling_raise_bandwidth(&bandwidth, c, ranks_on_node));
  const heed_gemm_result *above;
  for (int more = 0; (above = judge(results, count * HEED_GEMM_FORMS, precision, peak, bandwidth)) && more < HEED_CEILING_MORE; more++) {
    heed_ceiling_raise_flops(&peak, precision, c);
    HEED_TRY(heed_ceiling_raise_bandwidth(&bandwidth, c, ranks_on_node));
  }
  if (above)
    return heed_error(HEED_FAILED,
                      "the product %lld × %lld × %lld %s reached %.1f GFLOP/s, above the ceiling of %.1f: the ceiling was disturbed, run "
                      "again on a quiet machine",
                      (long long)above->m, (long long)above->n, (long long)above->k, above->trans, above->flops_per_second / 1e9,
                      above->ceiling / 1e9);
  return HEED_OK;
}

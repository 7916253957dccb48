#include "measure/gemm.h"

#include <omp.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/clock.h"
#include "measure/ceiling.h"
#include "measure/median.h"

enum { SLICES = 8, FORMS = 3, LEAST_RUNS = 5, MOST_RUNS = 200 };
#define SECONDS_A_PRODUCT 0.25

/* Linear layers: tokens × outputs × inputs.  A cube for comparison, then BERT-mini's and -base's, and mini's decoder. */
static const int64_t shapes[][3] = {{512, 512, 512},  {2048, 256, 256},  {2048, 1024, 256}, {2048, 256, 1024},
                                    {4096, 768, 768}, {4096, 3072, 768}, {4096, 768, 3072}, {640, 30522, 256}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The operands of one linear layer and its backward. */
typedef struct layer {
  const heed_kernels *kernels;
  float *x, *w, *bias, *y, *scratch; /* [tokens, inputs], [outputs, inputs], [outputs], [tokens, outputs] */
  int64_t tokens, outputs, inputs, scratch_floats;
  int64_t starts[SLICES + 1];
} layer;

typedef void product(const layer *l);

static void forward(const layer *l) {
#pragma omp parallel
  l->kernels->linear_forward(l->y, l->x, l->w, l->bias, l->starts, SLICES, l->inputs, l->outputs);
}
static void backward_input(const layer *l) {
#pragma omp parallel
  l->kernels->linear_backward_input(l->x, l->y, l->w, l->starts, SLICES, l->inputs, l->outputs, false);
}
static void backward_weight(const layer *l) {
#pragma omp parallel
  l->kernels->linear_backward_weight(l->w, NULL, l->y, l->x, l->starts, SLICES, l->inputs, l->outputs,
                                     l->scratch + l->scratch_floats * omp_get_thread_num());
}

static void fill(float *values, int64_t count) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++)
    values[i] = (float)(i * 37 % 101 - 50) * 1e-3f;
}

static float *floats(int64_t count) {
  float *values = aligned_alloc(64, (size_t)(count + 15) / 16 * 64);
  if (values)
    fill(values, count);
  return values;
}

static void release(layer *l) {
  free(l->x);
  free(l->w);
  free(l->bias);
  free(l->y);
  free(l->scratch);
}

static heed_status prepare(layer *l, const heed_kernels *kernels, const int64_t shape[3]) {
  *l = (layer){.kernels = kernels, .tokens = shape[0], .outputs = shape[1], .inputs = shape[2]};
  for (int64_t g = 0; g <= SLICES; g++)
    l->starts[g] = l->tokens * g / SLICES;
  l->scratch_floats = kernels->scratch_floats(SLICES, 1, 64);
  l->x = floats(l->tokens * l->inputs);
  l->w = floats(l->outputs * l->inputs);
  l->bias = floats(l->outputs);
  l->y = floats(l->tokens * l->outputs);
  l->scratch = floats(l->scratch_floats * omp_get_max_threads());
  if (l->x && l->w && l->bias && l->y && l->scratch)
    return HEED_OK;
  return heed_error(HEED_FAILED, "out of memory for a product of %lld × %lld × %lld", (long long)shape[0], (long long)shape[1],
                    (long long)shape[2]);
}

/* The median time of one product.  Gradients change an operand, so it is made anew: values must not grow over the runs. */
static double time_product(product *run, const layer *l, float *changed, int64_t count) {
  double seconds[MOST_RUNS], begun = heed_seconds();
  int runs = 0;
  run(l);
  while (runs < LEAST_RUNS || (runs < MOST_RUNS && heed_seconds() - begun < SECONDS_A_PRODUCT)) {
    double before = heed_seconds();
    run(l);
    seconds[runs++] = heed_seconds() - before;
  }
  fill(changed, count);
  return heed_median(seconds, runs);
}

/* The three products of a layer. */
static heed_status measure_shape(heed_gemm_result *results, const heed_kernels *kernels, const int64_t shape[3], heed_communication *c) {
  layer l;
  heed_status status = c->agree(c, prepare(&l, kernels, shape));
  const int64_t t = l.tokens, o = l.outputs, i = l.inputs;
  const struct {
    product *run;
    float *changed;
    heed_gemm_result result;
  } forms[FORMS] = {{forward, l.y, {.m = t, .n = o, .k = i, .trans = "NT"}},
                    {backward_input, l.x, {.m = t, .n = i, .k = o, .trans = "NN"}},
                    {backward_weight, l.w, {.m = o, .n = i, .k = t, .trans = "TN"}}};
  for (int form = 0; form < FORMS && status == HEED_OK; form++) {
    heed_gemm_result *r = &results[form];
    *r = forms[form].result;
    c->barrier(c);
    double seconds = time_product(forms[form].run, &l, forms[form].changed, r->m * r->n);
    r->flops_per_second = heed_ceiling_sum(2.0 * (double)r->m * (double)r->n * (double)r->k / seconds, c);
  }
  release(&l);
  return status;
}

/* min(peak, operations over the time that reading both factors and writing the product once takes). */
static double bound(const heed_gemm_result *r, double peak, double bandwidth) {
  double m = (double)r->m, n = (double)r->n, k = (double)r->k;
  double bytes = sizeof(float) * (m * k + k * n + m * n), limit = 2 * m * n * k / bytes * bandwidth;
  return limit < peak ? limit : peak;
}

static heed_status judge(heed_gemm_result *results, int64_t count, double peak, double bandwidth) {
  for (int64_t i = 0; i < count; i++) {
    heed_gemm_result *r = &results[i];
    r->ceiling = bound(r, peak, bandwidth);
    if (r->flops_per_second > r->ceiling)
      return heed_error(HEED_FAILED,
                        "the product %lld × %lld × %lld %s reached %.1f GFLOP/s, above the ceiling of %.1f: the ceiling was "
                        "disturbed, run again on a quiet machine",
                        (long long)r->m, (long long)r->n, (long long)r->k, r->trans, r->flops_per_second / 1e9, r->ceiling / 1e9);
  }
  return HEED_OK;
}

heed_status heed_gemm_measure(heed_gemm_result **out, int64_t *count, const heed_kernels *kernels, heed_communication *c,
                              int64_t ranks_on_node) {
  double bandwidth, again, peak = heed_ceiling_flops(c);
  HEED_TRY(c->agree(c, heed_blas_check()));
  HEED_TRY(heed_ceiling_bandwidth(&bandwidth, c, ranks_on_node));
  heed_gemm_result *results = calloc((size_t)SHAPES * FORMS, sizeof *results);
  heed_status status = c->agree(c, results ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the results"));
  for (int s = 0; s < SHAPES && status == HEED_OK; s++) {
    status = measure_shape(results + s * FORMS, kernels, shapes[s], c);
    again = heed_ceiling_flops(c);
    peak = again > peak ? again : peak;
  }
  if (status == HEED_OK)
    status = heed_ceiling_bandwidth(&again, c, ranks_on_node);
  if (status == HEED_OK)
    status = judge(results, SHAPES * FORMS, peak, again > bandwidth ? again : bandwidth);
  if (status != HEED_OK) {
    free(results);
    return status;
  }
  *out = results;
  *count = SHAPES * FORMS;
  return HEED_OK;
}

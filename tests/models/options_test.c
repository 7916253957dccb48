/* Options of any family, alone and together: each model's gradient is the slope of its loss, and its bits depend neither on threads nor on
 * which slices go through together. */
#include <omp.h>

#include "models/options.h"
#include "models/told.h"

typedef struct run {
  heed_model *model;
  const heed_parameter_table *table;
  float *weights, *gradients; /* the second gradient of the tied table still apart */
  heed_slice_sums sums[SEQUENCES];
} run;

static const uint32_t seed = 7;

/** The kernels of the runs: fp32, or the same level's for bf16. */
static const heed_kernels *kernels;

static const heed_kernels *kernels_of(bool bf16) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(best);
  return bf16 ? best->bf16 : best;
}

static run start(const option *o, int64_t rows, int64_t slices, double dropout) {
  run r = {0};
  heed_model_config config = o->config;
  config.dropout = config.attention_dropout = dropout;
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * POSITIONS,
                            .targets = rows * POSITIONS,
                            .slices = slices,
                            .longest = POSITIONS,
                            .training = true,
                            .token_head = true};
  r.model = option_model_of(&config, &sizes, kernels);
  r.table = heed_model_table(r.model);
  r.weights = option_weights(r.table);
  r.gradients = test_floats(r.table->gradient_total);
  memset(r.gradients, 0xFF, (size_t)r.table->gradient_total * sizeof *r.gradients); /* NaN: all of it is written */
  return r;
}

static run train(const option *o, int64_t first, int64_t rows, int64_t slices) {
  run r = start(o, rows, slices, 0.1);
  heed_batch batch = make_batch(first, rows, slices);
  heed_model_train(r.model, r.weights, r.gradients, &batch, seed, 0, r.sums);
  heed_batch_free(&batch);
  return r;
}

/* ---- the slope ---- */

static double loss_at(run *r, const heed_batch *batch, const float *weights) {
  heed_slice_sums sums[2];
  float *ignored = test_floats(r->table->gradient_total);
  heed_model_train(r->model, weights, ignored, batch, seed, 0, sums);
  test_release_to(test_pool_count - 1);
  return sums[0].token_loss + sums[1].token_loss;
}

/* A direction in which all tensors count alike. */
static double direction(const heed_parameter *p, int64_t i) {
  return test_number(99, p->offset + i) / sqrt((double)p->count);
}

/* The slope of the loss along the direction by central differences, with dropout: its masks are the same at each call. */
static double difference(run *r, const heed_batch *batch, double step) {
  float *moved = test_floats(r->table->total);
  double loss[2];
  for (int sign = 0; sign < 2; sign++) {
    for (int64_t n = 0; n < r->table->count; n++)
      for (int64_t i = 0; i < r->table->items[n].count; i++) {
        int64_t at = r->table->items[n].offset + i;
        moved[at] = r->weights[at] + (float)((sign ? -step : step) * direction(&r->table->items[n], i));
      }
    loss[sign] = loss_at(r, batch, moved);
  }
  return (loss[0] - loss[1]) / (2 * step);
}

/* What the gradients say of it; `parts` takes each tensor's part. */
static double predicted(const run *r, double *parts) {
  double slope = 0;
  for (int64_t n = 0; n < r->table->count; n++) {
    const heed_parameter *p = &r->table->items[n];
    parts[n] = 0;
    for (int64_t i = 0; i < p->count; i++)
      parts[n] += (double)(r->gradients[p->offset + i] + (n == 0 ? r->gradients[r->table->tied[0].offset + i] : 0)) * direction(p, i);
    slope += parts[n];
  }
  return slope;
}

static void check_slope(const option *o) {
  run r = start(o, SEQUENCES, 2, 0.1);
  heed_batch batch = make_batch(0, SEQUENCES, 2);
  double *parts = test_doubles(r.table->count), size = 0;
  heed_model_train(r.model, r.weights, r.gradients, &batch, seed, 0, r.sums);
  double slope = predicted(&r, parts), coarse = fabs(difference(&r, &batch, 0.1) - slope),
         fine = fabs(difference(&r, &batch, 0.01) - slope);
  for (int64_t n = 0; n < r.table->count; n++)
    size += fabs(parts[n]);
  printf("\n    %-44s %.1e, then %.1e  ", o->name, coarse / size, fine / size);
  bool bends = o->config.activation == HEED_RELU || o->config.activation == HEED_REGLU; /* steps cross the edges of ReLU */
  CU_ASSERT(fine < (bends ? 5e-3 : 1e-3) * size);
  CU_ASSERT(fine < coarse / (bends ? 4 : 10)); /* of a smooth loss it falls as the square of the step */
  int64_t found = 0;                           /* the test of the test: of most tensors a gradient that is missing would be seen */
  for (int64_t n = 0; n < r.table->count; n++)
    found += fabs(parts[n]) > 2 * fine;
  CU_ASSERT((bends ? 3 : 2) * found > r.table->count);
  heed_batch_free(&batch);
  heed_model_free(r.model);
  test_release();
}

static void gradients_are_the_slope_of_the_loss(void) {
  kernels = kernels_of(false);
  for (size_t i = 0; i < OPTIONS; i++)
    check_slope(&options[i]);
}

/* What backward tells to be final is not written any more: another rank may be adding it up. */
static void gradients_are_told_when_final(void) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    kernels = kernels_of(bf16);
    for (size_t i = 0; i < OPTIONS; i++) {
      run r = start(&options[i], SEQUENCES, 2, 0.1);
      heed_batch batch = make_batch(0, SEQUENCES, 2);
      told t = told_begin(r.model, r.gradients);
      heed_model_tell_gradients(r.model, told_ready, &t);
      heed_model_train(r.model, r.weights, r.gradients, &batch, seed, 0, r.sums);
      told_check(&t, 2 * LAYERS);
      heed_model_tell_gradients(r.model, NULL, NULL);
      heed_model_train(r.model, r.weights, r.gradients, &batch, seed, 0, r.sums);
      CU_ASSERT_EQUAL(t.calls, 2 * LAYERS + 2);
      heed_batch_free(&batch);
      heed_model_free(r.model);
      test_release();
    }
  }
  kernels = kernels_of(false);
}

/* ---- the bits ---- */

/* Three pairs of rows as one call of three slices, and as three calls added along the tree. */
static void slices_may_go(void) {
  for (size_t i = 0; i < OPTIONS; i++) {
    run whole = train(&options[i], 0, SEQUENCES, 3), part[3];
    int64_t differing = 0;
    for (int n = 0; n < 3; n++)
      part[n] = train(&options[i], 2 * n, 2, 1);
    for (int64_t j = 0; j < whole.table->gradient_total; j++) {
      float sum = (part[0].gradients[j] + part[1].gradients[j]) + part[2].gradients[j];
      differing += memcmp(&sum, &whole.gradients[j], sizeof sum) != 0;
    }
    if (differing)
      printf("(%s: %d differ) ", options[i].name, (int)differing);
    CU_ASSERT_EQUAL(differing, 0);
    for (int n = 0; n < 3; n++) {
      CU_ASSERT(whole.sums[n].token_loss == part[n].sums[0].token_loss);
      heed_model_free(part[n].model);
    }
    heed_model_free(whole.model);
    test_release();
  }
}

static void slices_may_go_separately(void) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    kernels = kernels_of(bf16 == 1);
    slices_may_go();
  }
}

static void try_threads(void) {
  int before = omp_get_max_threads();
  for (size_t i = 0; i < OPTIONS; i++) {
    omp_set_num_threads(1);
    run one = train(&options[i], 0, SEQUENCES, 3);
    for (int threads = 2; threads <= 3; threads++) {
      omp_set_num_threads(threads);
      run many = train(&options[i], 0, SEQUENCES, 3);
      CU_ASSERT_EQUAL(memcmp(one.gradients, many.gradients, (size_t)one.table->gradient_total * sizeof(float)), 0);
      CU_ASSERT_EQUAL(memcmp(one.sums, many.sums, sizeof one.sums), 0);
      heed_model_free(many.model);
    }
    heed_model_free(one.model);
    test_release();
  }
  omp_set_num_threads(before);
}

static void threads_do_not_matter(void) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    kernels = kernels_of(bf16 == 1);
    try_threads();
  }
}

/* ---- bf16 ---- */

/* A rounding to bf16 moves a value by 2⁻⁸ of itself at most, and by 2⁻⁹·⁴ in the mean square.  From words to loss and back a value and its
 * gradient go through some 10 roundings in each of the 8 sublayers, which are as good as independent: √80 · 2⁻⁹·⁴ = 1.3% of a gradient.
 * A tensor whose parts cancel, as those of keys and queries do, is off by more of itself, but not by more of all.  Where the activation
 * bends, some 2⁻⁹ of the inputs end on the other side of the edge, and of each layer's gradient their share by norm, √2⁻⁹ = 4%. */
static const double loss_bound = 0.01, gradient_bound = 0.05, gradient_floor = 0.005;

/* Tensors whose gradients are further apart than that; `worst` is the largest share of it. */
static int64_t tensors_off(const heed_parameter_table *table, const float *bf16, const double *fp32, bool bends, double *worst) {
  int64_t off = 0;
  double all = 0;
  for (int64_t i = 0; i < table->total; i++)
    all += fp32[i] * fp32[i];
  for (int64_t n = 0; n < table->count; n++) {
    const heed_parameter *p = &table->items[n];
    double error = 0, size = 0;
    for (int64_t i = p->offset; i < p->offset + p->count; i++) {
      error += ((double)bf16[i] - fp32[i]) * ((double)bf16[i] - fp32[i]);
      size += fp32[i] * fp32[i];
    }
    double share = sqrt(error) / ((bends ? 4.0 : 1.0) * (gradient_bound * sqrt(size) + gradient_floor * sqrt(all)));
    *worst = fmax(*worst, share);
    off += !(share < 1.0);
  }
  return off;
}

static void check_bf16(const option *o) {
  double worst = 0, broken = 0;
  bool bends = o->config.activation == HEED_RELU || o->config.activation == HEED_REGLU;
  kernels = kernels_of(false);
  run fp32 = train(o, 0, SEQUENCES, 3);
  kernels = kernels_of(true);
  run bf16 = train(o, 0, SEQUENCES, 3);
  const heed_parameter_table *table = fp32.table;
  double *wide = test_widen(fp32.gradients, table->gradient_total);
  for (int g = 0; g < 3; g++) {
    CU_ASSERT_DOUBLE_EQUAL(bf16.sums[g].token_loss, fp32.sums[g].token_loss, loss_bound * fp32.sums[g].token_loss);
    CU_ASSERT(bf16.sums[g].token_loss != fp32.sums[g].token_loss);
  }
  CU_ASSERT_EQUAL(tensors_off(table, bf16.gradients, wide, bends, &worst), 0);
  CU_ASSERT(worst > 0.01);
  printf("\n    %-44s gradients %.2f of the bound  ", o->name, worst);
  int64_t last = 0; /* the test of the test: the largest tensor, half as large again, must be found */
  for (int64_t n = 0; n < table->count; n++)
    last = table->items[n].count > table->items[last].count ? n : last;
  for (int64_t i = 0; i < table->items[last].count; i++)
    bf16.gradients[table->items[last].offset + i] *= 1.5f;
  CU_ASSERT_EQUAL(tensors_off(table, bf16.gradients, wide, bends, &broken), 1);
  heed_model_free(fp32.model);
  heed_model_free(bf16.model);
  test_release();
}

static void bf16_is_near_fp32(void) {
  for (size_t i = 0; i < OPTIONS; i++)
    check_bf16(&options[i]);
}

/* ---- options ---- */

/* A window that reaches beyond all makes every layer local, which sees what a global one does: so each kind of layer turns by its own base.
 */
static void each_kind_of_layer_turns_by_its_own_base(void) {
  kernels = kernels_of(false);
  option global = {"global", {BERT, .biases = true, .positions = HEED_POSITIONS_ROTARY, .rotary_theta = 9, .rotary_theta_local = 60}};
  option local = {"local", {BERT, .biases = true, .positions = HEED_POSITIONS_ROTARY, .rotary_theta = 60, .rotary_theta_local = 9}};
  option mixed = local;
  local.config.window = mixed.config.window = POSITIONS;
  mixed.config.global_every = 2;
  run runs[3] = {train(&global, 0, SEQUENCES, 1), train(&local, 0, SEQUENCES, 1), train(&mixed, 0, SEQUENCES, 1)};
  CU_ASSERT_DOUBLE_EQUAL(runs[0].sums[0].token_loss, runs[1].sums[0].token_loss, 1e-4);
  CU_ASSERT(fabs(runs[0].sums[0].token_loss - runs[2].sums[0].token_loss) > 1e-3);
  for (int i = 0; i < 3; i++)
    heed_model_free(runs[i].model);
  test_release();
}

/* The test of the tests: options that are nothing but another mask or place make another loss of the same weights. */
static void options_show(void) {
  kernels = kernels_of(false);
  run plain = train(&options[0], 0, SEQUENCES, 1);
  for (size_t i = 1; i < OPTIONS; i++) {
    run r = train(&options[i], 0, SEQUENCES, 1);
    if (r.table->total == plain.table->total)
      CU_ASSERT(fabs(r.sums[0].token_loss - plain.sums[0].token_loss) > 1e-4);
    heed_model_free(r.model);
  }
  heed_model_free(plain.model);
  test_release();
}

HEED_TESTS({"gradients are the slope of the loss", gradients_are_the_slope_of_the_loss},
           {"gradients are told when final", gradients_are_told_when_final}, {"slices may go separately", slices_may_go_separately},
           {"threads do not matter", threads_do_not_matter}, {"bf16 is near fp32", bf16_is_near_fp32},
           {"each kind of layer turns by its own base", each_kind_of_layer_turns_by_its_own_base}, {"options show", options_show})

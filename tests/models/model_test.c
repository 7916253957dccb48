/* The whole model against PyTorch on the same weights (tests/parity/make_fixture.py), and the bits of its gradients. */
#include "models/model.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/model_batch.h"
#include "models/told.h"

enum { WIDTH = 16 };

static heed_model_config config_of(void) {
  return (heed_model_config){.family = "bert",
                             .vocabulary_size = VOCABULARY,
                             .layers = 2,
                             .hidden = WIDTH,
                             .heads = 2,
                             .feed_forward = 32,
                             .max_positions = POSITIONS,
                             .token_types = 2,
                             .embedding_norm = true,
                             .biases = true,
                             .activation = HEED_GELU,
                             .layer_norm_epsilon = 1e-12,
                             .initializer_range = 0.02};
}

/* The fixture's weights: a hash of tensor and element (make_fixture.py: weight). */
static float *make_weights(const heed_parameter_table *table) {
  float *values = malloc((size_t)table->total * sizeof *values);
  for (int64_t i = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    double shift = strstr(p->name, "LayerNorm.weight") ? 1.0 : 0.0;
    for (int64_t j = 0; j < p->count; j++) {
      uint64_t x = ((uint64_t)j * 2654435761u + (uint64_t)(i + 1) * 40503u) & 0xFFFFFFFFu;
      x ^= x >> 16;
      x = (x * 73244475u) & 0xFFFFFFFFu;
      values[p->offset + j] = (float)(shift + 0.4 * ((double)x / 4294967296.0 - 0.5));
    }
  }
  return values;
}

typedef struct run {
  heed_model *model;
  float *weights, *gradients; /* the second gradient of the tied table still apart */
  heed_slice_sums sums[SEQUENCES];
  int64_t targets;
} run;

static run train(int64_t first, int64_t rows, int64_t slices, double dropout) {
  run r = {0};
  heed_model_config config = config_of();
  config.dropout = config.attention_dropout = dropout;
  heed_batch batch = make_batch(first, rows, slices);
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * POSITIONS,
                            .targets = rows * POSITIONS,
                            .slices = slices,
                            .longest = POSITIONS,
                            .training = true,
                            .next_sentence = true,
                            .token_head = true};
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&r.model, &config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(r.model), HEED_OK);
  const heed_parameter_table *table = heed_model_table(r.model);
  r.weights = make_weights(table);
  r.gradients = calloc((size_t)table->gradient_total, sizeof *r.gradients);
  r.targets = 16;
  heed_model_train(r.model, r.weights, r.gradients, &batch, 7, 16.0f / SEQUENCES, r.sums);
  heed_batch_free(&batch);
  return r;
}

static void release(run *r) {
  heed_model_free(r->model);
  free(r->weights);
  free(r->gradients);
}

static float *read_fixture(size_t *count) {
  FILE *file = fopen(HEED_SOURCE "/tests/models/bert_torch.bin", "rb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  float *values = malloc(65536 * sizeof *values);
  *count = fread(values, sizeof *values, 65536, file);
  fclose(file);
  return values;
}

static double norm(const float *x, const float *y, int64_t count, double scale) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    double d = (x ? x[i] * scale : 0) - (y ? y[i] : 0);
    sum += d * d;
  }
  return sqrt(sum);
}

static void logits_and_losses_equal_torch(void) {
  size_t count;
  float *fixture = read_fixture(&count);
  run r = train(0, SEQUENCES, 1, 0);
  heed_batch batch = make_batch(0, SEQUENCES, 1);
  const float *logits = heed_model_logits(r.model, r.weights, &batch);
  CU_ASSERT_EQUAL_FATAL(batch.targets, 16);
  double error = norm(logits, fixture + 2, batch.targets * VOCABULARY, 1), size = norm(NULL, fixture + 2, batch.targets * VOCABULARY, 1);
  printf("logits %.2e  ", error / size);
  CU_ASSERT(error <= 1e-5 * size);
  CU_ASSERT_DOUBLE_EQUAL(r.sums[0].token_loss / 16, fixture[0], 1e-5);
  CU_ASSERT_DOUBLE_EQUAL(r.sums[0].next_sentence_loss / SEQUENCES, fixture[1], 1e-5);
  heed_batch_free(&batch);
  free(fixture);
  release(&r);
}

/* ‖Δg‖ ≤ 1e-4·‖g‖ + 1e-6·‖g of all‖ for each tensor: a key bias's gradient is zero in exact arithmetic. */
static int tensors_off(const heed_parameter_table *table, const float *gradients, const float *expected, double *worst) {
  int off = 0;
  double all = norm(NULL, expected, table->total, 1);
  *worst = 0;
  for (int64_t i = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    double error = norm(gradients + p->offset, expected + p->offset, p->count, 1.0 / 16),
           size = norm(NULL, expected + p->offset, p->count, 1);
    double share = error / (1e-4 * size + 1e-6 * all);
    *worst = share > *worst ? share : *worst;
    off += share > 1;
  }
  return off;
}

static void gradients_equal_torch(void) {
  size_t count;
  double worst;
  float *fixture = read_fixture(&count);
  for (int64_t slices = 1; slices <= SEQUENCES; slices = slices == 3 ? 6 : slices + 1) {
    run r = train(0, SEQUENCES, slices, 0);
    const heed_parameter_table *table = heed_model_table(r.model);
    const float *expected = fixture + 2 + 16 * VOCABULARY, *second = r.gradients + table->tied[0].offset;
    CU_ASSERT_EQUAL_FATAL(count, (size_t)(2 + 16 * VOCABULARY + table->total));
    for (int64_t j = 0; j < table->items[0].count; j++)
      r.gradients[j] += second[j];
    CU_ASSERT_EQUAL(tensors_off(table, r.gradients, expected, &worst), 0);
    /* The test of the test: one tensor (a query bias) a little off must be found. */
    for (int64_t j = 0; j < table->items[8].count; j++)
      r.gradients[table->items[8].offset + j] *= 1.01f;
    double broken;
    CU_ASSERT_EQUAL(tensors_off(table, r.gradients, expected, &broken), 1);
    release(&r);
  }
  printf("worst %.3f of the bound  ", worst);
  free(fixture);
}

/* Three pairs of rows as one call of three slices, and as three calls added along the tree: the same bits, with dropout. */
static void slices_may_go_separately(void) {
  run whole = train(0, SEQUENCES, 3, 0.1), part[3] = {train(0, 2, 1, 0.1), train(2, 2, 1, 0.1), train(4, 2, 1, 0.1)};
  int64_t total = heed_model_table(whole.model)->gradient_total, differing = 0;
  for (int64_t i = 0; i < total; i++) {
    float sum = (part[0].gradients[i] + part[1].gradients[i]) + part[2].gradients[i];
    differing += memcmp(&sum, &whole.gradients[i], sizeof sum) != 0;
  }
  CU_ASSERT_EQUAL(differing, 0);
  CU_ASSERT(whole.sums[1].token_loss == part[1].sums[0].token_loss);
  release(&whole);
  for (int i = 0; i < 3; i++)
    release(&part[i]);
}

static void threads_do_not_matter(void) {
  int before = omp_get_max_threads();
  omp_set_num_threads(1);
  run one = train(0, SEQUENCES, 3, 0.1);
  for (int threads = 2; threads <= 4; threads++) {
    omp_set_num_threads(threads);
    run many = train(0, SEQUENCES, 3, 0.1);
    CU_ASSERT_EQUAL(memcmp(one.gradients, many.gradients, (size_t)heed_model_table(one.model)->gradient_total * sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(one.sums, many.sums, sizeof one.sums), 0);
    release(&many);
  }
  omp_set_num_threads(before);
  release(&one);
}

/* Directional derivative of the loss by central differences, with dropout on: its masks are the same at each call. */
static void gradient_is_the_slope_of_the_loss(void) {
  run r = train(0, SEQUENCES, 2, 0.1);
  const heed_parameter_table *table = heed_model_table(r.model);
  heed_batch batch = make_batch(0, SEQUENCES, 2);
  float *moved = malloc((size_t)table->total * sizeof *moved), *ignored = calloc((size_t)table->gradient_total, sizeof *ignored);
  double slope = 0, error[2];
  for (int64_t i = 0; i < table->total; i++)
    slope += (r.gradients[i] + (i < table->items[0].count ? r.gradients[table->tied[0].offset + i] : 0)) * cos((double)i);
  for (int n = 0; n < 2; n++) {
    double step = n == 0 ? 8e-3 : 1e-3, loss[2];
    for (int sign = 0; sign < 2; sign++) {
      heed_slice_sums sums[2];
      for (int64_t i = 0; i < table->total; i++)
        moved[i] = r.weights[i] + (float)((sign ? -step : step) * cos((double)i));
      heed_model_train(r.model, moved, ignored, &batch, 7, 16.0f / SEQUENCES, sums);
      loss[sign] = sums[0].token_loss + sums[1].token_loss + 16.0 / SEQUENCES * (sums[0].next_sentence_loss + sums[1].next_sentence_loss);
    }
    error[n] = fabs((loss[0] - loss[1]) / (2 * step) - slope) / fabs(slope);
  }
  printf("error %.1e, then %.1e  ", error[0], error[1]);
  CU_ASSERT(error[1] < 2e-3);
  CU_ASSERT(error[1] < error[0]);
  heed_batch_free(&batch);
  free(moved);
  free(ignored);
  release(&r);
}

/* With the next-sentence head, whose gradients come after the token head's and lie before them. */
static void gradients_are_told_when_final(void) {
  run r = train(0, SEQUENCES, 2, 0.1);
  heed_batch batch = make_batch(0, SEQUENCES, 2);
  told t = told_begin(r.model, r.gradients);
  heed_model_tell_gradients(r.model, told_ready, &t);
  heed_model_train(r.model, r.weights, r.gradients, &batch, 7, 16.0f / SEQUENCES, r.sums);
  told_check(&t, 2 * 2);
  heed_batch_free(&batch);
  test_release();
  release(&r);
}

static void unknown_family_is_refused(void) {
  heed_model *model;
  heed_model_config config = config_of();
  heed_model_sizes sizes = {.sequences = 1, .tokens = 16, .targets = 2, .slices = 1, .longest = 16};
  config.family = "rnn";
  CU_ASSERT_EQUAL(heed_model_create(&model, &config, &sizes, heed_kernels_choose(NULL)), HEED_INVALID);
}

HEED_TESTS({"logits and losses equal torch", logits_and_losses_equal_torch}, {"gradients equal torch", gradients_equal_torch},
           {"slices may go separately", slices_may_go_separately}, {"threads do not matter", threads_do_not_matter},
           {"the gradient is the slope of the loss", gradient_is_the_slope_of_the_loss},
           {"gradients are told when final", gradients_are_told_when_final}, {"an unknown family is refused", unknown_family_is_refused})

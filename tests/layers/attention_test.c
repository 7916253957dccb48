/* The attention body against its twin in double; what a sequence sees, and what it does not. */
#include "layers/attention.h"

#include "layers/body.h"
#include "layers/layer_test.h"
#include "reference/attention.h"
#include "reference/linear.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH };

static void make(layer_fixture *f, heed_body *body, bool training) {
  layer_begin(f, training);
  CU_ASSERT_EQUAL_FATAL(heed_self_attention_body.plan(body, &f->plan, &f->config, "layer.0."), HEED_OK);
  if (training)
    heed_self_attention_body.plan_backward(body, &f->plan);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"layer.0.attention.self.query.weight", C, C},   {"layer.0.attention.self.key.weight", C, C},
                                      {"layer.0.attention.self.value.weight", C, C},   {"layer.0.attention.self.query.bias", C, 0},
                                      {"layer.0.attention.self.key.bias", C, 0},       {"layer.0.attention.self.value.bias", C, 0},
                                      {"layer.0.attention.output.dense.weight", C, C}, {"layer.0.attention.output.dense.bias", C, 0}};
  layer_fixture f;
  heed_body body;
  make(&f, &body, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(body.attention.heads, LAYER_HEADS);
  CU_ASSERT_EQUAL(body.attention.head_width, C / LAYER_HEADS);
  CU_ASSERT_EQUAL(body.attention.site, 0);
  CU_ASSERT_EQUAL(f.plan.next_site, 1);
  layer_end(&f);
}

/* What the twins work on: the same layout as the layer's, in double. */
typedef struct twin {
  heed_attention_shape shape;
  heed_dropout dropout;
  double *qkv, *lse, *attended, *y;
} twin;

static twin twin_forward(const layer_fixture *f, const heed_attention *a, const double *x) {
  const double *p = f->wide_parameters;
  const int64_t *offsets = f->batch.stream.offsets;
  twin w = {.shape = {.sequences = LAYER_ROWS,
                      .heads = LAYER_HEADS,
                      .head_width = C / LAYER_HEADS,
                      .q_offsets = offsets,
                      .kv_offsets = offsets,
                      .q_stride = 3 * C,
                      .kv_stride = 3 * C,
                      .out_stride = C,
                      .scale = (float)sqrt((double)LAYER_HEADS / C),
                      .behind = HEED_EVERYWHERE,
                      .ahead = HEED_EVERYWHERE},
            .dropout = {.scale = 1},
            .qkv = test_doubles(3 * COUNT),
            .lse = test_doubles(LAYER_TOKENS * LAYER_HEADS),
            .attended = test_doubles(COUNT),
            .y = test_doubles(COUNT)};
  if (f->plan.training) /* a quarter of 65,536 */
    w.dropout = (heed_dropout){16384, (float)(4.0 / 3.0), f->context.seed, f->batch.data_position, a->site, (uint32_t)f->batch.first_row};
  reference_linear_forward(w.qkv, x, p + a->query_key_value.weight, p + a->query_key_value.bias, LAYER_TOKENS, C, 3 * C);
  reference_attention_forward(w.attended, w.lse, w.qkv, w.qkv + C, w.qkv + 2 * C, &w.shape, &w.dropout);
  reference_linear_forward(w.y, w.attended, p + a->output.weight, p + a->output.bias, LAYER_TOKENS, C, C);
  return w;
}

/* Returns d_x. */
static double *twin_backward(const layer_fixture *f, const heed_attention *a, const twin *w, const double *d_y, const double *x) {
  const double *p = f->wide_parameters;
  double *g = f->wide_gradients, *d_attended = test_doubles(COUNT), *d_qkv = test_doubles(3 * COUNT), *d_x = test_doubles(COUNT);
  reference_linear_backward(d_attended, g + a->output.weight, g + a->output.bias, d_y, w->attended, p + a->output.weight, LAYER_TOKENS, C,
                            C);
  reference_attention_backward(d_qkv, d_qkv + C, d_qkv + 2 * C, d_attended, w->qkv, w->qkv + C, w->qkv + 2 * C, &w->shape, &w->dropout);
  reference_linear_backward(d_x, g + a->query_key_value.weight, g + a->query_key_value.bias, d_qkv, x, p + a->query_key_value.weight,
                            LAYER_TOKENS, C, 3 * C);
  return d_x;
}

/* A key's bias moves all scores of a query alike: its gradient is zero but for what it began with, so the fixture's bound holds. */
static void equals_its_twin_with_dropout(void) {
  layer_fixture f;
  heed_body body;
  make(&f, &body, true);
  layer_commit(&f);
  float *x = test_random(COUNT, 3, 1.0), *d_y = test_random(COUNT, 4, 1.0), *d_x = test_random(COUNT, 5, 1.0), *y = test_floats(COUNT);
  double *wide_x = test_widen(x, COUNT), *before = test_widen(d_x, COUNT);
  twin w = twin_forward(&f, &body.attention, wide_x);
  double *want = twin_backward(&f, &body.attention, &w, test_widen(d_y, COUNT), wide_x);
  for (int64_t i = 0; i < COUNT; i++)
    want[i] += before[i];
#pragma omp parallel
  {
    heed_self_attention_body.forward(&f.context, y, x, &body);
    heed_self_attention_body.backward(&f.context, d_x, d_y, x, &body);
  }
  CU_ASSERT(test_error(y, w.y, COUNT) < layer_bound);
  CU_ASSERT(test_error(d_x, want, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void forward(layer_fixture *f, const heed_body *body, float *y, const float *x) {
#pragma omp parallel
  heed_self_attention_body.forward(&f->context, y, x, body);
}

static void has_no_dropout_outside_training(void) {
  layer_fixture f;
  heed_body body;
  make(&f, &body, false);
  layer_commit(&f);
  float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT);
  twin w = twin_forward(&f, &body.attention, test_widen(x, COUNT));
  forward(&f, &body, y, x);
  CU_ASSERT(test_error(y, w.y, COUNT) < layer_bound);
  f.context.training = true; /* the test of the test */
  forward(&f, &body, y, x);
  CU_ASSERT(test_error(y, w.y, COUNT) > 0.01);
  layer_end(&f);
}

/* Other tokens in the third sequence: not a bit of the others changes, in training too. */
static void sequences_do_not_see_each_other(void) {
  layer_fixture f;
  heed_body body;
  make(&f, &body, true);
  layer_commit(&f);
  float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT), *other = test_floats(COUNT);
  const int64_t *offsets = f.batch.stream.offsets;
  int64_t first = offsets[2] * C, end = offsets[3] * C;
  forward(&f, &body, y, x);
  for (int64_t i = first; i < end; i++)
    x[i] = 50 - x[i];
  forward(&f, &body, other, x);
  CU_ASSERT_EQUAL(memcmp(y, other, (size_t)first * sizeof *y), 0);
  CU_ASSERT_EQUAL(memcmp(y + end, other + end, (size_t)(COUNT - end) * sizeof *y), 0);
  for (int64_t t = offsets[2]; t < offsets[3]; t++)
    CU_ASSERT(memcmp(y + t * C, other + t * C, C * sizeof *y) != 0);
  layer_end(&f);
}

/* The order of the tokens is told by the embedding alone: tokens that change places take their outputs with them. */
static void order_does_not_matter(void) {
  layer_fixture f;
  heed_body body;
  make(&f, &body, false);
  layer_commit(&f);
  float *x = test_random(COUNT, 3, 1.0), *turned = test_floats(COUNT), *y = test_floats(COUNT), *y_turned = test_floats(COUNT);
  double *want = test_doubles(COUNT);
  const int64_t *offsets = f.batch.stream.offsets;
  forward(&f, &body, y, x);
  for (int64_t b = 0; b < LAYER_ROWS; b++)
    for (int64_t t = offsets[b]; t < offsets[b + 1]; t++) {
      int64_t place = offsets[b] + offsets[b + 1] - 1 - t;
      memcpy(turned + place * C, x + t * C, C * sizeof *x);
      for (int64_t c = 0; c < C; c++)
        want[place * C + c] = (double)y[t * C + c];
    }
  forward(&f, &body, y_turned, turned);
  CU_ASSERT(test_error(y_turned, want, COUNT) < 1e-6); /* the same sums in another order */
  layer_end(&f);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces}, {"equals its twin, with dropout", equals_its_twin_with_dropout},
           {"has no dropout outside training", has_no_dropout_outside_training},
           {"sequences do not see each other", sequences_do_not_see_each_other}, {"order does not matter", order_does_not_matter})

/* The attention body against its twin in double: what a query sees, how places turn it, where keys and values come from. */
#include "layers/attention.h"

#include "layers/attention_twin.h"

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"layer.0.attention.self.query.weight", C, C},   {"layer.0.attention.self.key.weight", C, C},
                                      {"layer.0.attention.self.value.weight", C, C},   {"layer.0.attention.self.query.bias", C, 0},
                                      {"layer.0.attention.self.key.bias", C, 0},       {"layer.0.attention.self.value.bias", C, 0},
                                      {"layer.0.attention.output.dense.weight", C, C}, {"layer.0.attention.output.dense.bias", C, 0}};
  layer_fixture f;
  heed_body body;
  twin_plan(&f, &body, &(variant){.biases = true}, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(body.attention.heads, LAYER_HEADS);
  CU_ASSERT_EQUAL(body.attention.head_width, C / LAYER_HEADS);
  CU_ASSERT_EQUAL(body.attention.site, 0);
  CU_ASSERT_EQUAL(f.plan.next_site, 1);
  layer_end(&f);
}

static void three_may_be_one_tensor(void) {
  static const layer_tensor want[] = {{"layer.0.attn.c_attn.weight", 3 * C, C},
                                      {"layer.0.attn.c_attn.bias", 3 * C, 0},
                                      {"layer.0.attn.c_proj.weight", C, C},
                                      {"layer.0.attn.c_proj.bias", C, 0}};
  layer_fixture f;
  heed_body body;
  twin_plan(&f, &body, &(variant){.biases = true, .fused = true}, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  layer_end(&f);
}

static void cross_attention_has_maps_of_its_own(void) {
  static const layer_tensor want[] = {{"layer.0.attention.self.query.weight", C, C},
                                      {"layer.0.attention.self.key.weight", C, C},
                                      {"layer.0.attention.self.value.weight", C, C},
                                      {"layer.0.attention.output.dense.weight", C, C}};
  layer_fixture f;
  heed_body body;
  twin_plan(&f, &body, &(variant){.cross = true}, false); /* and without biases */
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(body.attention.input.bias, -1);
  CU_ASSERT_EQUAL(body.attention.key_value.bias, -1);
  CU_ASSERT_EQUAL(body.attention.key_value.outputs, 2 * C);
  layer_end(&f);
}

/* The last block's initial weights may be of another size. */
static void the_last_map_has_its_own_deviation(void) {
  layer_fixture f;
  heed_body body;
  layer_begin(&f, false);
  heed_body_spec spec = {.config = &f.config, .prefix = "", .names = fused_names, .residual_deviation = 0.005};
  CU_ASSERT_EQUAL_FATAL(heed_self_attention_body.plan(&body, &f.plan, &spec), HEED_OK);
  CU_ASSERT_EQUAL(f.table.items[0].deviation, 0.02f);
  CU_ASSERT_EQUAL(f.table.items[2].deviation, 0.005f);
  layer_end(&f);
}

/* Forward and backward, with dropout. */
static void equals_its_twin(const variant *v) {
  layer_fixture f;
  heed_body body;
  twin_source source;
  twin_begin(&f, &body, &source, v, true);
  const heed_body_operations *operations = twin_operations(v);
  float *x = test_random(COUNT, 3, 1.0), *d_y = test_random(COUNT, 4, 1.0), *d_x = test_random(COUNT, 5, 1.0), *y = test_floats(COUNT);
  double *wide_x = test_widen(x, COUNT), *want = test_widen(d_x, COUNT), *want_source = test_widen(source.gradient, SOURCE_COUNT);
  twin w = twin_forward(&f, &body.attention, v, wide_x, &source);
  twin_backward(&f, &body.attention, v, &w, want, want_source, test_widen(d_y, COUNT), wide_x, &source);
  heed_residual r = layer_bare(&f.batch.stream, y);
#pragma omp parallel
  {
    operations->forward(&f.context, &r, x, &body);
    operations->backward(&f.context, d_x, true, d_y, x, &body);
  }
  CU_ASSERT(test_error(y, w.y, COUNT) < layer_bound);
  CU_ASSERT(test_error(d_x, want, COUNT) < layer_bound);
  CU_ASSERT(test_error(source.gradient, want_source, SOURCE_COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

#define TWIN(name, ...)                       \
  static void name(void) {                    \
    equals_its_twin(&(variant){__VA_ARGS__}); \
  }
TWIN(seeing_all, .biases = true)
TWIN(without_biases, .window = 0)
TWIN(as_one_tensor, .biases = true, .fused = true)
TWIN(causal, .biases = true, .causal = true)
TWIN(in_a_window, .biases = true, .window = 2)
TWIN(in_a_causal_window, .biases = true, .causal = true, .window = 3)
TWIN(in_a_window_beyond_all, .biases = true, .window = LAYER_LONGEST)
TWIN(in_a_global_layer, .biases = true, .window = 2, .global_every = 3, .block = 6)
TWIN(between_global_layers, .biases = true, .window = 2, .global_every = 3, .block = 5)
TWIN(turned, .biases = true, .rotary = true)
TWIN(turned_in_a_causal_window, .rotary = true, .causal = true, .window = 3, .fused = true)
TWIN(across, .biases = true, .cross = true)
TWIN(across_without_biases, .cross = true, .causal = true, .window = 2, .rotary = true) /* none of them is meant for another stream */

static void forward(layer_fixture *f, const heed_body *body, float *y, const float *x) {
  heed_residual r = layer_bare(&f->batch.stream, y);
#pragma omp parallel
  heed_self_attention_body.forward(&f->context, &r, x, body);
}

/* The test of the test: a twin that sees one key more or less, or is turned otherwise, is far off. */
static void a_twin_that_is_off_shows(void) {
  static const struct {
    variant layer, twin;
  } pairs[] = {{{.causal = true}, {.window = 0}},
               {{.window = 2}, {.window = 3}},
               {{.causal = true, .window = 3}, {.causal = true, .window = 2}},
               {{.window = 2, .global_every = 3, .block = 6}, {.window = 2}},
               {{.rotary = true}, {.rotary = false}},
               {{.rotary = true, .window = LAYER_LONGEST}, {.rotary = true}}}; /* the tables differ */
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    layer_fixture f;
    heed_body body;
    twin_source source;
    twin_begin(&f, &body, &source, &pairs[i].layer, false);
    float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT);
    twin w = twin_forward(&f, &body.attention, &pairs[i].layer, test_widen(x, COUNT), &source);
    forward(&f, &body, y, x);
    CU_ASSERT(test_error(y, w.y, COUNT) < layer_bound);
    w = twin_forward(&f, &body.attention, &pairs[i].twin, test_widen(x, COUNT), &source);
    CU_ASSERT(test_error(y, w.y, COUNT) > 0.01);
    layer_end(&f);
  }
}

static void has_no_dropout_outside_training(void) {
  layer_fixture f;
  heed_body body;
  twin_source source;
  variant v = {.biases = true};
  twin_begin(&f, &body, &source, &v, false);
  float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT);
  twin w = twin_forward(&f, &body.attention, &v, test_widen(x, COUNT), &source);
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
  twin_source source;
  twin_begin(&f, &body, &source, &(variant){.biases = true}, true);
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

/* Another last token of each sequence: not a bit of those before it changes where they do not see it. */
static void what_is_behind_does_not_show(void) {
  for (int64_t window = 0; window <= 2; window += 2) {
    layer_fixture f;
    heed_body body;
    twin_source source;
    twin_begin(&f, &body, &source, &(variant){.causal = true, .window = window, .rotary = true}, true);
    float *x = test_random(COUNT, 3, 1.0), *y = test_floats(COUNT), *other = test_floats(COUNT);
    const heed_stream *stream = &f.batch.stream;
    forward(&f, &body, y, x);
    for (int64_t b = 0; b < LAYER_ROWS; b++)
      for (int64_t c = 0; c < C; c++)
        x[(stream->offsets[b + 1] - 1) * C + c] = 9;
    forward(&f, &body, other, x);
    for (int64_t t = 0; t < LAYER_TOKENS; t++) {
      bool last = t + 1 == stream->offsets[stream->sequence_of[t] + 1];
      CU_ASSERT_EQUAL(memcmp(y + t * C, other + t * C, C * sizeof *y) != 0, last);
    }
    layer_end(&f);
  }
}

/* The order of the tokens is told by the embedding alone: tokens that change places take their outputs with them. */
static void order_does_not_matter(void) {
  layer_fixture f;
  heed_body body;
  twin_source source;
  twin_begin(&f, &body, &source, &(variant){.biases = true}, false);
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

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces}, {"query, key and value may be one tensor", three_may_be_one_tensor},
           {"cross-attention has maps of its own", cross_attention_has_maps_of_its_own},
           {"the last map has its own deviation", the_last_map_has_its_own_deviation}, {"equals its twin, with dropout", seeing_all},
           {"without biases", without_biases}, {"as one tensor", as_one_tensor}, {"causal", causal}, {"in a window", in_a_window},
           {"in a causal window", in_a_causal_window}, {"in a window beyond all", in_a_window_beyond_all},
           {"in a global layer", in_a_global_layer}, {"between global layers", between_global_layers}, {"turned", turned},
           {"turned in a causal window", turned_in_a_causal_window}, {"across streams", across},
           {"across streams without biases", across_without_biases}, {"a twin that is off shows", a_twin_that_is_off_shows},
           {"has no dropout outside training", has_no_dropout_outside_training},
           {"sequences do not see each other", sequences_do_not_see_each_other},
           {"what is behind does not show", what_is_behind_does_not_show}, {"order does not matter", order_does_not_matter})

/* The input embedding: its tables, their gradients by token, position and segment, waves in their place, norm and dropout. */
#include "layers/embedding.h"

#include "layers/layer_test.h"
#include "layers/positions.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH };

static const char *const tables[HEED_EMBED_TABLES] = {"bert.embeddings.word_embeddings", "bert.embeddings.position_embeddings",
                                                      "bert.embeddings.token_type_embeddings"};

typedef struct variant {
  heed_positions positions;
  int64_t token_types;
  bool norm, biases;
} variant;

static const variant of_bert = {HEED_POSITIONS_LEARNED, 2, true, true};

static void make_with(layer_fixture *f, heed_embedding *embedding, const variant *v, double position_deviation, bool training) {
  layer_begin(f, training);
  f->config.positions = v->positions;
  f->config.position_columns = 4;
  f->config.token_types = v->token_types;
  f->config.embedding_norm = v->norm;
  f->config.biases = v->biases;
  if (heed_positions_are_waves(&f->config))
    f->plan.waves = heed_arena_reserve(&f->arena, LAYER_LONGEST * C, sizeof(float));
  heed_embedding_spec spec = {&f->config, tables, "bert.embeddings.LayerNorm", position_deviation};
  CU_ASSERT_EQUAL_FATAL(heed_embedding_plan(embedding, &f->plan, &spec), HEED_OK);
}

static void make(layer_fixture *f, heed_embedding *embedding, const variant *v, bool training) {
  make_with(f, embedding, v, 0.02, training);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"bert.embeddings.word_embeddings.weight", LAYER_VOCABULARY, C},
                                      {"bert.embeddings.position_embeddings.weight", LAYER_LONGEST, C},
                                      {"bert.embeddings.token_type_embeddings.weight", 2, C},
                                      {"bert.embeddings.LayerNorm.weight", C, 0},
                                      {"bert.embeddings.LayerNorm.bias", C, 0}};
  layer_fixture f;
  heed_embedding embedding;
  make(&f, &embedding, &of_bert, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(embedding.words_index, 0);
  for (int i = 0; i < HEED_EMBED_TABLES; i++)
    CU_ASSERT_EQUAL(embedding.tables[i].at, f.table.items[i].offset);
  size_t kept = f.arena.used, peak = f.arena.peak;
  CU_ASSERT(peak >= kept + 3 * LAYER_TOKENS * sizeof(int32_t)); /* backward's lists lie above, where others may lie too */
  layer_end(&f);
  make(&f, &embedding, &of_bert, false);
  CU_ASSERT_EQUAL(f.arena.used, kept);
  CU_ASSERT_EQUAL(f.arena.peak, kept);
  layer_end(&f);
}

static void what_it_does_without_is_not_registered(void) {
  static const layer_tensor want[] = {{"bert.embeddings.word_embeddings.weight", LAYER_VOCABULARY, C}};
  for (heed_positions p = HEED_POSITIONS_SINUSOIDAL; p <= HEED_POSITIONS_NONE; p++) {
    layer_fixture f;
    heed_embedding embedding;
    make(&f, &embedding, &(variant){.positions = p}, false);
    CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
    CU_ASSERT_EQUAL(embedding.tables[HEED_EMBED_POSITIONS].at, -1);
    CU_ASSERT_EQUAL(embedding.tables[HEED_EMBED_TYPES].at, -1);
    CU_ASSERT_EQUAL(embedding.sum, embedding.out); /* without a norm there is one buffer */
    layer_end(&f);
  }
}

static void positions_have_their_own_deviation(void) {
  layer_fixture f;
  heed_embedding embedding;
  make_with(&f, &embedding, &of_bert, 0.01, false);
  CU_ASSERT_EQUAL(f.table.items[0].deviation, 0.02f);
  CU_ASSERT_EQUAL(f.table.items[1].deviation, 0.01f);
  CU_ASSERT_EQUAL(f.table.items[2].deviation, 0.02f);
  layer_end(&f);
}

/* A row of a table in double; nothing where there is none. */
static double entry(const layer_fixture *f, const heed_embedding_table *table, int32_t id, int64_t c) {
  return table->rows > 0 ? f->wide_parameters[table->at + id * C + c] : 0;
}

/* Waves as the paper writes them: the table itself has tests of its own (positions_test.c). */
static double wave(const layer_fixture *f, int64_t place, int64_t c) {
  if (f->config.positions == HEED_POSITIONS_SINUSOIDAL_2D) {
    int64_t quarter = C / 4, at = c < C / 2 ? place % 4 : place / 4;
    double angle = (double)at * pow(10000, -(double)(c % quarter) / (double)quarter);
    return c / quarter % 2 == 0 ? sin(angle) : cos(angle);
  }
  double angle = (double)place * pow(10000, -(double)(c - c % 2) / C);
  return c % 2 == 0 ? sin(angle) : cos(angle);
}

static void twin_forward(const layer_fixture *f, const heed_embedding *e, double *out, double *sum, double *factor) {
  const heed_stream *stream = &f->batch.stream;
  heed_dropout dropout = {16384, (float)(4.0 / 3.0), f->context.seed, f->batch.data_position, e->site, (uint32_t)f->batch.first_row};
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t t = i / C, c = i % C, b = stream->sequence_of[t];
    sum[i] = entry(f, &e->tables[HEED_EMBED_WORDS], stream->ids[t], c) +
             entry(f, &e->tables[HEED_EMBED_POSITIONS], stream->positions[t], c) +
             entry(f, &e->tables[HEED_EMBED_TYPES], stream->token_types[t], c) +
             (heed_positions_are_waves(&f->config) ? wave(f, stream->positions[t], c) : 0);
    factor[i] = f->plan.training ? reference_dropout_factor(&dropout, b, 0, stream->positions[t] * C + c) : 1.0;
  }
  memcpy(out, sum, COUNT * sizeof *out);
  if (e->has_norm)
    reference_layer_norm_forward(out, sum, layer_weights(f, e->norm.gamma), layer_weights(f, e->norm.beta), LAYER_TOKENS, C, 1e-5);
  for (int64_t i = 0; i < COUNT; i++)
    out[i] *= factor[i];
}

static void twin_backward(layer_fixture *f, const heed_embedding *e, const double *gradient, const double *sum, const double *factor) {
  const heed_stream *stream = &f->batch.stream;
  const int32_t *ids[HEED_EMBED_TABLES] = {stream->ids, stream->positions, stream->token_types};
  double *d = test_doubles(COUNT), *d_sum = test_doubles(COUNT);
  for (int64_t i = 0; i < COUNT; i++)
    d_sum[i] = d[i] = gradient[i] * factor[i];
  if (e->has_norm)
    reference_layer_norm_backward(d_sum, layer_gradient(f, e->norm.gamma), layer_gradient(f, e->norm.beta), d, sum,
                                  layer_weights(f, e->norm.gamma), LAYER_TOKENS, C, 1e-5);
  for (int table = 0; table < HEED_EMBED_TABLES; table++)
    for (int64_t i = 0; i < COUNT && e->tables[table].rows > 0; i++)
      f->wide_gradients[e->tables[table].at + ids[table][i / C] * C + i % C] += d_sum[i];
}

static void check(const variant *v, bool training) {
  layer_fixture f;
  heed_embedding e;
  make(&f, &e, v, training);
  layer_commit(&f);
  if (heed_positions_are_waves(&f.config))
    heed_positions_waves(heed_arena_at(&f.arena, f.plan.waves), &f.config);
  double *sum = test_doubles(COUNT), *want = test_doubles(COUNT), *factor = test_doubles(COUNT);
  twin_forward(&f, &e, want, sum, factor);
  heed_hidden out = heed_embedding_forward(&f.context, &e);
  CU_ASSERT_PTR_EQUAL(out.elements, out.values); /* fp32 */
  CU_ASSERT(test_error(out.values, want, COUNT) < layer_bound);
  if (training) {
    float *gradient = test_random(COUNT, 4, 1.0);
    twin_backward(&f, &e, test_widen(gradient, COUNT), sum, factor);
    heed_embedding_backward(&f.context, gradient, &e);
    CU_ASSERT_TRUE(layer_gradients_fit(&f));
  }
  f.batch.stream.positions[5] ^= 1; /* the test of the test: a place shows, but to those that know none */
  bool knows_none = v->positions == HEED_POSITIONS_ROTARY || v->positions == HEED_POSITIONS_NONE;
  CU_ASSERT_EQUAL(test_error(heed_embedding_forward(&f.context, &e).values, want, COUNT) < layer_bound, knows_none);
  layer_end(&f);
}

static void equals_its_twin(void) {
  check(&of_bert, true);
}
static void has_no_dropout_outside_training(void) {
  check(&of_bert, false);
}
static void without_a_norm(void) {
  check(&(variant){HEED_POSITIONS_LEARNED, 2, false, true}, true);
  check(&(variant){HEED_POSITIONS_LEARNED, 2, false, true}, false);
}
static void without_segments(void) {
  check(&(variant){HEED_POSITIONS_LEARNED, 0, true, true}, true);
}
static void without_a_shift(void) {
  check(&(variant){HEED_POSITIONS_LEARNED, 2, true, false}, true);
}
static void with_waves(void) {
  check(&(variant){HEED_POSITIONS_SINUSOIDAL, 0, true, true}, true);
  check(&(variant){HEED_POSITIONS_SINUSOIDAL_2D, 2, false, true}, true);
}
static void without_places(void) {
  check(&(variant){HEED_POSITIONS_ROTARY, 2, true, false}, true);
  check(&(variant){HEED_POSITIONS_NONE, 0, false, false}, true);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces},
           {"what it does without is not registered", what_it_does_without_is_not_registered},
           {"positions have their own deviation", positions_have_their_own_deviation}, {"equals its twin, with dropout", equals_its_twin},
           {"has no dropout outside training", has_no_dropout_outside_training}, {"without a norm", without_a_norm},
           {"without segments", without_segments}, {"without a shift", without_a_shift}, {"with waves", with_waves},
           {"without places", without_places})

/* The input embedding: three tables, their gradients by token, position and segment, and dropout after the norm. */
#include "layers/embedding.h"

#include "layers/layer_test.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH };

static void make(layer_fixture *f, heed_embedding *embedding, bool training) {
  layer_begin(f, training);
  CU_ASSERT_EQUAL_FATAL(heed_embedding_plan(embedding, &f->plan, &f->config, "bert.embeddings."), HEED_OK);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"bert.embeddings.word_embeddings.weight", LAYER_VOCABULARY, C},
                                      {"bert.embeddings.position_embeddings.weight", LAYER_LONGEST, C},
                                      {"bert.embeddings.token_type_embeddings.weight", 2, C},
                                      {"bert.embeddings.LayerNorm.weight", C, 0},
                                      {"bert.embeddings.LayerNorm.bias", C, 0}};
  layer_fixture f;
  heed_embedding embedding;
  make(&f, &embedding, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(embedding.words_index, 0);
  CU_ASSERT_EQUAL(embedding.words, f.table.items[0].offset);
  CU_ASSERT_EQUAL(embedding.positions, f.table.items[1].offset);
  CU_ASSERT_EQUAL(embedding.types, f.table.items[2].offset);
  size_t kept = f.arena.used, peak = f.arena.peak;
  CU_ASSERT(peak >= kept + 3 * LAYER_TOKENS * sizeof(int32_t)); /* backward's lists lie above, where others may lie too */
  layer_end(&f);
  make(&f, &embedding, false);
  CU_ASSERT_EQUAL(f.arena.used, kept);
  CU_ASSERT_EQUAL(f.arena.peak, kept);
  layer_end(&f);
}

static void check(bool training) {
  layer_fixture f;
  heed_embedding e;
  make(&f, &e, training);
  layer_commit(&f);
  const heed_stream *stream = &f.batch.stream;
  const double *p = f.wide_parameters;
  double *sum = test_doubles(COUNT), *want = test_doubles(COUNT), *factor = test_doubles(COUNT), *d_sum = test_doubles(COUNT);
  heed_dropout dropout = {16384, (float)(4.0 / 3.0), f.context.seed, f.batch.data_position, e.site, (uint32_t)f.batch.first_row};
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t t = i / C, c = i % C, b = stream->sequence_of[t];
    sum[i] =
        p[e.words + stream->ids[t] * C + c] + p[e.positions + stream->positions[t] * C + c] + p[e.types + stream->token_types[t] * C + c];
    factor[i] = training ? reference_dropout_factor(&dropout, b, 0, stream->positions[t] * C + c) : 1.0;
  }
  reference_layer_norm_forward(want, sum, p + e.norm.gamma, p + e.norm.beta, LAYER_TOKENS, C, 1e-5);
  for (int64_t i = 0; i < COUNT; i++)
    want[i] *= factor[i];
  const float *out = heed_embedding_forward(&f.context, &e);
  CU_ASSERT(test_error(out, want, COUNT) < layer_bound);
  if (training) {
    float *gradient = test_random(COUNT, 4, 1.0);
    double *wide = test_widen(gradient, COUNT), *g = f.wide_gradients;
    for (int64_t i = 0; i < COUNT; i++)
      wide[i] *= factor[i];
    reference_layer_norm_backward(d_sum, g + e.norm.gamma, g + e.norm.beta, wide, sum, p + e.norm.gamma, LAYER_TOKENS, C, 1e-5);
    for (int64_t i = 0; i < COUNT; i++) {
      int64_t t = i / C, c = i % C;
      g[e.words + stream->ids[t] * C + c] += d_sum[i];
      g[e.positions + stream->positions[t] * C + c] += d_sum[i];
      g[e.types + stream->token_types[t] * C + c] += d_sum[i];
    }
    heed_embedding_backward(&f.context, gradient, &e);
    CU_ASSERT_TRUE(layer_gradients_fit(&f));
  }
  layer_end(&f);
}

static void equals_its_twin(void) {
  check(true);
}
static void has_no_dropout_outside_training(void) {
  check(false);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces}, {"equals its twin, with dropout", equals_its_twin},
           {"has no dropout outside training", has_no_dropout_outside_training})

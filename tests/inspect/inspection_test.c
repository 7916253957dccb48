/* An inspection against the model itself: maps, entropy, predictions; what is refused; and that threads change nothing. */
#include "heed/inspection.h"

#include <math.h>
#include <omp.h>

#include "evaluate/sequence.h"
#include "evaluate/trained.h"
#include "heed/inference.h"
#include "inspect/numbers.h"

enum { V = TRAINED_VOCABULARY, L = 2, H = 2 };
static trained t;

static void begin(const char *more) {
  trained_make(&t, more, NULL);
  trained_save(&t, trained_vocabulary);
}

/* The texts' batch, made by hand, through the model that was saved. */
static const float *look_by_hand(float *maps, heed_batch *batch, const int32_t *ids, int64_t count, int64_t second) {
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(batch, 1, 1, count, count, false), HEED_OK);
  for (int64_t i = 0; i < count; i++) {
    batch->stream.ids[i] = ids[i];
    batch->stream.positions[i] = (int32_t)i;
    batch->stream.token_types[i] = i >= second;
    batch->target_tokens[i] = i;
  }
  batch->slices = batch->stream.sequences = batch->slice_rows[1] = 1;
  batch->stream.tokens = batch->stream.offsets[1] = batch->stream.slice_tokens[1] = batch->targets = batch->slice_targets[1] = count;
  heed_model_look(t.model, maps);
  const float *logits = heed_model_logits(t.model, t.parameters, batch);
  heed_model_look(t.model, NULL);
  return logits;
}

static void a_pair_is_looked_at(void) {
  static const int32_t ids[] = {CLASSIFY, THE, CAT, SEPARATE, A, DOG, PLURAL, SEPARATE};
  enum { S = sizeof ids / sizeof *ids, SECOND = 4 };
  heed_inspection in;
  heed_batch batch;
  begin("");
  float *maps = test_floats(L * H * S * S), *rollout = test_floats(L * S * S);
  const float *logits = look_by_hand(maps, &batch, ids, S, SECOND);
  CU_ASSERT_EQUAL_FATAL(heed_inspect(&in, t.run, "The cat", "a dogs", 3), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(in.tokens, S);
  CU_ASSERT_EQUAL(in.second, SECOND);
  CU_ASSERT_EQUAL(in.layers, L);
  CU_ASSERT_EQUAL(in.heads, H);
  CU_ASSERT_EQUAL(in.model.step, TRAINED_STEP);
  CU_ASSERT_EQUAL(in.model.parameters, heed_model_table(t.model)->total);
  CU_ASSERT_FALSE(in.model.next_token);
  for (int64_t i = 0; i < S; i++) {
    CU_ASSERT_EQUAL(in.token[i].id, ids[i]);
    CU_ASSERT_EQUAL(in.special[i], ids[i] == CLASSIFY || ids[i] == SEPARATE);
  }
  CU_ASSERT_STRING_EQUAL(in.token[6].name, "##s");
  CU_ASSERT_EQUAL(memcmp(in.weights, maps, L * H * S * S * sizeof *maps), 0);
  CU_ASSERT_EQUAL_FATAL(heed_rollout(rollout, maps, L, H, S), HEED_OK);
  CU_ASSERT_EQUAL(memcmp(in.rollout, rollout, L * S * S * sizeof *rollout), 0);
  for (int64_t i = 0; i < L * H; i++)
    CU_ASSERT_EQUAL(in.entropy[i], heed_map_entropy(maps + i * S * S, S));
  CU_ASSERT_EQUAL_FATAL(in.places, S - 2); /* without a mask: each token between the ends */
  for (int64_t m = 0; m < in.places; m++) {
    double sum = 0;
    for (int64_t v = 0; v < V; v++)
      sum += exp((double)logits[(m + 1) * V + v]);
    CU_ASSERT_EQUAL(in.place[m].position, m + 1);
    CU_ASSERT_EQUAL(in.place[m].actual, m + 1);
    CU_ASSERT_DOUBLE_EQUAL(in.place[m].probability, exp((double)logits[(m + 1) * V + ids[m + 1]]) / sum, 1e-6);
    for (int64_t i = 0; i < 3; i++)
      CU_ASSERT_DOUBLE_EQUAL(in.place[m].likely[i].probability, exp((double)logits[(m + 1) * V + in.place[m].likely[i].token.id]) / sum,
                             1e-6);
  }
  heed_batch_free(&batch);
  heed_inspection_free(&in);
  trained_free(&t);
}

static void masks_are_filled_as_fill_does(void) {
  static const char text[] = "The [MASK] sat on the [MASK].";
  heed_inspection in;
  heed_inference *inference;
  heed_prediction *filled;
  int64_t masks;
  begin("objective: {next_sentence: true}\n"); /* a pooler among the parameters */
  CU_ASSERT_EQUAL_FATAL(heed_inference_open(&inference, t.run), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(inference, text, 4, &filled, &masks), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_inspect(&in, t.run, text, NULL, 4), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(in.places, masks);
  CU_ASSERT_EQUAL(in.second, in.tokens);
  for (int64_t m = 0; m < masks; m++) {
    CU_ASSERT_EQUAL(in.token[in.place[m].position].id, MASK);
    CU_ASSERT_EQUAL(in.place[m].actual, -1);
    for (int64_t i = 0; i < 4; i++) {
      CU_ASSERT_EQUAL(in.place[m].likely[i].token.id, filled[m * 4 + i].id);
      CU_ASSERT_DOUBLE_EQUAL(in.place[m].likely[i].probability, filled[m * 4 + i].probability, 1e-6);
    }
  }
  free(filled);
  heed_inference_free(inference);
  heed_inspection_free(&in);
  trained_free(&t);
}

static void refuse(const char *text, const char *second, int64_t top, const char *message) {
  heed_inspection in;
  CU_ASSERT_EQUAL(heed_inspect(&in, t.run, text, second, top), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), message));
  heed_inspection_free(&in);
}

static void what_cannot_be_looked_at_is_refused(void) {
  begin("");
  refuse("", NULL, 1, "no tokens");
  refuse(" \t", "", 1, "no tokens");
  refuse("the cat sat on the mat the cat sat on a", NULL, 1, "13 tokens");
  refuse("the cat sat on the mat", "the cat sat on", 1, "13 tokens");
  refuse("the cat", NULL, 0, "16 tokens");
  refuse("the cat", NULL, 17, "16 tokens");
  refuse("the cat", NULL, INT64_MAX, "16 tokens");
  trained_free(&t);
}

static void a_second_sentence_needs_token_types(void) {
  trained_make(&t, "", NULL);
  heed_model_free(t.model);
  t.config.model.token_types = 1;
  heed_model_sizes sizes = heed_model_sizes_least(false);
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&t.model, &t.config.model, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(t.model), HEED_OK);
  trained_save(&t, trained_vocabulary);
  refuse("the cat", "a dog", 1, "a second sentence is not possible");
  trained_free(&t);
}

static void weights_that_are_not_finite_are_refused(void) {
  trained_make(&t, "", NULL);
  for (int64_t i = 0; i < heed_model_table(t.model)->total; i++)
    t.parameters[i] = NAN;
  trained_save(&t, trained_vocabulary);
  refuse("the cat", NULL, 1, "not finite");
  trained_free(&t);
}

static void threads_change_nothing(void) {
  char *page[3];
  size_t bytes[3];
  int threads = omp_get_max_threads();
  begin("");
  for (int i = 0; i < 3; i++) {
    heed_inspection in;
    omp_set_num_threads(i + 1);
    CU_ASSERT_EQUAL_FATAL(heed_inspect(&in, t.run, "the cat sat", "on the mat", 5), HEED_OK);
    CU_ASSERT_EQUAL_FATAL(heed_inspection_write(&in, folder_path("page.html")), HEED_OK);
    heed_inspection_free(&in);
    CU_ASSERT_PTR_NOT_NULL_FATAL(page[i] = folder_read("page.html", &bytes[i]));
    CU_ASSERT_EQUAL_FATAL(bytes[i], bytes[0]);
    CU_ASSERT_EQUAL(memcmp(page[i], page[0], bytes[0]), 0);
  }
  omp_set_num_threads(threads);
  for (int i = 0; i < 3; i++)
    free(page[i]);
  trained_free(&t);
}

HEED_TESTS({"a pair is looked at", a_pair_is_looked_at}, {"masks are filled as fill does", masks_are_filled_as_fill_does},
           {"what cannot be looked at is refused", what_cannot_be_looked_at_is_refused},
           {"a second sentence needs token types", a_second_sentence_needs_token_types},
           {"weights that are not finite are refused", weights_that_are_not_finite_are_refused},
           {"threads change nothing", threads_change_nothing})

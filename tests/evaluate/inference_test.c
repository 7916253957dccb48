/* A trained model in use: filled masks against softmax of the logits, embeddings against the hidden states, and what is refused. */
#include "heed/inference.h"

#include <math.h>

#include "evaluate/trained.h"

enum { V = TRAINED_VOCABULARY, C = TRAINED_WIDTH };

static void begin(trained *t, heed_inference **in, void (*set)(const heed_parameter_table *, float *)) {
  trained_make(t, "", set);
  trained_save(t, trained_vocabulary);
  heed_status status = heed_inference_open(in, t->run);
  if (status != HEED_OK)
    fprintf(stderr, "%s\n", heed_error_text());
  CU_ASSERT_EQUAL_FATAL(status, HEED_OK);
}

static void end(trained *t, heed_inference *in) {
  heed_inference_free(in);
  trained_free(t);
}

/* One sequence of these ids, its masks the targets. */
static heed_batch batch_of(const int32_t *ids, int64_t count) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, 1, count, count, false), HEED_OK);
  for (int64_t t = 0; t < count; t++) {
    batch.stream.ids[t] = ids[t];
    batch.stream.positions[t] = (int32_t)t;
    if (ids[t] == MASK)
      batch.target_tokens[batch.targets++] = t;
  }
  batch.slices = batch.stream.sequences = batch.slice_rows[1] = 1;
  batch.stream.tokens = batch.stream.offsets[1] = batch.stream.slice_tokens[1] = count;
  batch.slice_targets[1] = batch.targets;
  return batch;
}

static const char cat_sat[] = "The [MASK] sat on the [MASK].";
static const int32_t cat_sat_ids[] = {CLASSIFY, THE, MASK, SAT, ON, THE, MASK, STOP, SEPARATE};
enum { CAT_SAT = sizeof cat_sat_ids / sizeof *cat_sat_ids };

static void fill_is_softmax_of_the_logits(void) {
  trained t;
  heed_inference *in;
  heed_prediction *all, *three;
  int64_t masks = 0, again = 0;
  begin(&t, &in, NULL);
  heed_batch batch = batch_of(cat_sat_ids, CAT_SAT);
  const float *logits = heed_model_logits(t.model, t.parameters, &batch);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, cat_sat, V, &all, &masks), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, cat_sat, 3, &three, &again), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(masks, 2);
  CU_ASSERT_EQUAL_FATAL(again, 2);
  for (int64_t m = 0; m < masks; m++) {
    double sum = 0, top = 0, total = 0;
    bool seen[V] = {false};
    for (int64_t v = 0; v < V; v++)
      sum += exp((double)logits[m * V + v]);
    for (int64_t i = 0; i < V; i++) {
      const heed_prediction *p = &all[m * V + i];
      CU_ASSERT_FATAL(p->id >= 0 && p->id < V && !seen[p->id]);
      seen[p->id] = true;
      CU_ASSERT_DOUBLE_EQUAL(p->probability, exp((double)logits[m * V + p->id]) / sum, 1e-12);
      CU_ASSERT(i == 0 || p->probability <= p[-1].probability);
      total += p->probability;
    }
    CU_ASSERT_DOUBLE_EQUAL(total, 1.0, 1e-12);
    for (int64_t i = 0; i < 3; i++) {
      CU_ASSERT_EQUAL(three[m * 3 + i].id, all[m * V + i].id);
      CU_ASSERT_EQUAL(three[m * 3 + i].probability, all[m * V + i].probability);
      top += three[m * 3 + i].probability;
    }
    CU_ASSERT(top < 1.0);
  }
  CU_ASSERT(memcmp(all, all + V, V * sizeof *all) != 0); /* each mask has an answer of its own */
  free(all);
  free(three);
  heed_batch_free(&batch);
  end(&t, in);
}

/* Logits that are the logarithms of known probabilities: a half for "mat", the rest shared alike. */
static void mat_is_likely(const heed_parameter_table *table, float *parameters) {
  float *bias = parameters + table->items[heed_parameters_find(table, "cls.predictions.bias")].offset;
  for (int64_t v = 0; v < V; v++)
    bias[v] = (float)log(v == MAT ? 0.5 : 0.5 / (V - 1));
}

static void known_probabilities_come_out(void) {
  trained t;
  heed_inference *in;
  heed_prediction *p;
  int64_t masks;
  begin(&t, &in, mat_is_likely);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, "[MASK]", 4, &p, &masks), HEED_OK);
  CU_ASSERT_EQUAL(masks, 1);
  CU_ASSERT_EQUAL(p[0].id, MAT);
  CU_ASSERT_DOUBLE_EQUAL(p[0].probability, 0.5, 1e-6); /* the logarithm is a float */
  for (int32_t i = 1; i < 4; i++) {
    CU_ASSERT_EQUAL(p[i].id, i - 1); /* of equals the first */
    CU_ASSERT_DOUBLE_EQUAL(p[i].probability, 0.5 / (V - 1), 1e-7);
  }
  free(p);
  end(&t, in);
}

static void what_cannot_be_filled_is_refused(void) {
  static const char longest[] = "[MASK] cat sat on the mat the cat sat on", longer[] = "[MASK] cat sat on the mat the cat sat on a";
  trained t;
  heed_inference *in;
  heed_prediction *p = NULL;
  int64_t masks = -1;
  begin(&t, &in, NULL);
  CU_ASSERT_EQUAL(heed_inference_fill(in, "the cat sat", 1, &p, &masks), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "[MASK]"));
  CU_ASSERT_EQUAL(heed_inference_fill(in, "", 1, &p, &masks), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_inference_fill(in, longer, 1, &p, &masks), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "13 tokens"));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "takes 12"));
  for (int64_t top = -1; top <= V + 1; top += top == 0 ? V + 1 : 1) {
    CU_ASSERT_EQUAL(heed_inference_fill(in, cat_sat, top, &p, &masks), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "16 tokens"));
  }
  CU_ASSERT_PTR_NULL(p);
  CU_ASSERT_EQUAL(masks, -1);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, longest, 1, &p, &masks), HEED_OK);
  CU_ASSERT_EQUAL(masks, 1);
  free(p);
  end(&t, in);
}

static void embeddings_are_of_the_hidden_states(void) {
  static const int32_t ids[] = {CLASSIFY, A, DOG, PLURAL, RAN, HOME, UNKNOWN, SEPARATE};
  enum { COUNT = sizeof ids / sizeof *ids };
  trained t;
  heed_inference *in;
  float mean[C], first[C];
  bool cut = true;
  begin(&t, &in, NULL);
  heed_batch batch = batch_of(ids, COUNT);
  const float *hidden = heed_model_hidden(t.model, t.parameters, &batch);
  CU_ASSERT_EQUAL_FATAL(heed_inference_embed(in, "A dogs ran home quickly", HEED_POOL_MEAN, mean, &cut), HEED_OK);
  CU_ASSERT_FALSE(cut);
  CU_ASSERT_EQUAL_FATAL(heed_inference_embed(in, "A dogs ran home quickly", HEED_POOL_CLS, first, NULL), HEED_OK);
  CU_ASSERT_EQUAL(memcmp(first, hidden, sizeof first), 0);
  for (int64_t c = 0; c < C; c++) {
    double sum = 0;
    for (int64_t i = 0; i < COUNT; i++)
      sum += (double)hidden[i * C + c];
    CU_ASSERT_DOUBLE_EQUAL((double)mean[c], sum / COUNT, 1e-6);
  }
  CU_ASSERT_EQUAL_FATAL(heed_inference_embed(in, "", HEED_POOL_MEAN, mean, &cut), HEED_OK); /* [CLS] [SEP] */
  CU_ASSERT_FALSE(cut);
  heed_batch_free(&batch);
  end(&t, in);
}

static void a_long_text_is_cut_and_says_so(void) {
  trained t;
  heed_inference *in;
  float all[C], beginning[C];
  bool cut = false, whole = true;
  begin(&t, &in, NULL);
  CU_ASSERT_EQUAL(heed_inference_embed(in, "the cat sat on the mat the cat sat on a dog ran home", HEED_POOL_MEAN, all, &cut), HEED_OK);
  CU_ASSERT_EQUAL(heed_inference_embed(in, "the cat sat on the mat the cat sat on", HEED_POOL_MEAN, beginning, &whole), HEED_OK);
  CU_ASSERT_TRUE(cut);
  CU_ASSERT_FALSE(whole); /* as long as the model takes */
  CU_ASSERT_EQUAL(memcmp(all, beginning, sizeof all), 0);
  end(&t, in);
}

static void texts_leave_no_trace(void) {
  trained t;
  heed_inference *in;
  heed_prediction *before, *after;
  float embedding[C];
  int64_t masks;
  begin(&t, &in, NULL);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, "a [MASK]", V, &before, &masks), HEED_OK);
  CU_ASSERT_EQUAL(heed_inference_embed(in, "the cat sat on the mat the cat sat on a dog", HEED_POOL_MEAN, embedding, NULL), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_inference_fill(in, "a [MASK]", V, &after, &masks), HEED_OK);
  CU_ASSERT_EQUAL(masks, 1);
  for (int64_t i = 0; i < V; i++) /* by member: what lies between two is anything */
    CU_ASSERT_TRUE(before[i].id == after[i].id && before[i].probability == after[i].probability);
  free(before);
  free(after);
  end(&t, in);
}

static void run_and_checkpoint_open_alike(void) {
  trained t;
  heed_inference *in, *named = NULL;
  char path[256];
  begin(&t, &in, NULL);
  CU_ASSERT_EQUAL(heed_inference_width(in), C);
  CU_ASSERT_EQUAL(heed_inference_step(in), TRAINED_STEP);
  CU_ASSERT_EQUAL(heed_tokenizer_size(heed_inference_tokenizer(in)), V);
  snprintf(path, sizeof path, "%s/checkpoints/step-%08d", t.run, TRAINED_STEP);
  CU_ASSERT_EQUAL_FATAL(heed_inference_open(&named, path), HEED_OK);
  CU_ASSERT_EQUAL(heed_inference_step(named), TRAINED_STEP);
  heed_inference_free(named);
  named = NULL;
  snprintf(path, sizeof path, "%s/nowhere", t.run);
  CU_ASSERT_EQUAL(heed_inference_open(&named, path), HEED_INVALID);
  CU_ASSERT_PTR_NULL(named);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), path));
  heed_inference_free(NULL);
  end(&t, in);
}

HEED_TESTS({"fill is softmax of the logits", fill_is_softmax_of_the_logits}, {"known probabilities come out", known_probabilities_come_out},
           {"what cannot be filled is refused", what_cannot_be_filled_is_refused},
           {"embeddings are of the hidden states", embeddings_are_of_the_hidden_states},
           {"a long text is cut and says so", a_long_text_is_cut_and_says_so}, {"texts leave no trace", texts_leave_no_trace},
           {"run and checkpoint open alike", run_and_checkpoint_open_alike})

/* Looking at attention: the maps of the first sequence, and the entropy of every one, against each other and the masks. */
#include "models/options.h"

enum { MAP = POSITIONS * POSITIONS, MAPS = LAYERS * HEADS, ALL = MAPS * MAP };

static heed_model *make(const heed_model_config *config) {
  heed_model_sizes sizes = {.sequences = SEQUENCES,
                            .tokens = SEQUENCES * POSITIONS,
                            .targets = SEQUENCES * POSITIONS,
                            .slices = SEQUENCES,
                            .longest = POSITIONS,
                            .token_head = true};
  return option_model(config, &sizes);
}

/* Whether the layer's mask lets the query see the key. */
static bool is_seen(const heed_model_config *config, int64_t layer, int64_t query, int64_t key) {
  bool sees_all = config->window == 0 || (config->global_every > 0 && layer % config->global_every == 0);
  return (!config->causal || key <= query) && (sees_all || llabs(query - key) <= config->window);
}

/* Weights of row `row` of the fixture, which is the first sequence of a batch of it alone; its entropies are summed. */
static void check_maps(heed_model *model, const float *weights, const heed_model_config *config, int64_t row, double *entropies) {
  int64_t length = lengths[row], wrong = 0;
  heed_batch batch = make_batch(row, 1, 1);
  float *maps = test_floats(ALL + 1);
  maps[MAPS * length * length] = 42;
  heed_model_look(model, maps);
  heed_model_hidden(model, weights, &batch);
  heed_model_look(model, NULL);
  CU_ASSERT_EQUAL(maps[MAPS * length * length], 42); /* they lie close together */
  for (int64_t n = 0; n < MAPS; n++) {
    entropies[n] = 0;
    for (int64_t query = 0; query < length; query++) {
      double sum = 0;
      for (int64_t key = 0; key < length; key++) {
        double p = (double)maps[(n * length + query) * length + key];
        wrong += is_seen(config, n / HEADS, query, key) ? !(p > 0) : p != 0;
        sum += p;
        entropies[n] -= p > 0 ? p * log(p) : 0;
      }
      wrong += !(fabs(sum - 1) < 1e-5);
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
  heed_batch_free(&batch);
}

static void rows_sum_to_one_within_the_mask(void) {
  double entropies[MAPS];
  for (size_t i = 0; i < OPTIONS; i++) {
    heed_model *model = make(&options[i].config);
    float *weights = option_weights(heed_model_table(model));
    for (int64_t row = 0; row < SEQUENCES; row++)
      check_maps(model, weights, &options[i].config, row, entropies);
    heed_model_free(model);
    test_release();
  }
}

/* −Σ P·ln P of the maps, for each sequence of a batch; the same bits when a sequence comes alone. */
static void entropies_are_those_of_the_maps(void) {
  for (size_t i = 0; i < OPTIONS; i++) {
    heed_model *model = make(&options[i].config);
    float *weights = option_weights(heed_model_table(model));
    double together[LAYERS][SEQUENCES][HEADS], alone[MAPS], want[MAPS];
    heed_batch batch = make_batch(0, SEQUENCES, SEQUENCES);
    heed_model_watch(model, &together[0][0][0]);
    heed_model_logits(model, weights, &batch);
    heed_batch_free(&batch);
    for (int64_t row = 0; row < SEQUENCES; row++) {
      batch = make_batch(row, 1, 1);
      heed_model_watch(model, alone);
      heed_model_hidden(model, weights, &batch);
      heed_model_watch(model, NULL);
      check_maps(model, weights, &options[i].config, row, want);
      for (int n = 0; n < MAPS; n++) {
        double got = together[n / HEADS][row][n % HEADS];
        CU_ASSERT_DOUBLE_EQUAL(got, want[n], 1e-5 * (double)lengths[row] + 1e-5);
        CU_ASSERT_EQUAL(memcmp(&got, &alone[n], sizeof got), 0);
        CU_ASSERT(got >= 0 && got <= (double)lengths[row] * log((double)lengths[row]) + 1e-6);
      }
      heed_batch_free(&batch);
    }
    heed_model_free(model);
    test_release();
  }
}

/* Looking changes no bit of what comes out; without it nothing is written. */
static void looking_changes_nothing(void) {
  heed_model *model = make(&options[1].config);
  float *weights = option_weights(heed_model_table(model)), *maps = test_floats(ALL), *before = test_floats(TARGETS * VOCABULARY);
  double entropies[LAYERS * SEQUENCES * HEADS] = {0};
  heed_batch batch = make_batch(0, SEQUENCES, SEQUENCES);
  size_t bytes = TARGETS * VOCABULARY * sizeof *before;
  memcpy(before, heed_model_logits(model, weights, &batch), bytes);
  heed_model_look(model, maps);
  heed_model_watch(model, entropies);
  CU_ASSERT_EQUAL(memcmp(before, heed_model_logits(model, weights, &batch), bytes), 0);
  CU_ASSERT(maps[0] == 1 && entropies[1] > 0); /* the first token sees itself alone */
  memset(maps, 0, ALL * sizeof *maps);
  memset(entropies, 0, sizeof entropies);
  heed_model_look(model, NULL);
  heed_model_watch(model, NULL);
  heed_model_logits(model, weights, &batch);
  for (int64_t i = 0; i < ALL; i++)
    CU_ASSERT_EQUAL_FATAL(maps[i], 0);
  CU_ASSERT_EQUAL(entropies[1], 0);
  heed_batch_free(&batch);
  heed_model_free(model);
  test_release();
}

HEED_TESTS({"rows sum to one within the mask", rows_sum_to_one_within_the_mask},
           {"entropies are those of the maps", entropies_are_those_of_the_maps}, {"looking changes nothing", looking_changes_nothing})

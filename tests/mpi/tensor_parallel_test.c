/* A model in parts does what a whole one does: every option of every family, each rank against a model of its own.
 * ranks: 2 4 */
#include "heed/parameters.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "models/model.h"
#include "models/options.h"
#include "mpi/ranks.h"

enum { SLICES = 3, EVEN_HEADS = 4, UNEVEN_FEED_FORWARD = 33 };

/* How far apart sums in another order may lie, relative to a tensor's norm and to that of all. */
typedef struct bounds {
  double loss, tensor, all;
} bounds;
static const bounds of_floats = {1e-5, 3e-5, 3e-6}, of_bf16 = {3e-3, 3e-2, 6e-3};

typedef struct trained {
  heed_model *model;
  float *weights, *gradients;
  heed_slice_sums sums[SLICES];
  double loss;
} trained;

static heed_model_config config_of(const option *o, double dropout) {
  heed_model_config config = o->config;
  config.heads = EVEN_HEADS;
  config.feed_forward = UNEVEN_FEED_FORWARD;
  config.dropout = config.attention_dropout = dropout;
  return config;
}

static heed_model_sizes sizes_of(const option *o, heed_communication *tensor) {
  return (heed_model_sizes){.sequences = SEQUENCES,
                            .tokens = SEQUENCES * POSITIONS,
                            .targets = SEQUENCES * POSITIONS,
                            .slices = SLICES,
                            .longest = POSITIONS,
                            .training = true,
                            .logits_in_groups = true,
                            .next_sentence = o->config.family == bert,
                            .token_head = true,
                            .tensor = tensor};
}

/* Each part of the weights is what the whole has where it lies; gains about one, all else about zero. */
static void set_weights(const heed_parameter_table *table, float *weights) {
  for (int64_t i = 0; i < table->count; i++) {
    const int64_t count = heed_parameters_whole_count(table, i);
    const heed_split split = heed_parameters_split(table, i, table->part);
    float *whole = test_random(count, (uint32_t)i, 0.4);
    for (int64_t j = 0; table->items[i].initialisation == HEED_INIT_ONES && j < count; j++)
      whole[j] += 1;
    heed_split_take(&split, weights + table->items[i].offset, whole, 0, count);
  }
}

static trained train(const option *o, heed_communication *tensor, const heed_kernels *kernels, double dropout, heed_recompute recompute) {
  const heed_model_config config = config_of(o, dropout);
  heed_model_sizes sizes = sizes_of(o, tensor);
  sizes.recompute = recompute;
  trained t = {.model = option_model_of(&config, &sizes, kernels)};
  const heed_parameter_table *table = heed_model_table(t.model);
  heed_batch batch = make_batch(0, SEQUENCES, SLICES);
  t.weights = test_floats(table->total);
  t.gradients = test_floats(table->gradient_total);
  set_weights(table, t.weights);
  if (kernels->element_bytes < sizeof(float)) {
    void *elements = test_floats(table->total);
    kernels->narrow(elements, t.weights, table->total);
    heed_model_pack(t.model, t.weights, elements);
  }
  heed_model_train(t.model, t.weights, t.gradients, &batch, 7, (float)TARGETS / SEQUENCES, t.sums);
  for (int g = 0; g < SLICES; g++)
    t.loss += t.sums[g].token_loss + t.sums[g].next_sentence_loss;
  heed_batch_free(&batch);
  return t;
}

static double distance(const float *a, const float *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    const double d = (a ? (double)a[i] : 0) - (double)b[i];
    sum += d * d;
  }
  return sqrt(sum);
}

/* Tensors whose gradient here is not that of its part of the whole; of what all ranks have, not the same bits on all. */
static int tensors_off(const trained *part, const trained *whole, const bounds *b) {
  const heed_parameter_table *own = heed_model_table(part->model), *all = heed_model_table(whole->model);
  const double norm = distance(NULL, whole->gradients, all->total);
  int off = 0;
  CU_ASSERT_EQUAL_FATAL(own->count, all->count);
  for (int64_t i = 0; i < own->count; i++) {
    const int64_t count = own->items[i].count;
    const heed_split split = heed_parameters_split(own, i, own->part);
    const float *gradient = part->gradients + own->items[i].offset;
    float *expected = test_floats(count), *first = test_floats(count);
    heed_split_take(&split, expected, whole->gradients + all->items[i].offset, 0, all->items[i].count);
    const bool far = distance(gradient, expected, count) > b->tensor * distance(NULL, expected, count) + b->all * norm;
    memcpy(first, gradient, (size_t)count * sizeof *first);
    bool differs = false;
    if (own->items[i].shard_axis < 0) {
      world->broadcast(world, first, (size_t)count * sizeof *first);
      differs = memcmp(first, gradient, (size_t)count * sizeof *first) != 0;
    }
    if (far || differs)
      printf("\n    %s is off%s", own->items[i].name, differs ? ", not the same on all ranks" : "");
    off += far || differs;
  }
  return off;
}

static void compare(const option *o, const heed_kernels *kernels, double dropout, heed_recompute recompute, const bounds *b) {
  trained whole = train(o, NULL, kernels, dropout, recompute), part = train(o, world->tensor, kernels, dropout, recompute);
  CU_ASSERT(fabs(part.loss - whole.loss) <= b->loss * whole.loss);
  const int off = tensors_off(&part, &whole, b);
  if (off > 0)
    printf("\n    … of \"%s\", dropout %g", o->name, dropout);
  CU_ASSERT_EQUAL(off, 0);
  CU_ASSERT_EQUAL(heed_parameters_whole_total(heed_model_table(part.model)), heed_model_table(whole.model)->total);
  CU_ASSERT(heed_model_table(part.model)->total < heed_model_table(whole.model)->total);
  heed_model_free(part.model);
  heed_model_free(whole.model);
  test_release();
}

static void every_option(void) {
  CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, world->size), HEED_OK);
  for (int i = 0; i < OPTIONS; i++)
    for (int dropped = 0; dropped < 2; dropped++)
      compare(&options[i], heed_kernels_choose(NULL), 0.3 * dropped, HEED_RECOMPUTE_NONE, &of_floats);
}

static void in_bf16(void) {
  for (int i = 0; i < OPTIONS; i++)
    compare(&options[i], heed_kernels_choose(NULL)->bf16, 0, HEED_RECOMPUTE_NONE, &of_bf16);
}

static void made_again(void) {
  compare(&options[0], heed_kernels_choose(NULL), 0.3, HEED_RECOMPUTE_ATTENTION, &of_floats);
  compare(&options[0], heed_kernels_choose(NULL), 0.3, HEED_RECOMPUTE_BLOCK, &of_floats);
}

/* Threads change no bit. */
static void on_any_number_of_threads(void) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(3);
  trained three = train(&options[0], world->tensor, heed_kernels_choose(NULL), 0.3, HEED_RECOMPUTE_NONE);
  omp_set_num_threads(1);
  trained one = train(&options[0], world->tensor, heed_kernels_choose(NULL), 0.3, HEED_RECOMPUTE_NONE);
  omp_set_num_threads(threads);
  const size_t bytes = (size_t)heed_model_table(one.model)->gradient_total * sizeof(float);
  CU_ASSERT_EQUAL(memcmp(one.sums, three.sums, sizeof one.sums), 0);
  CU_ASSERT_EQUAL(memcmp(one.gradients, three.gradients, bytes), 0);
  heed_model_free(one.model);
  heed_model_free(three.model);
  test_release();
}

typedef struct seen {
  float logits[TARGETS * VOCABULARY];
  int64_t rows;
} seen;

static void see(void *self, const float *logits, int64_t first, int64_t rows) {
  seen *s = self;
  memcpy(s->logits + first * VOCABULARY, logits, (size_t)(rows * VOCABULARY) * sizeof *logits);
  s->rows += rows;
}

/* Every rank sees whole logits, and the losses of them. */
static void whole_logits_on_every_rank(void) {
  const option *o = &options[0];
  const heed_model_config config = config_of(o, 0);
  heed_model_sizes sizes[2] = {sizes_of(o, NULL), sizes_of(o, world->tensor)};
  heed_batch batch = make_batch(0, SEQUENCES, SLICES);
  float logits[2][TARGETS * VOCABULARY];
  double losses[2][TARGETS];
  for (int i = 0; i < 2; i++) {
    static seen scored;
    scored.rows = 0;
    heed_model *model = option_model(&config, &sizes[i]);
    float *weights = test_floats(heed_model_table(model)->total);
    set_weights(heed_model_table(model), weights);
    const float *asked = heed_model_logits(model, weights, &batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(asked);
    memcpy(logits[i], asked, sizeof logits[i]);
    memcpy(losses[i], heed_model_losses(model, &batch), sizeof losses[i]);
    const double *scores = heed_model_score(model, weights, &batch, see, &scored);
    CU_ASSERT_EQUAL(scored.rows, TARGETS);
    CU_ASSERT_EQUAL(memcmp(scored.logits, logits[i], sizeof logits[i]), 0);
    CU_ASSERT_EQUAL(memcmp(scores, losses[i], sizeof losses[i]), 0);
    heed_model_free(model);
    test_release();
  }
  CU_ASSERT(distance(logits[1], logits[0], TARGETS * VOCABULARY) < 1e-5 * distance(NULL, logits[0], TARGETS * VOCABULARY));
  for (int m = 0; m < TARGETS; m++)
    CU_ASSERT_DOUBLE_EQUAL(losses[1][m], losses[0][m], 1e-5 * losses[0][m]);
  heed_batch_free(&batch);
}

/* Heads go whole to a rank. */
static void refuses_heads_that_do_not_divide(void) {
  heed_model_config config = config_of(&options[0], 0);
  const heed_model_sizes sizes = sizes_of(&options[0], world->tensor);
  heed_model *model;
  config.heads = 1;
  CU_ASSERT_EQUAL(heed_model_create(&model, &config, &sizes, heed_kernels_choose(NULL)), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "parallel.tensor: the 1 heads"));
}

HEED_RANK_TESTS({"every option", every_option}, {"in bf16", in_bf16}, {"made again", made_again},
                {"on any number of threads", on_any_number_of_threads}, {"whole logits on every rank", whole_logits_on_every_rank},
                {"refuses heads that do not divide", refuses_heads_that_do_not_divide})

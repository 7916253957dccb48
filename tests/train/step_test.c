/* The training step: nothing is allocated, passes do not change the bits, a broken number changes nothing, and it learns.
 * wrap: malloc calloc realloc aligned_alloc mmap */
#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "test.h"

enum { ROWS = 16, SLICES = 8, LENGTH = 24, VOCABULARY = 120, TARGETS = 4 };

/* A source of batches made in memory: row lengths differ, tokens repeat with a pattern that can be learned. */
typedef struct source {
  heed_batch batch;
  int64_t slices_at_once, next_slice;
  uint32_t position;
} source;

static int64_t row_length(int64_t row) {
  return LENGTH - row % 5;
}

static bool is_target(int64_t t) {
  return t % 6 == 2;
}

static void fill_row(heed_batch *batch, int64_t row, uint32_t position) {
  heed_stream *stream = &batch->stream;
  int64_t b = stream->sequences++, length = row_length(row);
  batch->next_sentence[b] = (int32_t)((row + position) % 2);
  for (int64_t t = 0; t < length; t++) {
    int64_t at = stream->tokens++;
    stream->ids[at] = (int32_t)((row * 3 + t * 7 + position) % VOCABULARY);
    stream->positions[at] = (int32_t)t;
    stream->token_types[at] = 0;
    stream->sequence_of[at] = (int32_t)b;
    if (is_target(t)) {
      batch->target_tokens[batch->targets] = at;
      batch->target_ids[batch->targets++] = stream->ids[at];
      stream->ids[at] = 1;
    }
  }
  stream->offsets[b + 1] = stream->tokens;
}

static const heed_batch *next_batch(void *self) {
  source *s = self;
  heed_batch *batch = &s->batch;
  int64_t rows = ROWS / SLICES;
  batch->stream.sequences = batch->stream.tokens = batch->targets = 0;
  batch->slices = s->slices_at_once;
  batch->data_position = s->position;
  batch->first_row = s->next_slice * rows;
  for (int64_t g = 0; g < s->slices_at_once; g++) {
    for (int64_t r = 0; r < rows; r++)
      fill_row(batch, (s->next_slice + g) * rows + r, s->position);
    batch->slice_rows[g + 1] = batch->stream.sequences;
    batch->stream.slice_tokens[g + 1] = batch->stream.tokens;
    batch->slice_targets[g + 1] = batch->targets;
  }
  batch->step_targets = 0;
  for (int64_t row = 0; row < ROWS; row++)
    for (int64_t t = 0; t < row_length(row); t++)
      batch->step_targets += is_target(t);
  s->next_slice = (s->next_slice + s->slices_at_once) % SLICES;
  s->position += s->next_slice == 0;
  return batch;
}

static heed_config config_of(int64_t slices_at_once) {
  heed_config c = {.model = {.family = "bert",
                             .vocabulary_size = VOCABULARY,
                             .layers = 2,
                             .hidden = 32,
                             .heads = 2,
                             .feed_forward = 64,
                             .max_positions = LENGTH,
                             .token_types = 2,
                             .embedding_norm = true,
                             .biases = true,
                             .dropout = 0.1,
                             .attention_dropout = 0.1,
                             .layer_norm_epsilon = 1e-12,
                             .initializer_range = 0.02},
                   .train = {.steps = 100, .sequence_length = LENGTH, .batch_sequences = ROWS, .slices = SLICES},
                   .optimizer = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-6, .clip_norm = 1, .bias_correction = true}};
  c.run.seed = 5;
  c.train.slices_at_once = slices_at_once;
  return c;
}

typedef struct job {
  heed_config config;
  heed_stepper *stepper;
  source source;
} job;

static void as_it_is(heed_model_config *model) {
  (void)model;
}

/* All that attention, feed-forward and norms can be besides. */
static void with_options(heed_model_config *model) {
  static char gpt[] = "gpt";
  model->family = gpt;
  model->causal = true;
  model->positions = HEED_POSITIONS_ROTARY;
  model->rotary_theta = model->rotary_theta_local = 100;
  model->window = 7;
  model->global_every = 2;
  model->norm = HEED_NORM_PRE;
  model->activation = HEED_GEGLU;
  model->biases = false;
}

/* Elements of the jobs that a test starts, and what they make again. */
static heed_precision precision;
static heed_recompute recompute;

static void start_with(job *j, int64_t slices_at_once, bool next_sentence, void (*set)(heed_model_config *)) {
  *j = (job){.config = config_of(slices_at_once)};
  j->config.train.precision = precision;
  j->config.train.recompute = recompute;
  set(&j->config.model);
  j->config.objective.next_sentence = next_sentence;
  heed_stepper_spec spec = {.config = &j->config,
                            .kernels = heed_kernels_choose(NULL),
                            .communication = heed_alone(),
                            .targets_per_sequence = TARGETS,
                            .ranks_on_node = 1};
  CU_ASSERT_EQUAL_FATAL(heed_stepper_create(&j->stepper, &spec), HEED_OK);
  j->source.slices_at_once = heed_stepper_slices_at_once(j->stepper);
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&j->source.batch, SLICES, ROWS, ROWS * LENGTH, ROWS * TARGETS, true), HEED_OK);
  heed_stepper_initialise(j->stepper, 5);
}

static void start(job *j, int64_t slices_at_once) {
  start_with(j, slices_at_once, false, as_it_is);
}

static heed_step_result step(job *j, int64_t t) {
  return heed_stepper_run(j->stepper, (heed_batch_source){next_batch, &j->source}, 1e-2, t, 0);
}

static void finish(job *j) {
  heed_stepper_free(j->stepper);
  heed_batch_free(&j->source.batch);
}

static void count_allocations(void (*set)(heed_model_config *)) {
  job j;
  start_with(&j, 0, false, set);
  CU_ASSERT(allocations > 0);
  step(&j, 1); /* threads of the first region and their product buffers come with it */
  allocations = 0;
  for (int64_t t = 2; t < 8; t++)
    step(&j, t);
  CU_ASSERT_EQUAL(allocations, 0);
  finish(&j);
}

static void nothing_is_allocated(void) {
  for (precision = HEED_FP32; precision <= HEED_BF16; precision++) {
    count_allocations(as_it_is);
    count_allocations(with_options);
  }
  precision = HEED_FP32;
  for (recompute = HEED_RECOMPUTE_ATTENTION; recompute <= HEED_RECOMPUTE_BLOCK; recompute++)
    count_allocations(as_it_is);
  recompute = HEED_RECOMPUTE_NONE;
}

static void compare_passes(bool next_sentence, void (*set)(heed_model_config *)) {
  job whole;
  start_with(&whole, 0, next_sentence, set);
  CU_ASSERT_EQUAL(whole.source.slices_at_once, SLICES);
  double loss = 0;
  for (int64_t t = 1; t <= 3; t++)
    loss = step(&whole, t).loss;
  int64_t total = heed_stepper_table(whole.stepper)->total;
  for (int64_t at_once = 1; at_once < SLICES; at_once *= 2) {
    job parts;
    start_with(&parts, at_once, next_sentence, set);
    CU_ASSERT_EQUAL(parts.source.slices_at_once, at_once);
    double same = 0;
    for (int64_t t = 1; t <= 3; t++)
      same = step(&parts, t).loss;
    CU_ASSERT_EQUAL(same, loss);
    CU_ASSERT_EQUAL(memcmp(heed_stepper_masters(whole.stepper), heed_stepper_masters(parts.stepper), (size_t)total * sizeof(float)), 0);
    finish(&parts);
  }
  finish(&whole);
}

static void passes_do_not_change_the_bits(void) {
  for (precision = HEED_FP32; precision <= HEED_BF16; precision++) {
    compare_passes(false, as_it_is);
    compare_passes(false, with_options);
  }
  precision = HEED_FP32;
}

/* The weight of this loss depends on the targets of all passes. */
static void nor_with_next_sentences(void) {
  compare_passes(true, as_it_is);
}

/* Nor does what backward makes again, and of it less is kept. */
static void compare_recomputation(bool next_sentence, void (*set)(heed_model_config *)) {
  job kept;
  start_with(&kept, 0, next_sentence, set);
  double loss = 0, same = 0;
  for (int64_t t = 1; t <= 3; t++)
    loss = step(&kept, t).loss;
  size_t activations = heed_stepper_plan_memory(kept.stepper).activations;
  int64_t total = heed_stepper_table(kept.stepper)->total;
  for (recompute = HEED_RECOMPUTE_ATTENTION; recompute <= HEED_RECOMPUTE_BLOCK; recompute++)
    for (int64_t at_once = SLICES; at_once > 0; at_once /= 4) {
      job again;
      start_with(&again, at_once, next_sentence, set);
      for (int64_t t = 1; t <= 3; t++)
        same = step(&again, t).loss;
      CU_ASSERT_EQUAL(same, loss);
      CU_ASSERT_EQUAL(memcmp(heed_stepper_masters(kept.stepper), heed_stepper_masters(again.stepper), (size_t)total * sizeof(float)), 0);
      CU_ASSERT(heed_stepper_plan_memory(again.stepper).activations < activations);
      if (at_once == SLICES)
        activations = heed_stepper_plan_memory(again.stepper).activations;
      finish(&again);
    }
  recompute = HEED_RECOMPUTE_NONE;
  finish(&kept);
}

static void recomputation_does_not_change_the_bits(void) {
  for (precision = HEED_FP32; precision <= HEED_BF16; precision++) {
    compare_recomputation(false, as_it_is);
    compare_recomputation(false, with_options);
    compare_recomputation(true, as_it_is);
  }
  precision = HEED_FP32;
}

static double last_loss_of(heed_precision elements) {
  job j;
  precision = elements;
  start(&j, 0);
  precision = HEED_FP32;
  double first = 0, last = 0;
  for (int64_t t = 1; t <= 120; t++) {
    heed_step_result result = step(&j, t);
    CU_ASSERT(result.targets <= ROWS * TARGETS && result.targets > 0);
    first = t == 1 ? result.loss : first;
    last = result.loss;
  }
  printf("loss %.2f, then %.2f  ", first, last);
  CU_ASSERT_DOUBLE_EQUAL(first, log(VOCABULARY), 0.3);
  CU_ASSERT(last < first - 1);
  finish(&j);
  return last;
}

/* In bf16 as in fp32: on the steep way down their losses are apart by little more than those of fp32 on two instruction levels, 7%. */
static void it_learns(void) {
  double fp32 = last_loss_of(HEED_FP32), bf16 = last_loss_of(HEED_BF16);
  CU_ASSERT(fp32 != bf16);
  CU_ASSERT_DOUBLE_EQUAL(bf16, fp32, 0.15 * fp32);
}

static void a_broken_number_changes_nothing(void) {
  job j;
  start(&j, 0);
  int64_t total = heed_stepper_table(j.stepper)->total;
  float *before = malloc((size_t)total * sizeof *before);
  heed_stepper_masters(j.stepper)[total - 1] = NAN;
  heed_stepper_take(j.stepper);
  memcpy(before, heed_stepper_masters(j.stepper), (size_t)total * sizeof *before);
  heed_step_result result = step(&j, 1);
  CU_ASSERT_TRUE(result.skipped);
  CU_ASSERT_EQUAL(memcmp(before, heed_stepper_masters(j.stepper), (size_t)total * sizeof *before), 0);
  free(before);
  finish(&j);
}

/* Whether logits of the stepper's parameters have the bits of those of its masters, which the model knows nothing of: it rounds and packs
 * floats at each call. */
static bool packed_as_they_are(job *j) {
  size_t bytes = (size_t)heed_stepper_table(j->stepper)->total * sizeof(float);
  float *copy = malloc(bytes);
  memcpy(copy, heed_stepper_masters(j->stepper), bytes);
  source s = {.batch = j->source.batch, .slices_at_once = SLICES};
  const heed_batch *batch = next_batch(&s);
  heed_model *model = heed_stepper_model(j->stepper);
  size_t logits_bytes = (size_t)(batch->targets * VOCABULARY) * sizeof(float);
  float *logits = malloc(logits_bytes);
  memcpy(logits, heed_model_logits(model, heed_stepper_parameters(j->stepper), batch), logits_bytes);
  bool same = memcmp(logits, heed_model_logits(model, copy, batch), logits_bytes) == 0;
  free(logits);
  free(copy);
  return same;
}

/* A weight that every token meets: the first of the last layer's last map. */
static int64_t a_weight(const job *j) {
  const heed_parameter_table *table = heed_stepper_table(j->stepper);
  return table->items[heed_parameters_find(table, "bert.encoder.layer.1.output.dense.weight")].offset;
}

/* Whatever changes the parameters, products read what they are: after updates, after one that is skipped, after a change from outside. */
static void packed_weights_are_those_of_now(void) {
  job j;
  precision = HEED_BF16;
  start(&j, 0);
  precision = HEED_FP32;
  CU_ASSERT(packed_as_they_are(&j));
  for (int64_t t = 1; t <= 3; t++) {
    CU_ASSERT_FALSE(step(&j, t).skipped);
    CU_ASSERT(packed_as_they_are(&j));
  }
  float *weight = heed_stepper_masters(j.stepper) + a_weight(&j), was = *weight;
  *weight = INFINITY;
  heed_stepper_take(j.stepper);
  CU_ASSERT(packed_as_they_are(&j));
  CU_ASSERT_TRUE(step(&j, 4).skipped);
  CU_ASSERT(packed_as_they_are(&j));
  *weight = was;
  heed_stepper_take(j.stepper);
  CU_ASSERT_FALSE(step(&j, 4).skipped);
  CU_ASSERT(packed_as_they_are(&j));
  *weight += 1; /* a test of the test: by the back door, as no one may */
  CU_ASSERT_FALSE(packed_as_they_are(&j));
  finish(&j);
}

/* Nothing that a model can have reads floats of what there are elements of. */
static void models_of_all_kinds_read_elements(void) {
  static void (*const sets[])(heed_model_config *) = {as_it_is, with_options};
  for (int i = 0; i < 2; i++) {
    job j;
    precision = HEED_BF16;
    start_with(&j, 0, false, sets[i]);
    precision = HEED_FP32;
    CU_ASSERT_FALSE(step(&j, 1).skipped);
    CU_ASSERT(packed_as_they_are(&j));
    finish(&j);
  }
}

static void wrong_passes_are_refused(void) {
  heed_stepper *stepper;
  heed_config config = config_of(3);
  heed_stepper_spec spec = {.config = &config,
                            .kernels = heed_kernels_choose(NULL),
                            .communication = heed_alone(),
                            .targets_per_sequence = TARGETS,
                            .ranks_on_node = 1};
  CU_ASSERT_EQUAL(heed_stepper_create(&stepper, &spec), HEED_INVALID);
}

static void ranks_that_do_not_fit_are_refused(void) {
  static const int wrong[] = {3, 5, 6, 16};
  heed_communication ranks = *heed_alone();
  ranks.data = &ranks;
  heed_config config = config_of(0);
  heed_stepper_spec spec = {
      .config = &config, .kernels = heed_kernels_choose(NULL), .communication = &ranks, .targets_per_sequence = TARGETS};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    heed_stepper *stepper = NULL;
    ranks.size = wrong[i];
    CU_ASSERT_EQUAL(heed_stepper_create(&stepper, &spec), HEED_INVALID);
    CU_ASSERT_PTR_NULL(stepper);
  }
}

HEED_TESTS({"nothing is allocated in a step", nothing_is_allocated}, {"passes do not change the bits", passes_do_not_change_the_bits},
           {"nor with next sentences", nor_with_next_sentences},
           {"recomputation does not change the bits", recomputation_does_not_change_the_bits}, {"it learns", it_learns},
           {"a broken number changes nothing", a_broken_number_changes_nothing},
           {"packed weights are those of now", packed_weights_are_those_of_now},
           {"models of all kinds read elements", models_of_all_kinds_read_elements}, {"wrong passes are refused", wrong_passes_are_refused},
           {"ranks that do not fit are refused", ranks_that_do_not_fit_are_refused})

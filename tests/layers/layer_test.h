/** What the tests of layers and heads share: a ragged batch in several slices, a plan, and what a call is given.
 *
 *  Gradients of parameters begin as numbers and the twins' as zeros: so what is to be written must be written. */
#ifndef HEED_TESTS_LAYERS_LAYER_TEST_H
#define HEED_TESTS_LAYERS_LAYER_TEST_H

#include <omp.h>

#include "base/blas.h"
#include "heed/config.h"
#include "layers/context.h"
#include "reference/numbers.h"
#include "test.h"

enum {
  LAYER_ROWS = 5,
  LAYER_SLICES = 4, /* the third without rows */
  LAYER_LONGEST = 12,
  LAYER_TOKENS = 33,
  LAYER_TARGETS = 8,
  LAYER_WIDTH = 24,
  LAYER_HEADS = 3,
  LAYER_INNER = 40,
  LAYER_VOCABULARY = 50
};

static const int64_t layer_lengths[LAYER_ROWS] = {7, 1, LAYER_LONGEST, 4, 9}, layer_slice_rows[LAYER_SLICES + 1] = {0, 2, 3, 3, 5};

/** Relative to the norm.  A float sum of n terms is off by about √n·2⁻²⁴, 6e-7 for the 100 of the longest sums here, and a layer does a
 *  few in a row. */
static const double layer_bound = 3e-6;

typedef struct layer_fixture {
  heed_model_config config;
  heed_parameter_table table;
  heed_arena arena, scratch;
  heed_plan plan;
  heed_batch batch;
  heed_context context;
  float *parameters, *gradients;
  double *wide_parameters, *wide_gradients; /* the twins' */
} layer_fixture;

static inline void layer_fill_batch(heed_batch *batch) {
  heed_stream *stream = &batch->stream;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(batch, LAYER_SLICES, LAYER_ROWS, LAYER_TOKENS, LAYER_TOKENS, true), HEED_OK);
  batch->slices = LAYER_SLICES;
  batch->data_position = 3;
  batch->first_row = 16;
  stream->sequences = LAYER_ROWS;
  for (int64_t b = 0; b < LAYER_ROWS; b++) {
    batch->next_sentence[b] = b % 3 == 1;
    for (int64_t t = 0; t < layer_lengths[b]; t++) {
      int64_t at = stream->tokens++;
      stream->ids[at] = (int32_t)(at * at % LAYER_VOCABULARY);
      stream->positions[at] = (int32_t)t;
      stream->token_types[at] = 2 * t > layer_lengths[b];
      stream->sequence_of[at] = (int32_t)b;
      if (t % 4 == 1) {
        batch->target_tokens[batch->targets] = at;
        batch->target_ids[batch->targets++] = (int32_t)(13 * at % LAYER_VOCABULARY);
      }
    }
    stream->offsets[b + 1] = stream->tokens;
    for (int64_t g = 1; g <= LAYER_SLICES; g++)
      if (layer_slice_rows[g] == b + 1) {
        batch->slice_rows[g] = b + 1;
        batch->stream.slice_tokens[g] = stream->tokens;
        batch->slice_targets[g] = batch->targets;
      }
  }
  CU_ASSERT_EQUAL_FATAL(stream->tokens, LAYER_TOKENS);
  CU_ASSERT_EQUAL_FATAL(batch->targets, LAYER_TARGETS);
}

/** Before planning. */
static inline void layer_begin(layer_fixture *f, bool training) {
  static char family[] = "bert";
  *f = (layer_fixture){.config = {.family = family,
                                  .vocabulary_size = LAYER_VOCABULARY,
                                  .layers = 2,
                                  .hidden = LAYER_WIDTH,
                                  .heads = LAYER_HEADS,
                                  .feed_forward = LAYER_INNER,
                                  .max_positions = LAYER_LONGEST,
                                  .token_types = 2,
                                  .embedding_norm = true,
                                  .biases = true,
                                  .dropout = 0.25,
                                  .attention_dropout = 0.25,
                                  .layer_norm_epsilon = 1e-5,
                                  .initializer_range = 0.02},
                       .arena.name = "activations",
                       .scratch.name = "scratch"};
  CU_ASSERT_EQUAL_FATAL(heed_blas_check(), HEED_OK);
  const heed_kernels *kernels = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(kernels);
  f->plan = (heed_plan){.table = &f->table,
                        .arena = &f->arena,
                        .kernels = kernels,
                        .sequences = LAYER_ROWS,
                        .tokens = LAYER_TOKENS,
                        .targets = LAYER_TARGETS,
                        .slices = LAYER_SLICES,
                        .training = training,
                        .initialisation = HEED_INIT_TRUNCATED_NORMAL};
}

/** After planning: memory that is full of NaN, so that what is read before it is written shows. */
static inline void layer_commit(layer_fixture *f) {
  const heed_kernels *kernels = f->plan.kernels;
  int64_t floats = kernels->scratch_floats(LAYER_SLICES, LAYER_LONGEST, LAYER_WIDTH / LAYER_HEADS, LAYER_WIDTH);
  heed_arena_reserve(&f->scratch, (size_t)(floats * omp_get_max_threads()), sizeof(float));
  size_t workspace = heed_arena_reserve(&f->scratch, (size_t)f->plan.workspace, sizeof(float));
  CU_ASSERT_EQUAL_FATAL(heed_arena_commit(&f->arena), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_arena_commit(&f->scratch), HEED_OK);
  memset(f->arena.base, 0xFF, f->arena.capacity);
  memset(f->scratch.base, 0xFF, f->scratch.capacity);
  layer_fill_batch(&f->batch);
  f->parameters = test_random(f->table.total, 1, 0.5);
  f->gradients = test_random(f->table.gradient_total, 2, 0.5);
  f->wide_parameters = test_widen(f->parameters, f->table.total);
  f->wide_gradients = test_doubles(f->table.gradient_total);
  f->context = (heed_context){.kernels = kernels,
                              .tensor = heed_alone(),
                              .batch = &f->batch,
                              .stream = &f->batch.stream,
                              .parameters = f->parameters,
                              .gradients = f->plan.training ? f->gradients : NULL,
                              .arena = &f->arena,
                              .workspace = heed_arena_at(&f->scratch, workspace),
                              .scratch = heed_arena_at(&f->scratch, 0),
                              .scratch_floats = floats,
                              .training = f->plan.training,
                              .seed = 11};
}

static inline void layer_end(layer_fixture *f) {
  heed_parameters_free(&f->table);
  heed_arena_free(&f->arena);
  heed_arena_free(&f->scratch);
  heed_batch_free(&f->batch);
  test_release();
}

/** What leaves the body's output in y[T, C] as it is: a residual of zeros, no dropout, no norm. */
static inline heed_residual layer_bare(const heed_stream *stream, float *y) {
  heed_dropout none = {.scale = 1};
  return (heed_residual){.sum = y,
                         .residual = test_floats(LAYER_TOKENS * LAYER_WIDTH),
                         .sequence_of = stream->sequence_of,
                         .offsets = stream->offsets,
                         .dropout = none};
}

/** A parameter of the twins, and its gradient; NULL for one that the layer does without. */
static inline const double *layer_weights(const layer_fixture *f, int64_t offset) {
  return offset < 0 ? NULL : f->wide_parameters + offset;
}
static inline double *layer_gradient(const layer_fixture *f, int64_t offset) {
  return offset < 0 ? NULL : f->wide_gradients + offset;
}

/** Whether all gradients are the twins'; some are zero but for rounding (a key's bias moves all scores of a query alike). */
static inline bool layer_gradients_fit(const layer_fixture *f) {
  bool fit = true;
  for (int64_t i = 0; i < f->table.count; i++) {
    const heed_parameter *p = &f->table.items[i];
    double error = 0, size = 0.1 * (double)p->count;
    for (int64_t j = p->offset; j < p->offset + p->count; j++) {
      double difference = (double)f->gradients[j] - f->wide_gradients[j];
      error += difference * difference;
      size += f->wide_gradients[j] * f->wide_gradients[j];
    }
    error = sqrt(error / size);
    if (!(error < layer_bound)) {
      printf("(%s %.1e) ", p->name, error);
      fit = false;
    }
  }
  return fit;
}

/** A tensor as it must be registered; columns 0: a vector. */
typedef struct layer_tensor {
  const char *name;
  int64_t rows, columns;
} layer_tensor;

/** Whether the table holds just these, in this order and without gaps: matrices drawn from a truncated normal and decayed, vectors not
 *  decayed, those of a LayerNorm.weight ones and the others zeros. */
static inline bool layer_table_is(const heed_parameter_table *table, const layer_tensor *tensors, int64_t count) {
  int64_t offset = 0;
  bool right = table->count == count;
  for (int64_t i = 0; i < count && i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    const layer_tensor *want = &tensors[i];
    bool matrix = want->columns > 0;
    heed_initialisation vector = strstr(want->name, "LayerNorm.weight") ? HEED_INIT_ONES : HEED_INIT_ZEROS;
    bool same = strcmp(p->name, want->name) == 0 && p->rank == 1 + matrix && p->shape[0] == want->rows &&
                (!matrix || p->shape[1] == want->columns) && p->offset == offset && p->decay == matrix &&
                p->initialisation == (matrix ? HEED_INIT_TRUNCATED_NORMAL : vector) && (!matrix || p->deviation == 0.02f);
    if (!same)
      printf("(tensor %d is %s, not %s, or not as it) ", (int)i, p->name, want->name);
    right = right && same;
    offset += p->count;
  }
  return right && table->total == offset;
}

#define LAYER_TABLE_IS(table, tensors) layer_table_is(table, tensors, (int64_t)(sizeof(tensors) / sizeof *(tensors)))

#endif

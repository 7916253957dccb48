/** What a layer is planned with, and what it is given at each call. */
#ifndef HEED_LAYERS_CONTEXT_H
#define HEED_LAYERS_CONTEXT_H

#include <omp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "heed/batch.h"
#include "heed/communication.h"
#include "heed/config.h"
#include "heed/parameters.h"
#include "kernels/kernels.h"
#include "layers/panels.h"

/** While planning: layers register parameters in the table, reserve what they save and work on in the arena, and take numbers for
 *  their dropouts.  The sizes are the most that one call will bring. */
typedef struct heed_plan {
  heed_parameter_table *table;
  heed_arena *arena;
  const heed_kernels *kernels;
  heed_panels *panels;                /* of the linear maps; NULL: products pack at each call */
  heed_arena *cache;                  /* keys and values that outlive a call; NULL: none */
  int64_t sequences, tokens, targets; /* B, T, M */
  int64_t source_tokens;              /* of the stream that cross-attention reads */
  int64_t cache_tokens;               /* of a sequence */
  int64_t slices;                     /* G */
  bool training;                      /* whether backward will be called */
  heed_recompute recompute;           /* with training: what it makes again (block.h) */
  bool logits_in_groups;              /* whether nobody asks for the logits of all targets at once */
  heed_initialisation initialisation; /* of weights that are drawn */
  size_t waves;                       /* fixed tables (positions.h): added to the words, */
  size_t rotary, rotary_local;        /* turning queries and keys in layers that see all, and in those with a window */
  int64_t workspace;                  /* floats of the largest workspace that a kernel takes */
  uint32_t next_site;
  int64_t attentions; /* layers of attention so far */
} heed_plan;

/** Where the keys and values of each sequence lie in the cache: of sequence b, tokens [starts[b], ends[b]), those of the call included.
 *  Every layer of attention has such a place, [B · cache_tokens, 2C], keys before values. */
typedef struct heed_cache {
  const int64_t *starts; /* [B + 1] */
  const int64_t *ends;   /* [B] */
} heed_cache;

/** What a layer gives the next: [T, C] as floats, which residuals and norms read, and as elements, which matrix products read (kernels.h).
 *  In fp32 they are the same memory.  NULL: nobody reads it so. */
typedef struct heed_hidden {
  const float *values;
  const void *elements;
} heed_hidden;

/** The stream that cross-attention reads. */
typedef struct heed_source {
  const heed_stream *stream;
  const void *hidden; /* [T, C] its last layer's output, elements */
  float *gradient;    /* [T, C] added to; NULL outside training */
} heed_source;

/** At each call.  Layers keep offsets (of parameters in the flat block, of buffers in the arena); the context turns them into memory. */
typedef struct heed_context {
  const heed_kernels *kernels;
  heed_communication *tensor; /**< the ranks over which tensors are split: of one, they are whole */
  double *adding;             /**< seconds spent in sums over them, added to */
  const heed_batch *batch;
  const heed_stream *stream; /**< of the batch: the one whose tokens are the rows */
  heed_source source;
  const heed_cache *cache;   /**< NULL: none */
  const float *parameters;   /**< the flat block; of it tensors of one dimension alone where panels hold the others */
  const heed_panels *panels; /**< of the parameters; NULL: none */
  float *gradients;          /**< the gradient block, NULL outside training */
  const heed_arena *arena, *cache_arena;
  float *workspace; /**< of one kernel at a time, shared by the threads */
  float *scratch;   /**< [threads][scratch_floats] */
  int64_t scratch_floats;
  bool training;            /**< dropout on, activations kept */
  heed_recompute recompute; /**< as it was planned */
  uint32_t seed;
  float *maps;     /**< [attentions][H][S][S] where attention leaves the weights of the first sequence, or NULL */
  double *entropy; /**< [attentions][B][H] where attention leaves the entropy of its weights, summed over queries, or NULL */
} heed_context;

/** Rows of a matrix, in slices (kernels.h): tokens, targets or sequences of the batch. */
typedef struct heed_rows {
  const int64_t *starts;
  int64_t slices;
} heed_rows;

static inline heed_rows heed_token_rows(const heed_context *context) {
  return (heed_rows){context->stream->slice_tokens, context->batch->slices};
}
static inline heed_rows heed_source_rows(const heed_context *context) {
  return (heed_rows){context->source.stream->slice_tokens, context->batch->slices};
}
static inline heed_rows heed_target_rows(const heed_context *context) {
  return (heed_rows){context->batch->slice_targets, context->batch->slices};
}
static inline heed_rows heed_sequence_rows(const heed_context *context) {
  return (heed_rows){context->batch->slice_rows, context->batch->slices};
}
static inline int64_t heed_row_count(heed_rows rows) {
  return rows.starts[rows.slices];
}

static inline void *heed_buffer(const heed_context *context, size_t offset) {
  return heed_arena_at(context->arena, offset);
}

/** Reserves what forward or backward writes: floats, or elements. */
static inline size_t heed_reserve_floats(heed_plan *plan, int64_t rows, int64_t width) {
  return heed_arena_reserve(plan->arena, (size_t)rows * (size_t)width, sizeof(float));
}
static inline size_t heed_reserve_elements(heed_plan *plan, int64_t rows, int64_t width) {
  return heed_arena_reserve(plan->arena, (size_t)rows * (size_t)width, plan->kernels->element_bytes);
}
/** Elements beside floats that are reserved already: the same memory in fp32. */
static inline size_t heed_reserve_elements_beside(heed_plan *plan, size_t floats, int64_t rows, int64_t width) {
  return plan->kernels->element_bytes == sizeof(float) ? floats : heed_reserve_elements(plan, rows, width);
}

/** Sees that the workspace has so many floats. */
static inline void heed_plan_workspace(heed_plan *plan, int64_t floats) {
  plan->workspace = floats > plan->workspace ? floats : plan->workspace;
}

/** The place `count` elements behind `elements`. */
static inline void *heed_behind(const heed_context *context, const void *elements, int64_t count) {
  return (char *)elements + count * (int64_t)context->kernels->element_bytes;
}

/** Where a parameter lies in a block; NULL for the offset −1 of one that a layer does without. */
static inline const float *heed_weights(const heed_context *context, int64_t offset) {
  return offset < 0 ? NULL : context->parameters + offset;
}
static inline float *heed_gradient(const heed_context *context, int64_t offset) {
  return offset < 0 ? NULL : context->gradients + offset;
}

/** Adds up over the tensor ranks what each has worked out a share of.  Called by all threads, when all have written. */
static inline void heed_add_up(const heed_context *context, float *data, int64_t count) {
#pragma omp master
  {
    const double begun = heed_seconds();
    context->tensor->add(context->tensor, data, count);
    *context->adding += heed_seconds() - begun;
  }
#pragma omp barrier
}

/** Where a tensor of two or more dimensions lies: as elements, or as floats where there are no such (`wide`). */
static inline const void *heed_table(const heed_context *context, int64_t offset, bool *wide) {
  const void *elements = heed_panels_elements(context->panels, context->parameters);
  *wide = !elements;
  if (offset < 0)
    return NULL;
  return elements ? heed_behind(context, elements, offset) : context->parameters + offset;
}

/** The calling thread's scratch. */
static inline float *heed_thread_scratch(const heed_context *context) {
  return context->scratch + omp_get_thread_num() * context->scratch_floats;
}

/** The dropout of a site with probability p in this call; none outside training. */
static inline heed_dropout heed_dropout_at(const heed_context *context, double p, uint32_t site) {
  uint32_t threshold = context->training ? (uint32_t)(p * 65536.0 + 0.5) : 0;
  return (heed_dropout){.threshold = threshold,
                        .scale = (float)(65536.0 / (65536.0 - threshold)),
                        .seed = context->seed,
                        .data_position = context->batch->data_position,
                        .site = site,
                        .first_row = (uint32_t)context->batch->first_row};
}

#endif

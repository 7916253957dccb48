/** The parameter table: every trained tensor of a model, registered once by the layer that owns it.
 *
 *  Values live in one flat fp32 block, in the order of registration and without gaps, so that tensors registered one after the
 *  other (query, key and value weights) can be read as one.  Gradients and optimizer moments are parallel blocks at the same
 *  offsets.  Optimizer, sharding, checkpoint, export and inspection all read this table. */
#ifndef HEED_PARAMETERS_H
#define HEED_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_MAX_RANK = 4, HEED_MAX_NAME = 255, HEED_MAX_PARAMETERS = 65536 };

/** Norms are double sums over chunks of this many elements, which restart at each tensor; shard edges fall on chunks. */
enum { HEED_CHUNK = 4096 };

typedef enum heed_initialisation {
  HEED_INIT_ZEROS,
  HEED_INIT_ONES,
  HEED_INIT_TRUNCATED_NORMAL, /**< normal of deviation `deviation`, redrawn outside ±2 deviations */
  HEED_INIT_NORMAL
} heed_initialisation;

typedef struct heed_parameter {
  char name[HEED_MAX_NAME + 1]; /**< Hugging Face's name, for example bert.embeddings.LayerNorm.weight */
  int rank;
  int64_t shape[HEED_MAX_RANK];
  int64_t count;  /**< product of shape */
  int64_t offset; /**< first element, in floats from the start of the flat block */
  heed_initialisation initialisation;
  float deviation;
  bool decay;     /**< whether weight decay applies (not to biases and norms) */
  int shard_axis; /**< axis that tensor parallelism splits, −1 for none */
} heed_parameter;

/** A tensor that is used twice (tied) has two gradients.  Each is summed over the slices by itself and then added, so that the
 *  result has the same bits on any number of ranks; the second one has a place of its own behind the flat gradient block. */
typedef struct heed_tied_gradient {
  int64_t parameter; /**< index of the tensor */
  int64_t offset;    /**< where its second gradient is, in floats from the start of the gradient block */
} heed_tied_gradient;

typedef struct heed_parameter_table {
  heed_parameter *items;
  int64_t count, capacity;
  int64_t total; /**< floats in the flat block */
  heed_tied_gradient *tied;
  int64_t tied_count;
  int64_t gradient_total; /**< floats in the gradient block: total and the second gradients */
} heed_parameter_table;

/** Registers a tensor.  `spec` gives name, rank, shape, initialisation, deviation, decay and shard_axis; count and offset are
 *  worked out.  \param[out] index  its place in the table (may be NULL).
 *  Errors: HEED_INVALID for a name already taken or too long, a shape without elements, or one too large to count. */
heed_status heed_parameters_add(heed_parameter_table *table, const heed_parameter *spec, int64_t *index);

/** Reserves a second gradient for tensor `index`.  Called after all tensors are registered.  \param[out] offset  its place in floats. */
heed_status heed_parameters_tie(heed_parameter_table *table, int64_t index, int64_t *offset);

/** The index of a name, or −1. */
int64_t heed_parameters_find(const heed_parameter_table *table, const char *name);

/** Fills `values[total]` with the initial values: a pure function of the seed, each tensor's place in the table and element. */
void heed_parameters_initialise(const heed_parameter_table *table, float *values, uint32_t seed);

/** The same for tensor `index` alone: its part of `values[total]`. */
void heed_parameters_initialise_one(const heed_parameter_table *table, int64_t index, float *values, uint32_t seed);

/** The places where a shard may be cut: starts of all chunks in order, and at last `total`.
 *  \param[out] cuts  allocated, to be freed by the caller; \param[out] count  number of cuts, chunks + 1. */
heed_status heed_parameters_cuts(const heed_parameter_table *table, int64_t **cuts, int64_t *count);

void heed_parameters_free(heed_parameter_table *table);

#endif

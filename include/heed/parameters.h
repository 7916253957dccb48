/** The parameter table: every trained tensor of a model, registered once by the layer that owns it.
 *
 *  Values live in one flat fp32 block, in the order of registration and without gaps, so that tensors registered one after the
 *  other (query, key and value weights) can be read as one.  Gradients and optimizer moments are parallel blocks at the same
 *  offsets.  Optimizer, sharding, checkpoint, export and inspection all read this table.
 *
 *  With tensor parallelism (Shoeybi et al. 2019, §3) a table lists one of several parts: of a tensor that is split along an axis the
 *  block holds this part alone, of any other the whole. */
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
  int64_t shape[HEED_MAX_RANK]; /**< of the whole tensor */
  int64_t count;                /**< elements in the flat block: the product of shape, or this part's share of it */
  int64_t offset;               /**< first element, in floats from the start of the flat block */
  heed_initialisation initialisation;
  float deviation;
  bool decay;         /**< whether weight decay applies (not to biases and norms) */
  int shard_axis;     /**< axis that tensor parallelism splits, −1 for none */
  int64_t shard_runs; /**< the axis is so many runs one behind the other, each of which is split (query, key and value in one tensor: 3);
                         0 stands for 1 */
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
  int part, parts;        /**< of tensor parallelism, set before the first tensor; 0 parts stand for 1 */
} heed_parameter_table;

/** Registers a tensor.  `spec` gives name, rank, shape, initialisation, deviation, decay, shard_axis and shard_runs; count and offset are
 *  worked out.  \param[out] index  its place in the table (may be NULL).
 *  Errors: HEED_INVALID for a name already taken or too long, a shape without elements, one too large to count, or an axis that cannot be
 *  split in so many parts. */
heed_status heed_parameters_add(heed_parameter_table *table, const heed_parameter *spec, int64_t *index);

/** Reserves a second gradient for tensor `index`.  Called after all tensors are registered.  \param[out] offset  its place in floats. */
heed_status heed_parameters_tie(heed_parameter_table *table, int64_t index, int64_t *offset);

/** The index of a name, or −1. */
int64_t heed_parameters_find(const heed_parameter_table *table, const char *name);

/** Of `count` things in a row part `part` of `parts` begins here; the parts differ by one thing at most. */
static inline int64_t heed_part_begin(int64_t count, int parts, int part) {
  return count * part / parts;
}

/** Where one part of a tensor lies in the whole: its elements [i · length, (i + 1) · length) are [i · stride + first, … + length) there,
 *  0 ≤ i < runs.  So they come in the same order here and there. */
typedef struct heed_split {
  int64_t runs, length, stride, first;
} heed_split;

/** The split of tensor `index` for a part; of one that is not split the whole in one run. */
heed_split heed_parameters_split(const heed_parameter_table *table, int64_t index, int part);

/** How many of the part's elements come before element `whole` of the whole tensor. */
int64_t heed_split_before(const heed_split *split, int64_t whole);

/** Copies the part's elements of [first, end) of the whole tensor: from or to `whole`, which begins with element `first`, and to or from
 *  `part`, which begins with element heed_split_before(split, first) of the part. */
void heed_split_take(const heed_split *split, float *part, const float *whole, int64_t first, int64_t end);
void heed_split_put(const heed_split *split, float *whole, const float *part, int64_t first, int64_t end);

/** Elements of the whole tensor, and of all whole tensors. */
int64_t heed_parameters_whole_count(const heed_parameter_table *table, int64_t index);
int64_t heed_parameters_whole_total(const heed_parameter_table *table);

/** Fills `values[total]` with the initial values: a pure function of the seed, each tensor's place in the table and the element's place in
 *  the whole tensor. */
void heed_parameters_initialise(const heed_parameter_table *table, float *values, uint32_t seed);

/** The same for tensor `index` alone: its part of `values[total]`. */
void heed_parameters_initialise_one(const heed_parameter_table *table, int64_t index, float *values, uint32_t seed);

/** The same for its elements [first, first + count), at most HEED_CHUNK from the start of a chunk on, into `values[count]`.  One thread. */
void heed_parameters_initialise_part(const heed_parameter_table *table, int64_t index, float *values, int64_t first, int64_t count,
                                     uint32_t seed);

/** The places where a shard may be cut: starts of all chunks in order, and at last `total`.
 *  \param[out] cuts  allocated, to be freed by the caller; \param[out] count  number of cuts, chunks + 1. */
heed_status heed_parameters_cuts(const heed_parameter_table *table, int64_t **cuts, int64_t *count);

void heed_parameters_free(heed_parameter_table *table);

#endif

/** The weights of a run: the masters, fp32, which updates change, and what forward reads of them.
 *
 *  fp32: both are one flat block, the same on every rank; an update changes this rank's shard of it.
 *  bf16: a rank has the masters of its shard alone (ZeRO stage 1, Rajbhandari et al. 2020).  Forward reads tensors of two or more
 *  dimensions as bf16 and those of one as floats, and that is what ranks tell each other after an update. */
#ifndef HEED_TRAIN_MASTERS_H
#define HEED_TRAIN_MASTERS_H

#include <stdbool.h>

#include "kernels/kernels.h"
#include "train/chunks.h"

typedef struct heed_masters {
  const heed_chunks *chunks;
  const heed_kernels *kernels;
  heed_communication *communication;
  float *values;         /**< [total] fp32: the masters; bf16: of them the tensors of one dimension, which alone take memory */
  float *shard;          /**< bf16: the masters of this rank's shard, laid out by communication->runs; fp32: NULL */
  void *elements;        /**< bf16: [total] the tensors of two or more dimensions; fp32: NULL */
  float *vectors;        /**< bf16: the tensors of one dimension without gaps, as they are exchanged */
  heed_shard_run *parts; /**< where they lie in the flat block and there */
  int64_t part_count;
} heed_masters;

/** Allocates masters that are 0, for kernels of either kind of element.  What is given is borrowed.  Collective, as freeing is.
 *  Errors: HEED_FAILED when memory is short; what was made is to be freed then too. */
heed_status heed_masters_create(heed_masters *masters, const heed_chunks *chunks, const heed_kernels *kernels,
                                heed_communication *communication);
void heed_masters_free(heed_masters *masters);

/** Bytes of a rank of so many; and of them what all ranks have alike, which near ones read where it lies and the exchange carries. */
size_t heed_masters_bytes(const heed_parameter_table *table, const heed_kernels *kernels, int ranks);
size_t heed_masters_common_bytes(const heed_parameter_table *table, const heed_kernels *kernels);

/** The masters of one of this rank's chunks. */
static inline float *heed_masters_at(const heed_masters *m, heed_own_chunk own) {
  return m->shard ? m->shard + own.at : m->values + m->chunks->starts[own.chunk];
}

/** A chunk was changed: makes of it what forward reads here.  Rank-local, one thread a call. */
void heed_masters_show(const heed_masters *masters, heed_own_chunk own);

/** Tells the other ranks what was made of this one's chunks, and takes theirs.  Collective. */
void heed_masters_gather(const heed_masters *masters);

/** All masters were changed (in fp32 on every rank alike): makes what forward reads, of all ranks' chunks.  Collective. */
void heed_masters_take(const heed_masters *masters);

/** The weights of step 0 (heed_parameters_initialise).  Collective. */
void heed_masters_initialise(const heed_masters *masters, uint32_t seed);

#endif

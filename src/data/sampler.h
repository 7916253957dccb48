/** The sampler: what makes row r of global batch n: segments of documents and how they are masked (segments.h, masking.h), or a block of
 *  the stream of all documents, whose next tokens are to be predicted (blocks.h).
 *
 *  Everything is a pure function of (seed, data position, row): there is no state, so any rank makes any row, and a resume costs nothing.
 */
#ifndef HEED_DATA_SAMPLER_H
#define HEED_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "data/shard.h"
#include "heed/batch.h"
#include "heed/config.h"
#include "heed/tokenizer.h"

typedef struct heed_sampler heed_sampler;

typedef struct heed_sampler_spec {
  const char *const *paths; /**< token shards: files or globs, in this order; a glob's files sorted by name */
  unsigned path_count;
  const heed_tokenizer *tokenizer; /**< must be the one the shards were made with; borrowed */
  heed_objective_config objective;
  int64_t sequence_length; /**< longest row, [CLS] and [SEP] included; of next tokens the length of every row */
  int64_t batch_sequences; /**< rows of the global batch */
  int64_t slices;          /**< slices of the global batch */
  uint32_t seed;
  bool evaluation; /**< rows in the order of the data, once; masks depend on the sample's number alone, not on the seed; no short rows */
} heed_sampler_spec;

/** What training reads by a configuration, or what it is evaluated on.  Borrows from both. */
heed_sampler_spec heed_sampler_spec_of(const heed_config *config, const heed_tokenizer *tokenizer, bool evaluation);

/** Opens what a training run reads: the tokenizer, and the two samplers, `validation` where there is such data.  Rank-local.
 *  What it gives is NULL before; on failure too the caller frees it.  Errors: as those below. */
heed_status heed_sampler_open_run(const heed_config *config, heed_tokenizer **tokenizer, heed_sampler **training,
                                  heed_sampler **validation);

/** Opens the shards and cuts them into samples: segments of whole sentences up to the sequence length within a document (a longer
 *  sentence goes on in the next segment; no token is dropped).  Rank-local.
 *  Errors: HEED_INVALID for a shard of another vocabulary or casing, no shard, or no sample. */
heed_status heed_sampler_create(heed_sampler **sampler, const heed_sampler_spec *spec);

/** The same from shards that are open already (spec->paths is not read).  `shards` are borrowed: they outlive the sampler. */
heed_status heed_sampler_create_from_shards(heed_sampler **sampler, const heed_sampler_spec *spec, const heed_shard *shards, int64_t count);
void heed_sampler_free(heed_sampler *sampler);

int64_t heed_sampler_samples(const heed_sampler *sampler); /**< samples in an epoch */

/** A hash of what its shards hold, in their order: equal on all ranks that read the same data, be it from copies. */
uint64_t heed_sampler_data_hash(const heed_sampler *sampler);

/** The most tokens and targets that `rows` rows can hold: what to allocate batches and plan models for. */
int64_t heed_sampler_most_targets(const heed_sampler *sampler, int64_t rows);

/** Allocates a batch that heed_sampler_read can fill with any `slices` slices. */
heed_status heed_sampler_create_batch(const heed_sampler *sampler, heed_batch *batch, int64_t slices);

/** Makes slices [first_slice, first_slice + slices) of global batch `data_position` (row r of batch n is sample n · batch_sequences + r
 *  of the run, counted over epochs).  In evaluation rows past the last sample are absent: the batch may be shorter or empty.
 *  `batch` was created large enough. */
void heed_sampler_read(const heed_sampler *sampler, heed_batch *batch, uint32_t data_position, int64_t first_slice, int64_t slices);

/** Casing of a token shard without opening a sampler: so that the tokenizer can be opened first. */
heed_status heed_sampler_casing(const char *const *paths, unsigned path_count, bool *cased);

/** Opens the configuration's vocabulary in the casing of these shards.
 *  Errors: HEED_INVALID also for a vocabulary of another size than model.vocabulary_size. */
heed_status heed_sampler_open_tokenizer(heed_tokenizer **tokenizer, const heed_config *config, const char *const *paths,
                                        unsigned path_count);

#endif

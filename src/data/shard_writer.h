/** Writes a token shard (shard.h) of any size in little memory: tokens and offsets go to nameless temporary files beside the output;
 *  at the end one HDF5 file is made of them under a temporary name, checked, made durable and renamed.  The final name never holds
 *  half a shard; an earlier file of that name is replaced at that moment, or stays as it is.  A kill while the HDF5 file is being made can
 *  leave PATH.tmp-RANDOM behind, which may be removed. */
#ifndef HEED_DATA_SHARD_WRITER_H
#define HEED_DATA_SHARD_WRITER_H

#include <stdint.h>

#include "heed/status.h"
#include "heed/tokenizer.h"

typedef struct heed_shard_writer heed_shard_writer;

typedef struct heed_shard_counts {
  int64_t tokens, sentences, documents;
} heed_shard_counts;

/** Starts a shard; kind of tokens, vocabulary and casing are the tokenizer's (borrowed until free).
 *  Errors: HEED_INVALID when the output is a folder, or a file that is not HDF5 (not replaced), or its folder is missing. */
heed_status heed_shard_writer_create(heed_shard_writer **writer, const char *path, const heed_tokenizer *tokenizer);

/** Adds a sentence to the current document; one without tokens is none.  Errors: HEED_INVALID for an id outside the vocabulary. */
heed_status heed_shard_writer_sentence(heed_shard_writer *writer, const int32_t *ids, int64_t count);

/** Ends the current document; one without sentences is none. */
heed_status heed_shard_writer_document(heed_shard_writer *writer);

/** Notes the hash of the next input file. */
heed_status heed_shard_writer_source(heed_shard_writer *writer, uint64_t hash);

/** What was added so far; complete documents only. */
heed_shard_counts heed_shard_writer_counts(const heed_shard_writer *writer);

/** Ends the last document and makes the file.  Errors: HEED_INVALID when there is no token, HEED_IO when a write fails. */
heed_status heed_shard_writer_finish(heed_shard_writer *writer);

/** Frees; what was not finished leaves no trace. */
void heed_shard_writer_free(heed_shard_writer *writer);

#endif

/** A shard of three sentences, as tests of shards write and change it. */
#ifndef HEED_TESTS_DATA_SMALL_SHARD_H
#define HEED_TESTS_DATA_SMALL_SHARD_H

#include <hdf5.h>
#include <string.h>

#include "data/folder.h"
#include "data/shard.h"
#include "data/shard_writer.h"
#include "test.h"

/** A folder for them, and an HDF5 library that says nothing of what it is asked for in vain. */
static inline void small_shard_begin(void) {
  folder_make();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static const char small_shard_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n";

static inline heed_tokenizer *small_shard_tokenizer(void) {
  heed_tokenizer *tokenizer = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, small_shard_vocabulary, strlen(small_shard_vocabulary), "small", true),
                        HEED_OK);
  return tokenizer;
}

/** Two documents of two and one sentences, of six ids: 1 2 | 3 || 4 5 6. */
static inline void small_shard_of(const char *path, const int32_t *ids) {
  heed_tokenizer *tokenizer = small_shard_tokenizer();
  heed_shard_writer *writer = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_create(&writer, path, tokenizer), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_source(writer, 1234), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_document(writer), HEED_OK); /* empty: not counted */
  CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, ids, 2), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, ids, 0), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, ids + 2, 1), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_document(writer), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, ids + 3, 3), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_finish(writer), HEED_OK);
  heed_shard_writer_free(writer);
  heed_tokenizer_free(tokenizer);
}

static const int32_t small_shard_ids[] = {5, 6, 7, 8, 9, 9};

static inline void small_shard_write(const char *path) {
  small_shard_of(path, small_shard_ids);
}

static inline uint64_t small_shard_hash(const char *path) {
  heed_shard shard;
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, path), HEED_OK);
  const uint64_t hash = shard.content_hash;
  heed_shard_close(&shard);
  return hash;
}

#endif

/* Token shards: what is written is read, and only a shard is written over. */
#include <stdlib.h>

#include "data/small_shard.h"

/* Copies are known as such, and one token more or less is seen. */
static void hash_of_content(void) {
  static const int32_t other[] = {5, 6, 7, 8, 9, 8};
  small_shard_write(folder_path("here.h5"));
  small_shard_write(folder_path("there.h5"));
  const uint64_t hash = small_shard_hash(folder_path("here.h5"));
  CU_ASSERT_EQUAL(small_shard_hash(folder_path("there.h5")), hash);
  small_shard_of(folder_path("there.h5"), other);
  CU_ASSERT_NOT_EQUAL(small_shard_hash(folder_path("there.h5")), hash);
}

static void round_trip(void) {
  heed_shard shard;
  const char *path = folder_path("small.h5");
  small_shard_write(path);
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, path), HEED_OK);
  CU_ASSERT_EQUAL(shard.token_count, 6);
  CU_ASSERT_EQUAL(shard.sentence_count, 3);
  CU_ASSERT_EQUAL(shard.document_count, 2);
  CU_ASSERT_EQUAL(shard.vocabulary_size, 10);
  CU_ASSERT_TRUE(shard.cased);
  CU_ASSERT_FALSE(shard.wide);
  CU_ASSERT_STRING_EQUAL(shard.tokenizer, "wordpiece");
  const int64_t sentences[] = {0, 2, 3, 6}, documents[] = {0, 2, 3};
  for (int64_t i = 0; i < 6; i++)
    CU_ASSERT_EQUAL(heed_shard_token(&shard, i), small_shard_ids[i]);
  CU_ASSERT_EQUAL(memcmp(shard.sentences, sentences, sizeof sentences), 0);
  CU_ASSERT_EQUAL(memcmp(shard.documents, documents, sizeof documents), 0);
  heed_shard_close(&shard);
  size_t first_bytes, second_bytes; /* the same input gives the same bytes */
  small_shard_write(folder_path("again.h5"));
  char *first = folder_read("small.h5", &first_bytes), *second = folder_read("again.h5", &second_bytes);
  CU_ASSERT_EQUAL_FATAL(first_bytes, second_bytes);
  CU_ASSERT_EQUAL(memcmp(first, second, first_bytes), 0);
  free(first);
  free(second);
}

/* A vocabulary over 65,536 entries makes 32-bit tokens; enough of them for several blocks. */
static void wide_and_long(void) {
  enum { ENTRIES = 70000, TOKENS = 3000000 };
  char *text = malloc(ENTRIES * 12);
  int at = sprintf(text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  for (int i = 5; i < ENTRIES; i++)
    at += sprintf(text + at, "t%d\n", i);
  heed_tokenizer *tokenizer;
  heed_shard_writer *writer;
  heed_shard shard;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, text, (size_t)at, "wide", false), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_create(&writer, folder_path("wide.h5"), tokenizer), HEED_OK);
  int32_t *ids = malloc(TOKENS * sizeof *ids);
  for (int i = 0; i < TOKENS; i++)
    ids[i] = (int32_t)(i * 7919LL % ENTRIES);
  for (int i = 0; i < TOKENS; i += 1000)
    CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, ids + i, 1000), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_finish(writer), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, folder_path("wide.h5")), HEED_OK);
  CU_ASSERT_TRUE(shard.wide);
  CU_ASSERT_EQUAL_FATAL(shard.token_count, TOKENS);
  CU_ASSERT_EQUAL(memcmp(shard.tokens, ids, TOKENS * sizeof *ids), 0);
  CU_ASSERT_EQUAL(shard.sentences[1234], 1234000);
  heed_shard_close(&shard);
  const int32_t outside = ENTRIES;
  CU_ASSERT_EQUAL(heed_shard_writer_sentence(writer, &outside, 1), HEED_INVALID);
  heed_shard_writer_free(writer);
  heed_tokenizer_free(tokenizer);
  free(text);
  free(ids);
}

/* The writer replaces a shard only, and leaves nothing beside it. */
static void outputs(void) {
  heed_tokenizer *tokenizer = small_shard_tokenizer();
  heed_shard_writer *writer;
  CU_ASSERT_EQUAL(heed_shard_writer_create(&writer, folder, tokenizer), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "a folder"));
  folder_write_text("text.txt", "my only copy of the text\n");
  CU_ASSERT_EQUAL(heed_shard_writer_create(&writer, folder_path("text.txt"), tokenizer), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not replaced"));
  H5Fclose(H5Fcreate(folder_path("model.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)); /* HDF5, but no shard */
  CU_ASSERT_EQUAL(heed_shard_writer_create(&writer, folder_path("model.h5"), tokenizer), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not replaced"));
  CU_ASSERT_EQUAL(heed_shard_writer_create(&writer, folder_path("nowhere/x.h5"), tokenizer), HEED_INVALID);
  small_shard_write(folder_path("kept.h5"));
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_create(&writer, folder_path("kept.h5"), tokenizer), HEED_OK);
  CU_ASSERT_EQUAL(heed_shard_writer_finish(writer), HEED_INVALID); /* no text */
  heed_shard_writer_free(writer);
  heed_shard shard; /* the earlier one is still there */
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, folder_path("kept.h5")), HEED_OK);
  heed_shard_close(&shard);
  small_shard_write(folder_path("kept.h5")); /* replaced */
  heed_tokenizer_free(tokenizer);
  char command[128];
  snprintf(command, sizeof command, "ls '%s' | grep -q tmp", folder);
  CU_ASSERT_NOT_EQUAL(system(command), 0);
}

HEED_TESTS({"begin", small_shard_begin}, {"round trip", round_trip}, {"hash of content", hash_of_content}, {"wide and long", wide_and_long},
           {"outputs", outputs}, {"end", folder_remove})

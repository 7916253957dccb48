#include "heed/batch.h"

#include <string.h>

#include "test.h"

/* The sanitizer build lets large requests fail, as the C library does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

static void holds_what_was_asked_for(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 2, 6, 96, 20, true), HEED_OK);
  /* written to the last element; the sanitizer build sees what is too short */
  memset(batch.stream.ids, 1, 96 * sizeof *batch.stream.ids);
  memset(batch.stream.positions, 1, 96 * sizeof *batch.stream.positions);
  memset(batch.stream.token_types, 1, 96 * sizeof *batch.stream.token_types);
  memset(batch.stream.sequence_of, 1, 96 * sizeof *batch.stream.sequence_of);
  memset(batch.stream.offsets, 1, 7 * sizeof *batch.stream.offsets);
  memset(batch.slice_rows, 1, 3 * sizeof *batch.slice_rows);
  memset(batch.stream.slice_tokens, 1, 3 * sizeof *batch.stream.slice_tokens);
  memset(batch.slice_targets, 1, 3 * sizeof *batch.slice_targets);
  memset(batch.target_tokens, 1, 20 * sizeof *batch.target_tokens);
  memset(batch.target_ids, 1, 20 * sizeof *batch.target_ids);
  memset(batch.target_is_mask, 1, 20 * sizeof *batch.target_is_mask);
  memset(batch.next_sentence, 1, 6 * sizeof *batch.next_sentence);
  heed_batch_free(&batch);
  CU_ASSERT_PTR_NULL(batch.stream.ids);
  CU_ASSERT_PTR_NULL(batch.next_sentence);
  heed_batch_free(&batch); /* twice does no harm */
}

static void has_labels_only_when_asked(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, 1, 1, 0, false), HEED_OK);
  CU_ASSERT_PTR_NULL(batch.next_sentence);
  heed_batch_free(&batch);
}

static void refuses_what_memory_cannot_hold(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL(heed_batch_create(&batch, 1, 1, INT64_C(1) << 60, 1, false), HEED_FAILED);
  CU_ASSERT_PTR_NULL(batch.stream.ids);
  CU_ASSERT_EQUAL(heed_batch_create(&batch, 1, -7, 1, 1, false), HEED_FAILED);
  CU_ASSERT_PTR_NULL(batch.stream.ids);
}

HEED_TESTS({"holds what was asked for", holds_what_was_asked_for}, {"has labels only when asked", has_labels_only_when_asked},
           {"refuses what memory cannot hold", refuses_what_memory_cannot_hold})

#include "heed/batch.h"

#include <malloc.h>
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

static void bytes_are_those_of_its_parts(void) {
  heed_batch batch;
  size_t expected = heed_batch_bytes(8, 64, 8192, 1280), taken = 0;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 8, 64, 8192, 1280, true), HEED_OK);
  void *parts[] = {batch.stream.ids,     batch.stream.positions, batch.stream.token_types,  batch.stream.sequence_of,
                   batch.stream.offsets, batch.slice_rows,       batch.stream.slice_tokens, batch.slice_targets,
                   batch.target_tokens,  batch.target_ids,       batch.target_is_mask,      batch.next_sentence};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    taken += malloc_usable_size(parts[i]);
  CU_ASSERT(taken >= expected && taken <= expected + sizeof parts / sizeof *parts * 64);
  heed_batch_free(&batch);
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

HEED_TESTS({"holds what was asked for", holds_what_was_asked_for}, {"bytes are those of its parts", bytes_are_those_of_its_parts},
           {"has labels only when asked", has_labels_only_when_asked}, {"refuses what memory cannot hold", refuses_what_memory_cannot_hold})

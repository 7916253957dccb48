/* A text as a batch: its frame, a pair's token types, what is cut, and where the targets are. */
#include "evaluate/sequence.h"

#include <string.h>

#include "evaluate/trained.h"

static heed_tokenizer *tokenizer;
static heed_sequence sequence;

static void begin_with(int64_t most, heed_predict predict) {
  heed_config config = {.model.max_positions = most, .objective.predict = predict};
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, trained_vocabulary, strlen(trained_vocabulary), "words", false), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_sequence_create(&sequence, &config, tokenizer, "run"), HEED_OK);
}

static void begin(int64_t most) {
  begin_with(most, HEED_PREDICT_MASKED);
}

static void end(void) {
  heed_sequence_free(&sequence);
  heed_tokenizer_free(tokenizer);
}

/* Sets the texts and compares: tokens that it would have, ids, and the first token of type 1. */
static void expect(const char *text, const char *second, int64_t wanted, const int32_t *ids, int64_t count, int64_t first_of_second) {
  const heed_batch *batch = &sequence.batch;
  int64_t would_have;
  CU_ASSERT_EQUAL_FATAL(heed_sequence_set(&sequence, tokenizer, text, second, &would_have), HEED_OK);
  CU_ASSERT_EQUAL(would_have, wanted);
  CU_ASSERT_EQUAL(heed_sequence_check(&sequence, wanted), wanted > sequence.most ? HEED_INVALID : HEED_OK);
  CU_ASSERT_EQUAL_FATAL(batch->stream.tokens, count);
  CU_ASSERT_EQUAL(memcmp(batch->stream.ids, ids, (size_t)count * sizeof *ids), 0);
  for (int64_t t = 0; t < count; t++) {
    CU_ASSERT_EQUAL(batch->stream.positions[t], t);
    CU_ASSERT_EQUAL(batch->stream.token_types[t], t >= first_of_second);
  }
  CU_ASSERT_EQUAL(batch->stream.sequences, 1);
  CU_ASSERT_EQUAL(batch->stream.offsets[1], count);
  CU_ASSERT_EQUAL(batch->slice_rows[1], 1);
  CU_ASSERT_EQUAL(batch->stream.slice_tokens[1], count);
}
#define EXPECT(text, second, wanted, first_of_second, ...) \
  expect(text, second, wanted, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t), first_of_second)

static void texts_are_framed(void) {
  begin(12);
  EXPECT("the cat", "a dog ran", 8, 4, CLASSIFY, THE, CAT, SEPARATE, A, DOG, RAN, SEPARATE);
  EXPECT("the cat", NULL, 4, 4, CLASSIFY, THE, CAT, SEPARATE); /* the pair before it leaves no trace */
  EXPECT("", NULL, 2, 2, CLASSIFY, SEPARATE);
  EXPECT("", "", 3, 2, CLASSIFY, SEPARATE, SEPARATE);
  end();
}

static void long_texts_are_cut_inside_their_frame(void) {
  begin(6);
  EXPECT("the cat sat on the mat", NULL, 8, 6, CLASSIFY, THE, CAT, SAT, ON, SEPARATE);
  EXPECT("the cat", "a dog ran", 8, 4, CLASSIFY, THE, CAT, SEPARATE, A, SEPARATE);
  EXPECT("the cat sat on the mat", "a dog", 11, 5, CLASSIFY, THE, CAT, SAT, SEPARATE, SEPARATE);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "11 tokens, [CLS] and [SEP] included; the model takes 6"));
  end();
  begin(1);
  EXPECT("the", "cat", 5, 1, CLASSIFY);
  end();
}

/* A model of next tokens reads the text as it was trained on it. */
static void texts_of_next_tokens_have_no_frame(void) {
  begin_with(4, HEED_PREDICT_NEXT_TOKEN);
  EXPECT("the cat", NULL, 2, 2, THE, CAT);
  EXPECT("the cat sat on the mat", NULL, 6, 4, THE, CAT, SAT, ON);
  CU_ASSERT_PTR_NULL(strstr(heed_error_text(), "[CLS]"));
  EXPECT("", NULL, 0, 1, SEPARATE);
  end();
}

static void targets_are_the_masks_or_what_is_asked_for(void) {
  int64_t wanted;
  const heed_batch *batch = &sequence.batch;
  begin(12);
  CU_ASSERT_EQUAL_FATAL(heed_sequence_set(&sequence, tokenizer, "the [MASK] sat", "on [MASK]", &wanted), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(batch->targets, 2);
  CU_ASSERT_EQUAL(batch->slice_targets[1], 2);
  CU_ASSERT_EQUAL(batch->target_tokens[0], 2);
  CU_ASSERT_EQUAL(batch->target_tokens[1], 6);
  heed_sequence_target(&sequence, 3, 7);
  CU_ASSERT_EQUAL_FATAL(batch->targets, 4);
  CU_ASSERT_EQUAL(batch->slice_targets[1], 4);
  for (int64_t m = 0; m < 4; m++)
    CU_ASSERT_EQUAL(batch->target_tokens[m], 3 + m);
  heed_sequence_target(&sequence, 3, 3);
  CU_ASSERT_EQUAL(batch->targets, 0);
  end();
}

HEED_TESTS({"texts are framed", texts_are_framed}, {"long texts are cut inside their frame", long_texts_are_cut_inside_their_frame},
           {"texts of next tokens have no frame", texts_of_next_tokens_have_no_frame},
           {"targets are the masks or what is asked for", targets_are_the_masks_or_what_is_asked_for})

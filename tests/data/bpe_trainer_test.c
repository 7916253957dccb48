/* Training a BPE vocabulary: known joins, an oracle's result, the same for any number of threads. */
#include "data/bpe_trainer.h"

#include <omp.h>
#include <string.h>

#include "data/folder.h"
#include "heed/tokenizer.h"
#include "test.h"

static heed_trained_vocabulary train(const char *path, int64_t size) {
  heed_trained_vocabulary vocabulary;
  CU_ASSERT_EQUAL_FATAL(heed_bpe_train(&vocabulary, &path, 1, size), HEED_OK);
  return vocabulary;
}

/* low ×5, lower ×2, newest ×6, widest ×3 (Sennrich et al. 2016), a word a line, worked by hand; `tokenizers` gives the same.  e s and s t
 * stand 9 times: of equals the smaller left piece wins; then es t; then l o and lo w 7 times; of n e, e w and w est, 6 times each, e w; and
 * so on. */
static void by_hand(void) {
  static const char text[] =
      "low\nlow\nlow\nlow\nlow\nlower\nlower\nnewest\nnewest\nnewest\nnewest\nnewest\nnewest\nwidest\nwidest\nwidest\n";
  static const char expected[] = "#version: 0.2\ne s\nes t\nl o\nlo w\ne w\nn ew\nnew est\nd est\ni dest\nw idest\ne r\nlow er\n";
  heed_trained_vocabulary v = train(folder_write_text("hand.txt", text), 1000);
  const char *merges = strchr(v.text, '\n') + 1;
  CU_ASSERT_STRING_EQUAL(merges, expected);
  CU_ASSERT_EQUAL(v.size, 257 + 12);
  CU_ASSERT_EQUAL(v.words, 5); /* the newline is one */
  CU_ASSERT_EQUAL(strncmp(v.text, "{\"<|endoftext|>\":0,\"!\":1,\"\\\"\":2,\"#\":3,", 38), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(v.text, ",\"\u0143\":256,\"es\":257,"));
  heed_trained_vocabulary_free(&v);
  v = train(folder_path("hand.txt"), 260);
  CU_ASSERT_EQUAL(v.size, 260);
  heed_trained_vocabulary_free(&v);
}

/* tests/data/bpe is what the oracle makes of this text. */
static void like_the_oracle(void) {
  heed_trained_vocabulary v = train(HEED_SOURCE "/datasets/sample/text.txt", 600);
  heed_tokenizer *ours, *theirs;
  size_t bytes;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&theirs, HEED_SOURCE "/tests/data/bpe", false), HEED_OK);
  CU_ASSERT_STRING_EQUAL(v.text, heed_tokenizer_text(theirs, &bytes));
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&ours, v.text, v.bytes, "trained", false), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_hash(ours), heed_tokenizer_hash(theirs));
  heed_tokenizer_free(ours);
  heed_tokenizer_free(theirs);
  heed_trained_vocabulary_free(&v);
}

/* All that text may hold: what no word is, ill-formed bytes, the special token (which is never trained on). */
static void awkward_texts(void) {
  static const char text[] = "aaaa aaaaa ababab abcabc \xFF\xFF \xFF\xFF <|endoftext|><|endoftext|>   \n\n\t\t\"q\\\" \"q\\\"\nabc abc\n";
  heed_trained_vocabulary v = train(folder_write_text("awkward.txt", text), 5000);
  heed_tokenizer *t;
  int32_t *ids = NULL;
  int64_t capacity = 0, count;
  char *decoded;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&t, v.text, v.bytes, "trained", false), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, "endoftext"), -1);
  CU_ASSERT_EQUAL(heed_tokenizer_encode(t, text, strlen(text), &ids, &capacity, &count), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_decode(t, ids, count, &decoded), HEED_OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(decoded, " \uFFFD\uFFFD \uFFFD\uFFFD <|endoftext|><|endoftext|>   \n\n\t\t\"q\\\" "));
  free(decoded);
  free(ids);
  heed_tokenizer_free(t);
  heed_trained_vocabulary_free(&v);
}

static void any_threads(void) {
  int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  heed_trained_vocabulary one = train(HEED_SOURCE "/datasets/sample/text.txt", 1500);
  omp_set_num_threads(5);
  heed_trained_vocabulary five = train(HEED_SOURCE "/datasets/sample/text.txt", 1500);
  omp_set_num_threads(threads);
  CU_ASSERT_TRUE(one.size > 600 && one.bytes == five.bytes && memcmp(one.text, five.text, one.bytes) == 0);
  heed_trained_vocabulary_free(&one);
  heed_trained_vocabulary_free(&five);
}

static void refused(const char *path, int64_t size, const char *reason) {
  heed_trained_vocabulary v;
  CU_ASSERT_EQUAL(heed_bpe_train(&v, &path, 1, size), HEED_INVALID);
  CU_ASSERT_PTR_NULL(v.text);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
}

static void refusals(void) {
  refused(folder_path("missing.txt"), 300, "No such file");
  refused(folder_write_text("empty.txt", ""), 300, "no words");
  refused(folder_write_text("letters.txt", "abcdef"), 256, "<|endoftext|> and the 256 bytes are 257");
}

HEED_TESTS({"begin", folder_make}, {"by hand", by_hand}, {"like the oracle", like_the_oracle}, {"awkward texts", awkward_texts},
           {"any threads", any_threads}, {"refusals", refusals}, {"end", folder_remove})

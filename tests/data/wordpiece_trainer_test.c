/* Training a vocabulary: known joins, an oracle's result, the same for any number of threads. */
#include "data/wordpiece_trainer.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"
#include "heed/tokenizer.h"
#include "test.h"

static heed_trained_vocabulary train(const char *path, bool cased, int64_t size) {
  heed_trained_vocabulary vocabulary;
  CU_ASSERT_EQUAL_FATAL(heed_wordpiece_train(&vocabulary, &path, 1, cased, size), HEED_OK);
  return vocabulary;
}

/* low ×5, lower ×2, newest ×6, widest ×3 (Sennrich et al. 2016), worked by hand; `tokenizers` gives the same.  First ##e##s and ##s##t
 * stand 9 times each: of equals the smaller left piece wins; then ##es##t; then l##o and lo##w 7 times; then n##e before ##w##est, both
 * 6 times, and so on down to the pairs that stand twice. */
static void by_hand(void) {
  static const char text[] = "low low low low low lower lower newest newest newest newest newest newest widest widest widest";
  static const char expected[] =
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nd\ne\ni\nl\nn\no\nr\ns\nt\nw\n##d\n##e\n##i\n##o\n##r\n##s\n##t\n##w\n"
      "##es\n##est\nlo\nlow\nne\n##west\nnewest\nwi\n##dest\nwidest\n##er\nlower\n";
  heed_trained_vocabulary v = train(folder_write_text("hand.txt", text), false, 1000);
  CU_ASSERT_EQUAL_FATAL(v.bytes, strlen(expected));
  CU_ASSERT_EQUAL(memcmp(v.text, expected, v.bytes), 0);
  CU_ASSERT_EQUAL(v.size, 35);
  CU_ASSERT_EQUAL(v.words, 4);
  heed_trained_vocabulary_free(&v);
  v = train(folder_path("hand.txt"), false, 26);
  CU_ASSERT_EQUAL(v.size, 26);
  CU_ASSERT_EQUAL(memcmp(v.text, expected, v.bytes), 0);
  heed_trained_vocabulary_free(&v);
}

/* A pair stands in a word twice, beside itself, and makes a token that is there already by another way. */
static void awkward_words(void) {
  static const char text[] = "aaaa aaaa aaaaa ababab ababab abcabc bcbcbc abc abc bc bc xabc xabc";
  heed_trained_vocabulary v = train(folder_write_text("awkward.txt", text), false, 1000);
  heed_tokenizer *tokenizer;
  int32_t *ids = NULL;
  int64_t capacity = 0, count;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, v.text, v.bytes, "trained", false), HEED_OK); /* no token twice */
  CU_ASSERT_EQUAL(heed_tokenizer_encode(tokenizer, text, strlen(text), &ids, &capacity, &count), HEED_OK);
  for (int64_t i = 0; i < count; i++)
    CU_ASSERT_NOT_EQUAL(ids[i], heed_tokenizer_special(tokenizer)->unknown);
  CU_ASSERT_EQUAL(heed_tokenizer_encode(tokenizer, "aaaa ababab abc xabc bc", 23, &ids, &capacity, &count), HEED_OK);
  CU_ASSERT_EQUAL(count, 5); /* each stands twice: whole */
  free(ids);
  heed_tokenizer_free(tokenizer);
  heed_trained_vocabulary_free(&v);
}

/* Text of many words with a long tail, from a small generator. */
static const char *make_corpus(void) {
  static char text[400000];
  uint32_t state = 12345;
  size_t at = 0;
  while (at + 40 < sizeof text) {
    uint32_t word = (state = state * 1664525u + 1013904223u) >> 8;
    uint32_t rank = word % 1000 < 700 ? word % 97 : word % 5003;
    for (uint32_t rest = rank * 7919u + 11; rest > 0; rest /= 19)
      at += (size_t)sprintf(text + at, "%s", rest % 19 == 18 ? "\u00E9" : (char[]){(char)('A' + rest % 19 + (rank % 2 ? 32 : 0)), 0});
    text[at++] = word % 13 == 0 ? '\n' : word % 17 == 0 ? '.' : ' ';
  }
  return folder_write("corpus.txt", text, at);
}

static void any_threads(void) {
  const char *path = make_corpus();
  int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  heed_trained_vocabulary one = train(path, true, 1500);
  omp_set_num_threads(5);
  heed_trained_vocabulary five = train(path, true, 1500);
  omp_set_num_threads(threads);
  CU_ASSERT_EQUAL(one.size, 1500);
  CU_ASSERT_EQUAL_FATAL(one.bytes, five.bytes);
  CU_ASSERT_EQUAL(memcmp(one.text, five.text, one.bytes), 0);
  heed_trained_vocabulary_free(&one);
  heed_trained_vocabulary_free(&five);
}

static void refused(const char *path, int64_t size, const char *reason) {
  heed_trained_vocabulary v;
  CU_ASSERT_EQUAL(heed_wordpiece_train(&v, &path, 1, false, size), HEED_INVALID);
  CU_ASSERT_PTR_NULL(v.text);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
}

static void refusals(void) {
  refused(folder_path("missing.txt"), 100, "No such file");
  refused(folder, 100, "a folder");
  refused(folder_write_text("blank.txt", "\n \n\xEF\xBB\xBF\n"), 100, "no words");
  refused(folder_write_text("letters.txt", "abcdef ghijkl"), 20, "special tokens and the alphabet of this text are 27");
  refused(folder_write("gzip.txt", "\x1F\x8B\x08\x00", 4), 100, "gzip");
}

HEED_TESTS({"begin", folder_make}, {"by hand", by_hand}, {"awkward words", awkward_words}, {"any threads", any_threads},
           {"refusals", refusals}, {"end", folder_remove})

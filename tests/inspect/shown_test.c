/* Tokens and texts as people read them. */
#include "inspect/shown.h"

#include "evaluate/trained.h"

static void expect(char *got, const char *want) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(got);
  CU_ASSERT_STRING_EQUAL(got, want);
  free(got);
}

static void bytes_of_a_token(void) {
  expect(heed_shown_bytes(" house"), "␣house");
  expect(heed_shown_bytes("\n\n"), "↵↵");
  expect(heed_shown_bytes("caf\xC3\xA9"), "café");
  expect(heed_shown_bytes("\xC3"), "⟨C3⟩");
  expect(heed_shown_bytes("\xE6\xBC"), "⟨E6⟩⟨BC⟩");
  expect(heed_shown_bytes("a\tb\x7F"), "a⟨09⟩b⟨7F⟩");
  expect(heed_shown_bytes(""), "");
}

static void pieces_of_words_keep_their_names(void) {
  heed_tokenizer *tokenizer;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, trained_vocabulary, strlen(trained_vocabulary), "words", false), HEED_OK);
  expect(heed_shown_token(tokenizer, PLURAL), "##s");
  expect(heed_shown_token(tokenizer, MASK), "[MASK]");
  expect(heed_shown_token(tokenizer, DOG), "dog");
  heed_tokenizer_free(tokenizer);
}

static void texts_become_utf8(void) {
  expect(heed_shown_text("caf\xC3\xA9 \xE6\xBC\xA2"), "café 漢");
  expect(heed_shown_text("caf\xE9"), "caf\xEF\xBF\xBD");
  expect(heed_shown_text("\xFF\xFF\xFF"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

HEED_TESTS({"bytes of a token", bytes_of_a_token}, {"pieces of words keep their names", pieces_of_words_keep_their_names},
           {"texts become UTF-8", texts_become_utf8})

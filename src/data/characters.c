#include "data/characters.h"

#include <stdbool.h>
#include <utf8proc.h>

#include "data/unicode_exceptions.h"

enum { EXCEPTIONS = sizeof exceptions / sizeof *exceptions, YOUNG = sizeof young_upper_case / sizeof *young_upper_case };

/* By bisection, so asked only where utf8proc does not see a plain letter: to those no row gives anything else. */
static exception_kind exception_of(int32_t code) {
  const struct exception *row = exceptions;
  if (code < row->first)
    return NO_EXCEPTION;
  for (int rows = EXCEPTIONS, half; rows > 1; rows -= half) { /* it is one of the `rows` from here on, if any */
    half = rows / 2;
    row += code >= row[half].first ? half : 0; /* a conditional move */
  }
  return code <= row->last ? row->kind : NO_EXCEPTION;
}

/* The blocks of google-research/bert, but extension E begins at 2B920 in the Rust library and at 2B820 there. */
static bool is_ideograph(int32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static heed_character_class class_of_category(utf8proc_category_t category) {
  switch (category) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CO:
    return HEED_DROPPED;
  case UTF8PROC_CATEGORY_ZS:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return HEED_SPACE;
  case UTF8PROC_CATEGORY_PC:
  case UTF8PROC_CATEGORY_PD:
  case UTF8PROC_CATEGORY_PS:
  case UTF8PROC_CATEGORY_PE:
  case UTF8PROC_CATEGORY_PI:
  case UTF8PROC_CATEGORY_PF:
  case UTF8PROC_CATEGORY_PO:
    return HEED_PUNCTUATION;
  case UTF8PROC_CATEGORY_MN:
    return HEED_MARK;
  default:
    return HEED_LETTER;
  }
}

heed_character_class heed_character_class_of(int32_t code) {
  if (is_ideograph(code))
    return HEED_IDEOGRAPH;
  utf8proc_category_t category = utf8proc_category(code);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
    return HEED_LETTER;
  switch (exception_of(code)) {
  case AS_LETTER:
  case AS_ORDERED_LETTER:
    return HEED_LETTER;
  case AS_MARK:
    return HEED_MARK;
  case AS_PUNCTUATION:
    return HEED_PUNCTUATION;
  default:
    return code == 0xFFFD ? HEED_DROPPED : class_of_category(category);
  }
}

static int32_t lower_case(int32_t code) {
  for (int i = 0; i < YOUNG && code >= young_upper_case[0].first; i++)
    if (code >= young_upper_case[i].first && code <= young_upper_case[i].last)
      return young_upper_case[i].lower + code - young_upper_case[i].first;
  return utf8proc_tolower(code);
}

int heed_character_decompose(int32_t code, int32_t out[HEED_DECOMPOSED]) {
  utf8proc_ssize_t count = utf8proc_decompose_char(code, out, HEED_DECOMPOSED, UTF8PROC_DECOMPOSE, NULL);
  bool decomposed = count > 0 && count <= HEED_DECOMPOSED && (count > 1 || out[0] != code); /* (no character is larger decomposed) */
  if (!decomposed || exception_of(code) == AS_LETTER) {
    out[0] = code;
    count = 1;
  }
  for (int i = 0; i < (int)count; i++)
    out[i] = lower_case(out[i]);
  return (int)count;
}

int heed_character_order(int32_t code) {
  int order = code < 128 ? 0 : utf8proc_get_property(code)->combining_class;
  return order > 0 && exception_of(code) == AS_LETTER ? 0 : order;
}

/* The sentence rule: a table of paragraphs with a bar where a sentence ends. */
#include "data/sentences.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static const char *const paragraphs[] = {
    "One. |Two! |Three? |Four",
    "A single one.",
    "No stop at all",
    "lower. case goes on",
    "\"Quoted.\" |Then more. |\"And this,\" he said.",
    "He stopped. |\u201CThe end.\u201D |So it was.",
    "(In brackets.) |Out of them. |(Again.) |[1] And so on.",
    "brackets. (see below) and on",
    "Dr. Smith met Mr. and Mrs. Jones. |They sat.",
    "\u201CMr. Jones\u201D came. |It was late.",
    "J. R. R. Tolkien wrote. |He did.",
    "So did I. |You too.",
    "In the U.S. Army, i.e. There. |Next",
    "At 3.14 a.m. He slept. |Then 2.5 Million.",
    "See fig. 3 and p. 12, No. 5, vol. 2 of Jan. 1999. |No. |That is all.",
    "Wait... |What?! |Yes!!! \u2026 |And so\u2026 |On.",
    "wait... and see",
    "1. A list. |2. Its second.",
    "In 1990. |Then 1991. |42 of them.",
    "www.example.com/Index.html is a name. |Version 2.0 Beta",
    "\u00C9tienne came. |\u00C9cole. |\u0416\u0443\u043A. |\u042F",
    "caf\u00E9mr. |Then mr. Then",
    "\u732B\u3002|\u72AC\uFF01|\u300C\u9CE5\u3002\u300D|\u9B5A\uFF1F\uFF01|x",
    "Spaces.   |Then\ttabs.\t|No-break.\u00A0|Thin.\u2009|End.  ",
    "Ends with a stop.   ",
    "   . |A",
    ". |A",
    "",
    "bad \xFF. \xC3 x. |X \xC3(",
    "[MASK] is it. |[MASK] too.",
};

static void table(void) {
  for (size_t i = 0; i < sizeof paragraphs / sizeof *paragraphs; i++) {
    size_t bytes = 0, at = 0, length = strlen(paragraphs[i]);
    char *text = malloc(length + 1), *cut = malloc(2 * length + 2);
    for (const char *from = paragraphs[i]; *from; from++)
      if (*from != '|')
        text[bytes++] = *from;
    char *exact = malloc(bytes ? bytes : 1); /* so that the sanitizer sees a read beyond the end */
    memcpy(exact, text, bytes);
    for (size_t from = 0; from < bytes;) {
      size_t end = heed_sentence_end(exact, bytes, from);
      CU_ASSERT_TRUE_FATAL(end > from && end <= bytes);
      memcpy(cut + at, exact + from, end - from);
      at += end - from;
      if (end < bytes)
        cut[at++] = '|';
      from = end;
    }
    cut[at] = 0;
    if (strcmp(cut, paragraphs[i]) != 0)
      fprintf(stderr, "\nexpected: %s\n     got: %s\n", paragraphs[i], cut);
    CU_ASSERT_STRING_EQUAL(cut, paragraphs[i]);
    free(text);
    free(cut);
    free(exact);
  }
}

HEED_TESTS({"table", table})

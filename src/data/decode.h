/** Lines of token ids to lines of text. */
#ifndef HEED_DATA_DECODE_H
#define HEED_DATA_DECODE_H

#include <stdio.h>

#include "heed/tokenizer.h"

/** Decodes each line of `path` ("-" = standard input), ids separated by white space, and prints its text, and a newline, on `out`.
 *  Errors: as heed_text_open and heed_text_next; HEED_INVALID naming the line for what is no id of the vocabulary; HEED_IO when the
 *  output cannot be written. */
heed_status heed_decode_lines(const heed_tokenizer *tokenizer, const char *path, FILE *out);

#endif

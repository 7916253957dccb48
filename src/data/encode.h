/** Lines of text to lines of tokens. */
#ifndef HEED_DATA_ENCODE_H
#define HEED_DATA_ENCODE_H

#include <stdbool.h>
#include <stdio.h>

#include "heed/tokenizer.h"

/** Encodes each line of `path` ("-" = standard input) and prints its tokens, or ids, separated by spaces, as a line of `out`.  All
 *  threads work; the order is kept.  What is not UTF-8 is dropped with a warning.
 *  Errors: as heed_text_open and heed_text_next; HEED_IO when the output cannot be written. */
heed_status heed_encode_lines(const heed_tokenizer *tokenizer, const char *path, FILE *out, bool ids);

#endif

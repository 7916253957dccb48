/** Text that comes from nowhere: words as often as a language has them, for measurements without a file. */
#ifndef HEED_MEASURE_SYNTHETIC_TEXT_H
#define HEED_MEASURE_SYNTHETIC_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "heed/status.h"

/** Writes about `bytes` bytes (the last document is completed): documents of ten paragraphs, a paragraph a line, of sentences of made-up
 * words.  The word of rank r stands about 1/r as often as the first (Zipf's law); there are 16,384.  The same bytes each time. Errors:
 * HEED_IO when it cannot be written. */
heed_status heed_synthetic_text(FILE *out, int64_t bytes);

#endif

/** What JSON takes, known before it is parsed. */
#ifndef HEED_BASE_JSON_H
#define HEED_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

/** So many values take some 120 MiB in jansson when each is as wasteful as can be, an empty object. */
enum { HEED_JSON_MOST_VALUES = 1 << 20 };

/** How many values the parsed text can become at most: less than each takes two signs of punctuation.  Texts of 1 MiB need not be asked. */
int64_t heed_json_values(const char *text, size_t bytes);

#endif

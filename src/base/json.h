/** JSON: what a text takes, known before it is parsed; small files, read and printed. */
#ifndef HEED_BASE_JSON_H
#define HEED_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** So many values take some 120 MiB in jansson when each is as wasteful as can be, an empty object. */
enum { HEED_JSON_MOST_VALUES = 1 << 20 };

/** How many values the parsed text can become at most: less than each takes two signs of punctuation.  Texts of 1 MiB need not be asked. */
int64_t heed_json_values(const char *text, size_t bytes);

/** The object in a file of up to 1 MiB.  \param[in] what  it is expected to be, for messages.
 *  Errors: HEED_INVALID, with the line, for what is no object of JSON; heed_file_take's. */
heed_status heed_json_take(const char *path, const char *what, json_t **json);

/** The text of an object, indented, a line end behind it.  Takes ownership of the object, which may be NULL: then memory was short.
 *  \param[out] text  allocated.  Errors: HEED_FAILED when memory is short. */
heed_status heed_json_print(json_t *object, char **text);

#endif

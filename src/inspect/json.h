/** JSON, a value at a time: what is too large to be built in memory first. */
#ifndef HEED_INSPECT_JSON_H
#define HEED_INSPECT_JSON_H

#include <stdint.h>
#include <stdio.h>

/** A string in its quotes.  <, > and & are escaped too, so that it may stand in a script of an HTML page.  `text` is UTF-8. */
void heed_json_string(FILE *out, const char *text);

/** [a, b, …] with the digits that give back the same float. */
void heed_json_floats(FILE *out, const float *numbers, int64_t count);

/** [a, b, …] with nine digits. */
void heed_json_doubles(FILE *out, const double *numbers, int64_t count);

#endif

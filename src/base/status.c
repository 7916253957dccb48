#include "heed/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_BYTES = 2048 };
static _Thread_local char error_text[ERROR_BYTES];

heed_status heed_error(heed_status status, const char *format, ...) {
  char text[ERROR_BYTES]; /* the arguments may point into error_text */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(error_text, text, sizeof text);
  return status;
}

heed_status heed_error_in(heed_status status, const char *format, ...) {
  char where[ERROR_BYTES / 2], text[ERROR_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(where, sizeof where, format, arguments);
  va_end(arguments);
  snprintf(text, sizeof text, "%s: %.1000s", where, error_text);
  memcpy(error_text, text, sizeof text);
  return status;
}

const char *heed_error_text(void) {
  return error_text;
}

#include "heed/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Texts are made whole, with two paths of any length in them, and then cut. */
enum { ERROR_BYTES = 2048, WHOLE_BYTES = 12288 };
static _Thread_local char error_text[ERROR_BYTES];

/* Whether a byte goes on with a character of UTF-8. */
static bool is_inside(char byte) {
  return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Of a text that is too long the middle goes: at the ends stand where it happened, and why. */
static void keep(const char *text) {
  static const char gap[] = " … ";
  size_t bytes = strlen(text), head = (ERROR_BYTES - sizeof gap) / 2, tail = ERROR_BYTES - sizeof gap - head;
  if (bytes < ERROR_BYTES) {
    memcpy(error_text, text, bytes + 1);
    return;
  }
  const char *end = text + bytes - tail;
  while (head > 0 && is_inside(text[head]))
    head--;
  while (is_inside(*end))
    end++;
  snprintf(error_text, sizeof error_text, "%.*s%s%s", (int)head, text, gap, end);
}

heed_status heed_error(heed_status status, const char *format, ...) {
  char text[WHOLE_BYTES]; /* the arguments may point into error_text */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  keep(text);
  return status;
}

heed_status heed_error_in(heed_status status, const char *format, ...) {
  char where[WHOLE_BYTES - ERROR_BYTES - 2], text[WHOLE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(where, sizeof where, format, arguments);
  va_end(arguments);
  snprintf(text, sizeof text, "%s: %s", where, error_text);
  keep(text);
  return status;
}

const char *heed_error_text(void) {
  return error_text;
}

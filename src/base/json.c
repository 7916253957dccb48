#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int64_t heed_json_values(const char *text, size_t bytes) {
  int64_t values = 1;
  for (size_t i = 0; i < bytes; i++)
    values += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
  return values;
}

heed_status heed_json_take(const char *path, const char *what, json_t **json) {
  char *text;
  size_t bytes;
  json_error_t error;
  HEED_TRY(heed_file_take(path, what, 1 << 20, &text, &bytes));
  *json = json_loadb(text, bytes, 0, &error);
  free(text);
  if (json_is_object(*json))
    return HEED_OK;
  heed_status status = *json ? heed_error(HEED_INVALID, "%s: is not %s: a JSON object is expected", path, what)
                             : heed_error(HEED_INVALID, "%s:%d: is not %s: %s", path, error.line, what, error.text);
  json_decref(*json);
  *json = NULL;
  return status;
}

heed_status heed_json_print(json_t *object, char **text) {
  char *dumped = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(object);
  if (!dumped || asprintf(text, "%s\n", dumped) < 0)
    *text = NULL;
  free(dumped);
  return *text ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a JSON file");
}

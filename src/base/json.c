#include "base/json.h"

int64_t heed_json_values(const char *text, size_t bytes) {
  int64_t values = 1;
  for (size_t i = 0; i < bytes; i++)
    values += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
  return values;
}

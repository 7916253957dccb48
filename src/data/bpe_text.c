#include "data/bpe_text.h"

#include <stdio.h>
#include <stdlib.h>

/* A string of JSON: what must be escaped is, all else stands as it is. */
static void print_string(FILE *out, const char *text, int32_t length) {
  static const char escaped[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
  putc('"', out);
  for (int32_t i = 0; i < length; i++) {
    size_t which = 0;
    while (escaped[which] && escaped[which] != text[i])
      which++;
    if (escaped[which])
      fprintf(out, "\\%c", letters[which]);
    else if ((unsigned char)text[i] < 0x20)
      fprintf(out, "\\u%04x", (unsigned)text[i]);
    else
      putc(text[i], out);
  }
  putc('"', out);
}

static void print_name(FILE *out, const heed_string_map *names, int32_t id) {
  fwrite(heed_string_map_text(names, id), 1, (size_t)names->items[id].length, out);
}

heed_status heed_bpe_print(const heed_string_map *names, const heed_bpe_pair *merges, int64_t count, char **text, size_t *bytes) {
  *text = NULL;
  FILE *out = open_memstream(text, bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for a vocabulary");
  for (int64_t id = 0; id < names->count; id++) {
    putc(id == 0 ? '{' : ',', out);
    print_string(out, heed_string_map_text(names, id), names->items[id].length);
    fprintf(out, ":%lld", (long long)id);
  }
  fputs("}\n#version: 0.2\n", out);
  for (int64_t i = 0; i < count; i++) {
    print_name(out, names, merges[i].left);
    putc(' ', out);
    print_name(out, names, merges[i].right);
    putc('\n', out);
  }
  if (fclose(out) == 0)
    return HEED_OK;
  free(*text);
  *text = NULL;
  return heed_error(HEED_FAILED, "out of memory for a vocabulary");
}

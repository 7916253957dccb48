#include "inspect/shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

char *heed_shown_bytes(const char *text) {
  const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
  char *shown = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&shown, &bytes);
  if (!out)
    return NULL;
  while (at < end) {
    int32_t code;
    int length = heed_utf8_read(at, end, &code);
    if (code == ' ')
      fputs("␣", out);
    else if (code == '\n')
      fputs("↵", out);
    else if (code >= 32 && code != 127)
      fwrite(at, 1, (size_t)length, out);
    else
      for (int i = 0; i < length; i++)
        fprintf(out, "⟨%02X⟩", at[i]);
    at += length;
  }
  if (fclose(out) == 0)
    return shown;
  free(shown);
  return NULL;
}

char *heed_shown_token(const heed_tokenizer *tokenizer, int32_t id) {
  char *text, *shown;
  if (heed_tokenizer_special(tokenizer)->classify >= 0 || heed_tokenizer_is_special(tokenizer, id)) /* no byte-level vocabulary */
    return strdup(heed_tokenizer_token(tokenizer, id));
  if (heed_tokenizer_decode(tokenizer, &id, 1, &text) != HEED_OK)
    return NULL;
  shown = heed_shown_bytes(text);
  free(text);
  return shown;
}

char *heed_shown_text(const char *text) {
  size_t bytes = strlen(text);
  return heed_utf8_repair(text, &bytes);
}

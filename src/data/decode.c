#include "data/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/text.h"
#include "data/tokenizer.h"
#include "data/words.h"

typedef struct decoder {
  const heed_tokenizer *tokenizer;
  int32_t *ids;
  int64_t capacity, count; /* of a line, or of a part of one behind the last id of the part before */
} decoder;

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The number at *at, −1 for what is none or too large. */
static int64_t read_number(const char **at, const char *end) {
  int64_t number = 0;
  const char *digit = *at;
  for (; digit < end && *digit >= '0' && *digit <= '9' && number <= INT32_MAX; digit++)
    number = 10 * number + (*digit - '0');
  bool whole = digit > *at && number <= INT32_MAX && (digit == end || is_space(*digit));
  *at = whole ? digit : *at;
  return whole ? number : -1;
}

static heed_status read_ids(decoder *d, const heed_line *line) {
  const char *at = line->text, *end = at + line->bytes;
  for (;;) {
    while (at < end && is_space(*at))
      at++;
    if (at == end)
      return HEED_OK;
    int64_t id = read_number(&at, end);
    if (id < 0) {
      int length = 0;
      while (at + length < end && length < 40 && !is_space(at[length]))
        length++;
      return heed_error(HEED_INVALID, "%s:%lld: '%.*s' is no token id; ids are whole numbers with spaces between", line->path,
                        (long long)line->number, length, at);
    }
    if (id >= heed_tokenizer_size(d->tokenizer))
      return heed_error(HEED_INVALID, "%s:%lld: token id %lld is outside the vocabulary of %lld", line->path, (long long)line->number,
                        (long long)id, (long long)heed_tokenizer_size(d->tokenizer));
    HEED_TRY(heed_tokenizer_reserve(&d->ids, &d->capacity, d->count, 1));
    d->ids[d->count++] = (int32_t)id;
  }
}

/* What stands between two pieces depends on both: the last id of a part goes along with the next part. */
static heed_status decode_line(decoder *d, const heed_line *line, FILE *out) {
  char *text;
  size_t bytes;
  if (line->begins)
    d->count = 0;
  int64_t before = d->count;
  HEED_TRY(read_ids(d, line));
  HEED_TRY(heed_tokenizer_decode_behind(d->tokenizer, d->ids, before, d->count, &text, &bytes));
  bool written = fwrite(text, 1, bytes, out) == bytes && (!line->ends || putc('\n', out) != EOF);
  free(text);
  if (d->count > 0)
    d->ids[0] = d->ids[d->count - 1];
  d->count = d->count > 0;
  return written ? HEED_OK : heed_error(HEED_IO, "the text could not be written: %s", strerror(errno));
}

heed_status heed_decode_lines(const heed_tokenizer *tokenizer, const char *path, FILE *out) {
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  decoder d = {.tokenizer = tokenizer};
  HEED_TRY(heed_text_open(&text, &path, 1, heed_words_cut));
  heed_status status;
  while ((status = heed_text_next(text, &lines, &count)) == HEED_OK && count > 0) {
    for (int64_t i = 0; i < count && status == HEED_OK; i++)
      status = decode_line(&d, &lines[i], out);
    if (status == HEED_OK && fflush(out) != 0)
      status = heed_error(HEED_IO, "the text could not be written: %s", strerror(errno));
    if (status != HEED_OK)
      break;
  }
  free(d.ids);
  heed_text_close(text);
  return status;
}

#include "data/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/ill_formed.h"
#include "data/tokenizer.h"

enum { MOST_KEPT = 2 << 20 }; /* bytes */

/* What one thread makes of a run of lines.  Kept from batch to batch. */
typedef struct piece {
  char *text;
  size_t bytes, capacity;
  int32_t *ids;
  int64_t id_capacity;
  heed_ill_formed ill_formed;
  bool open;   /* the last line is not complete, and has tokens */
  bool failed; /* out of memory */
} piece;

static bool reserve(piece *p, size_t more) {
  if (p->capacity - p->bytes >= more)
    return true;
  size_t larger = 2 * p->capacity + more;
  char *grown = realloc(p->text, larger);
  if (!grown)
    return false;
  p->text = grown;
  p->capacity = larger;
  return true;
}

static void free_piece(piece *p) {
  free(p->text);
  free(p->ids);
  *p = (piece){0};
}

/* A piece is a 64th of a batch, unless it holds a long line: it gives that room back, or after a while all 64 had as much. */
static void trim_piece(piece *p) {
  if (p->capacity + (size_t)p->id_capacity * sizeof *p->ids > MOST_KEPT)
    free_piece(p);
}

static size_t print_number(char *out, int32_t number) {
  char digits[12];
  size_t count = 0;
  do
    digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  for (size_t i = 0; i < count; i++)
    out[i] = digits[count - 1 - i];
  return count;
}

static bool encode_line(piece *p, const heed_tokenizer *tokenizer, const heed_line *line, bool ids) {
  int64_t count;
  if (heed_tokenizer_encode(tokenizer, line->text, line->bytes, &p->ids, &p->id_capacity, &count) != HEED_OK)
    return false;
  heed_ill_formed_look(&p->ill_formed, line);
  for (int64_t i = 0; i < count; i++) {
    const char *token = ids ? "" : heed_tokenizer_token(tokenizer, p->ids[i]);
    size_t length = strlen(token);
    if (!reserve(p, length + 16))
      return false;
    if (p->open)
      p->text[p->bytes++] = ' ';
    p->open = true;
    memcpy(p->text + p->bytes, token, length);
    p->bytes += ids ? print_number(p->text + p->bytes, p->ids[i]) : length;
  }
  if (!line->ends)
    return true;
  p->open = false;
  return reserve(p, 1) && (p->text[p->bytes++] = '\n');
}

static heed_status write_batch(piece *pieces, FILE *out, heed_ill_formed *ill_formed) {
  for (int i = 0; i < HEED_TEXT_PIECES; i++) {
    if (pieces[i].failed)
      return heed_error(HEED_FAILED, "out of memory for a batch of lines");
    if (pieces[i].bytes > 0 && fwrite(pieces[i].text, 1, pieces[i].bytes, out) != pieces[i].bytes)
      return heed_error(HEED_IO, "the tokens could not be written: %s", strerror(errno));
    heed_ill_formed_add(ill_formed, &pieces[i].ill_formed);
    trim_piece(&pieces[i]);
  }
  return fflush(out) == 0 ? HEED_OK : heed_error(HEED_IO, "the tokens could not be written: %s", strerror(errno));
}

/* `open`: whether the line that goes on from the last batch has tokens already; a part of a line is always a batch by itself. */
static heed_status encode_batch(piece *pieces, const heed_tokenizer *tokenizer, const heed_line *lines, int64_t count, bool ids, FILE *out,
                                heed_ill_formed *ill_formed, bool *open) {
  int64_t starts[HEED_TEXT_PIECES + 1];
  heed_text_pieces(lines, count, starts);
#pragma omp parallel for schedule(dynamic, 1)
  for (int i = 0; i < HEED_TEXT_PIECES; i++) {
    piece *p = &pieces[i];
    p->bytes = 0;
    p->ill_formed = (heed_ill_formed){0};
    p->failed = false;
    p->open = *open && starts[i] == 0 && starts[i + 1] > 0;
    for (int64_t line = starts[i]; line < starts[i + 1] && !p->failed; line++)
      p->failed = !encode_line(p, tokenizer, &lines[line], ids);
  }
  *open = false;
  for (int i = 0; i < HEED_TEXT_PIECES && !lines[count - 1].ends; i++)
    *open = *open || pieces[i].open;
  return write_batch(pieces, out, ill_formed);
}

heed_status heed_encode_lines(const heed_tokenizer *tokenizer, const char *path, FILE *out, bool ids) {
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  bool open = false;
  heed_ill_formed ill_formed = {.kept = heed_tokenizer_kind(tokenizer) == HEED_BPE};
  HEED_TRY(heed_text_open(&text, &path, 1, heed_tokenizer_cut(tokenizer)));
  piece *pieces = calloc(HEED_TEXT_PIECES, sizeof *pieces);
  heed_status status = pieces ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a batch of lines");
  while (status == HEED_OK && (status = heed_text_next(text, &lines, &count)) == HEED_OK && count > 0)
    status = encode_batch(pieces, tokenizer, lines, count, ids, out, &ill_formed, &open);
  for (int i = 0; pieces && i < HEED_TEXT_PIECES; i++)
    free_piece(&pieces[i]);
  free(pieces);
  if (status == HEED_OK)
    heed_ill_formed_warn(&ill_formed);
  heed_text_close(text);
  return status;
}

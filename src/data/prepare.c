#include "data/prepare.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/ill_formed.h"
#include "data/sentences.h"
#include "data/text.h"
#include "data/tokenizer.h"
#include "heed/log.h"

enum { END_OF_DOCUMENT = -1, MOST_KEPT = 2 << 20 }; /* bytes */

/* What one thread makes of a run of lines.  Kept from batch to batch. */
typedef struct piece {
  int32_t *ids;
  int64_t id_count, id_capacity;
  int64_t *events; /* tokens of each sentence, or END_OF_DOCUMENT */
  int64_t event_count, event_capacity;
  int32_t *sentence; /* the tokens of one */
  int64_t sentence_capacity;
  int64_t unknown;
  heed_ill_formed ill_formed;
  bool failed; /* out of memory */
} piece;

/* Makes room for `more` elements of `size` bytes behind `count`. */
static bool reserve(void **data, int64_t *capacity, int64_t count, int64_t more, size_t size) {
  if (count + more <= *capacity)
    return true;
  int64_t larger = 2 * *capacity > count + more ? 2 * *capacity : count + more + 1024;
  void *grown = realloc(*data, (size_t)larger * size);
  if (!grown)
    return false;
  *data = grown;
  *capacity = larger;
  return true;
}

static void free_piece(piece *p) {
  free(p->ids);
  free(p->events);
  free(p->sentence);
  *p = (piece){0};
}

/* A piece is a 64th of a batch, unless it holds a long line: it gives that room back, or after a while all 64 had as much. */
static void trim_piece(piece *p) {
  if ((size_t)(p->id_capacity + p->sentence_capacity) * sizeof *p->ids + (size_t)p->event_capacity * sizeof *p->events > MOST_KEPT)
    free_piece(p);
}

static bool add_event(piece *p, int64_t event) {
  void *events = p->events;
  bool have = reserve(&events, &p->event_capacity, p->event_count, 1, sizeof *p->events);
  p->events = events;
  if (have)
    p->events[p->event_count++] = event;
  return have;
}

static bool add_sentence(piece *p, const heed_tokenizer *tokenizer, const char *text, size_t bytes) {
  int64_t count;
  if (heed_tokenizer_encode(tokenizer, text, bytes, &p->sentence, &p->sentence_capacity, &count) != HEED_OK)
    return false;
  if (count == 0)
    return true;
  void *ids = p->ids;
  bool have = reserve(&ids, &p->id_capacity, p->id_count, count, sizeof *p->ids);
  p->ids = ids;
  if (!have)
    return false;
  for (int64_t i = 0; i < count; i++)
    p->unknown += p->sentence[i] == heed_tokenizer_special(tokenizer)->unknown;
  memcpy(p->ids + p->id_count, p->sentence, (size_t)count * sizeof *p->ids);
  p->id_count += count;
  return add_event(p, count);
}

static bool is_blank(const heed_line *line) {
  if (!line->begins || !line->ends)
    return false;
  for (size_t i = 0; i < line->bytes; i++)
    if (!strchr(" \t\r\v\f", line->text[i]) || line->text[i] == 0)
      return false;
  return true;
}

static bool work_line(piece *p, const heed_tokenizer *tokenizer, const heed_line *line) {
  bool blank = is_blank(line);
  if ((blank || line->new_file) && !add_event(p, END_OF_DOCUMENT))
    return false;
  if (blank)
    return true;
  heed_ill_formed_look(&p->ill_formed, line);
  if (heed_tokenizer_kind(tokenizer) == HEED_BPE)
    return add_sentence(p, tokenizer, line->text, line->bytes + line->ends); /* the newline behind it too */
  for (size_t from = 0; from < line->bytes;) {
    size_t end = heed_sentence_end(line->text, line->bytes, from);
    if (!add_sentence(p, tokenizer, line->text + from, end - from))
      return false;
    from = end;
  }
  return true;
}

static heed_status write_piece(piece *p, heed_shard_writer *writer, heed_prepare_report *report, heed_ill_formed *ill_formed) {
  int64_t first = 0;
  if (p->failed)
    return heed_error(HEED_FAILED, "out of memory for a batch of lines");
  for (int64_t i = 0; i < p->event_count; i++) {
    if (p->events[i] == END_OF_DOCUMENT) {
      HEED_TRY(heed_shard_writer_document(writer));
      continue;
    }
    HEED_TRY(heed_shard_writer_sentence(writer, p->ids + first, p->events[i]));
    first += p->events[i];
  }
  heed_ill_formed_add(ill_formed, &p->ill_formed);
  report->unknown += p->unknown;
  return HEED_OK;
}

/* All threads encode; then the pieces are written in order. */
static heed_status work_batch(piece *pieces, const heed_tokenizer *tokenizer, const heed_line *lines, int64_t count,
                              heed_shard_writer *writer, heed_prepare_report *report, heed_ill_formed *ill_formed) {
  int64_t starts[HEED_TEXT_PIECES + 1];
  heed_text_pieces(lines, count, starts);
#pragma omp parallel for schedule(dynamic, 1)
  for (int i = 0; i < HEED_TEXT_PIECES; i++) {
    piece *p = &pieces[i];
    p->id_count = p->event_count = p->unknown = 0;
    p->ill_formed = (heed_ill_formed){0};
    p->failed = false;
    for (int64_t line = starts[i]; line < starts[i + 1] && !p->failed; line++)
      p->failed = !work_line(p, tokenizer, &lines[line]);
  }
  for (int i = 0; i < HEED_TEXT_PIECES; i++) {
    HEED_TRY(write_piece(&pieces[i], writer, report, ill_formed));
    trim_piece(&pieces[i]);
  }
  return HEED_OK;
}

/* Often on a terminal, seldom elsewhere: logs of batch systems are read by people. */
static void show_progress(const heed_text *text, const heed_shard_writer *writer, double *last) {
  double now = heed_seconds();
  if (now - *last < (heed_log_is_terminal() ? 0.3 : 30.0))
    return;
  *last = now;
  double mebibytes = (double)heed_text_read_bytes(text) / 1048576.0, all = (double)heed_text_all_bytes(text) / 1048576.0;
  double millions = (double)heed_shard_writer_counts(writer).tokens * 1e-6;
  if (all > 0)
    heed_progress("%.0f of %.0f MiB, %.1f million tokens", mebibytes, all, millions);
  else
    heed_progress("%.0f MiB, %.1f million tokens", mebibytes, millions);
}

static heed_status work_text(heed_text *text, const heed_tokenizer *tokenizer, heed_shard_writer *writer, heed_prepare_report *report) {
  const heed_line *lines;
  int64_t count, hash_count;
  double last = heed_seconds();
  heed_ill_formed ill_formed = {.kept = heed_tokenizer_kind(tokenizer) == HEED_BPE};
  piece *pieces = calloc(HEED_TEXT_PIECES, sizeof *pieces);
  if (!pieces)
    return heed_error(HEED_FAILED, "out of memory for a batch of lines");
  heed_status status;
  while ((status = heed_text_next(text, &lines, &count)) == HEED_OK && count > 0 &&
         (status = work_batch(pieces, tokenizer, lines, count, writer, report, &ill_formed)) == HEED_OK)
    show_progress(text, writer, &last);
  heed_progress_end();
  for (int i = 0; i < HEED_TEXT_PIECES; i++)
    free_piece(&pieces[i]);
  free(pieces);
  HEED_TRY(status);
  const uint64_t *hashes = heed_text_hashes(text, &hash_count);
  for (int64_t i = 0; i < hash_count; i++)
    HEED_TRY(heed_shard_writer_source(writer, hashes[i]));
  report->counts = heed_shard_writer_counts(writer);
  report->bytes = heed_text_read_bytes(text);
  report->replaced = ill_formed.count;
  heed_ill_formed_warn(&ill_formed);
  return HEED_OK;
}

heed_status heed_prepare(const heed_tokenizer *tokenizer, const char *output, const char *const *inputs, int input_count,
                         heed_prepare_report *report) {
  heed_text *text;
  heed_shard_writer *writer = NULL;
  *report = (heed_prepare_report){0};
  HEED_TRY(heed_text_open(&text, inputs, input_count, heed_tokenizer_cut(tokenizer)));
  heed_status status = heed_text_holds(text, output) ? heed_error(HEED_INVALID, "%s: both input and output; choose another output", output)
                                                     : heed_shard_writer_create(&writer, output, tokenizer);
  if (status == HEED_OK)
    status = work_text(text, tokenizer, writer, report);
  if (status == HEED_OK && report->counts.tokens == 0)
    status = heed_error(HEED_INVALID, "%s%s: no text in it, so %s is not written", heed_text_shown(inputs[0]),
                        input_count > 1 ? " and the others" : "", output);
  if (status == HEED_OK)
    status = heed_shard_writer_finish(writer);
  if (status == HEED_OK)
    report->counts = heed_shard_writer_counts(writer);
  heed_shard_writer_free(writer);
  heed_text_close(text);
  return status;
}

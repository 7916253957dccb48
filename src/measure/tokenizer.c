#include "measure/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "data/prepare.h"
#include "data/text.h"
#include "data/tokenizer.h"
#include "measure/median.h"

enum { LEAST_ROUNDS = 3, MOST_ROUNDS = 9 };
#define ENOUGH_SECONDS 3.0

/* Ids of a run of lines, kept from batch to batch. */
typedef struct piece {
  int32_t *ids;
  int64_t capacity;
  heed_status status;
} piece;

static void encode_piece(piece *p, const heed_tokenizer *tokenizer, const heed_line *lines, int64_t first, int64_t end) {
  for (int64_t i = first; i < end && p->status == HEED_OK; i++) {
    int64_t count;
    p->status = heed_tokenizer_encode(tokenizer, lines[i].text, lines[i].bytes, &p->ids, &p->capacity, &count);
  }
}

/* One pass over the files: the time of reading, and of encoding between the reads. */
static heed_status pass(piece *pieces, const heed_tokenizer *tokenizer, const char *const *inputs, int count, double *reading,
                        double *encoding) {
  heed_text *text;
  const heed_line *lines;
  int64_t line_count, starts[HEED_TEXT_PIECES + 1];
  heed_status status;
  *reading = *encoding = 0;
  HEED_TRY(heed_text_open(&text, inputs, count, heed_tokenizer_cut(tokenizer)));
  for (;;) {
    double begun = heed_seconds();
    status = heed_text_next(text, &lines, &line_count);
    double read = heed_seconds();
    *reading += read - begun;
    if (status != HEED_OK || line_count == 0)
      break;
    heed_text_pieces(lines, line_count, starts);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < HEED_TEXT_PIECES; i++)
      encode_piece(&pieces[i], tokenizer, lines, starts[i], starts[i + 1]);
    *encoding += heed_seconds() - read;
    for (int i = 0; i < HEED_TEXT_PIECES; i++)
      if (pieces[i].status != HEED_OK)
        status = heed_error(HEED_FAILED, "out of memory for a batch of lines");
    if (status != HEED_OK)
      break;
  }
  heed_text_close(text);
  return status;
}

static heed_status measure(heed_tokenizer_speed *speed, piece *pieces, const heed_tokenizer *tokenizer, const char *const *inputs,
                           int count, const char *output) {
  double reading[MOST_ROUNDS], encoding[MOST_ROUNDS], preparing[MOST_ROUNDS], first = heed_seconds();
  heed_prepare_report report = {0};
  int rounds = 0;
  for (; rounds < LEAST_ROUNDS || (rounds < MOST_ROUNDS && heed_seconds() - first < ENOUGH_SECONDS); rounds++) {
    HEED_TRY(pass(pieces, tokenizer, inputs, count, &reading[rounds], &encoding[rounds]));
    double begun = heed_seconds();
    HEED_TRY(heed_prepare(tokenizer, output, inputs, count, &report));
    preparing[rounds] = heed_seconds() - begun;
  }
  *speed = (heed_tokenizer_speed){.bytes = report.bytes,
                                  .tokens = report.counts.tokens,
                                  .encode_seconds = heed_median(encoding, rounds),
                                  .prepare_seconds = heed_median(preparing, rounds),
                                  .read_seconds = heed_median(reading, rounds)};
  return HEED_OK;
}

heed_status heed_tokenizer_check_inputs(const char *const *inputs, int count) {
  struct stat about;
  for (int i = 0; i < count; i++)
    if (strcmp(inputs[i], "-") == 0 || (stat(inputs[i], &about) == 0 && S_ISFIFO(about.st_mode)))
      return heed_error(HEED_INVALID, "%s can be read only once, and is to be read several times: give a file", heed_text_shown(inputs[i]));
  return HEED_OK;
}

heed_status heed_tokenizer_measure(heed_tokenizer_speed *speed, const heed_tokenizer *tokenizer, const char *const *inputs, int count,
                                   const char *output) {
  HEED_TRY(heed_tokenizer_check_inputs(inputs, count));
  piece *pieces = calloc(HEED_TEXT_PIECES, sizeof *pieces);
  if (!pieces)
    return heed_error(HEED_FAILED, "out of memory for a batch of lines");
  heed_status status = measure(speed, pieces, tokenizer, inputs, count, output);
  for (int i = 0; i < HEED_TEXT_PIECES; i++)
    free(pieces[i].ids);
  free(pieces);
  return status;
}

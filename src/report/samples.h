/** samples.jsonl: what the model makes of some texts at each evaluation, a line an evaluation:
 *
 *      {"step": 500, "samples": [[{"text": "the house ", "kind": "given"}, {"text": "was", "kind": "wrong", "actual": "is"}], …]}
 *
 *  A sample is read as its parts one after the other; spaces are theirs.  A filled sentence is given words, right predictions and wrong
 *  ones with what was there; a continuation is a given prompt and the text made from it. */
#ifndef HEED_REPORT_SAMPLES_H
#define HEED_REPORT_SAMPLES_H

#include <stdint.h>

#include "heed/status.h"

typedef enum heed_sample_kind { HEED_SAMPLE_GIVEN, HEED_SAMPLE_MADE, HEED_SAMPLE_RIGHT, HEED_SAMPLE_WRONG } heed_sample_kind;

typedef struct heed_sample_part {
  const char *text; /**< any bytes: where they are no UTF-8, U+FFFD is written */
  heed_sample_kind kind;
  const char *actual; /**< of a wrong prediction: what was there; else NULL */
} heed_sample_part;

typedef struct heed_sample {
  const heed_sample_part *parts;
  int64_t count;
} heed_sample;

/** The samples of one evaluation. */
typedef struct heed_sample_set {
  int64_t step;
  const heed_sample *samples;
  int64_t count;
} heed_sample_set;

typedef struct heed_samples heed_samples;

/** Opens the file for appending, as heed_metrics_open does: what is of later steps than `step` or cannot be read is cut away.  One that is
 *  not there is made with the first samples.  Errors: HEED_IO; HEED_INVALID for a pipe or device. */
heed_status heed_samples_open(heed_samples **samples, const char *path, int64_t step);
void heed_samples_close(heed_samples *samples);

/** Appends the samples of an evaluation with one write.  The texts are copied.  Errors: HEED_IO, and then nothing of them stays. */
heed_status heed_samples_add(heed_samples *samples, int64_t step, const heed_sample *list, int64_t count);

/** The number of evaluations that the file holds, and one of them, oldest first. */
int64_t heed_samples_count(const heed_samples *samples);
const heed_sample_set *heed_samples_get(const heed_samples *samples, int64_t i);

#endif

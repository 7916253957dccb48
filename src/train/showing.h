/** What the model makes of some texts of the validation data, for people to look at while a run goes on: sentences with their masked tokens
 *  filled in, or beginnings of texts continued.  The same texts at every evaluation.  Rank-local, but collective over the tensor ranks of a
 *  model in parts. */
#ifndef HEED_TRAIN_SHOWING_H
#define HEED_TRAIN_SHOWING_H

#include "data/sampler.h"
#include "heed/communication.h"
#include "heed/config.h"
#include "models/model.h"
#include "report/report.h"

typedef struct heed_showing heed_showing;

/** All are borrowed; the model is the one that trains, of which one row is used. */
typedef struct heed_showing_spec {
  heed_model *model;
  const heed_sampler *sampler; /**< of the validation data */
  const heed_tokenizer *tokenizer;
  const heed_config *config;
  heed_communication *tensor; /**< the ranks with the other parts of the model, all of which show */
} heed_showing_spec;

/** Errors: HEED_FAILED when memory is short. */
heed_status heed_showing_create(heed_showing **showing, const heed_showing_spec *spec);
void heed_showing_free(heed_showing *showing);

/** Makes the samples of a step and hands them to the report, if there is one.  What fails is left out; without a showing nothing is done.
 */
void heed_showing_make(heed_showing *showing, const float *parameters, int64_t step, heed_report *report);

#endif

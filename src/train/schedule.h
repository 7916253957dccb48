/** The learning rate of each step. */
#ifndef HEED_TRAIN_SCHEDULE_H
#define HEED_TRAIN_SCHEDULE_H

#include "heed/config.h"

/** The learning rate of the update that makes step `step` into `step` + 1, of `steps` in all.  With r the highest rate, w warm-up steps
 *  and f the final fraction:
 *
 *      warm-up   r · (step + 1) / w                                  for step < w
 *      linear    r · (1 − (1 − f) · x)                               x = (step − w) / (steps − w)
 *      cosine    r · (f + (1 − f) · (1 + cos πx) / 2)
 *      constant  r
 *      stable    r until the last decay_steps, then linear over them
 *
 *  Source: linear as BERT's; warm-up–stable–decay: Hu et al. 2024, MiniCPM. */
double heed_schedule_rate(const heed_schedule_config *schedule, const heed_optimizer_config *optimizer, int64_t step, int64_t steps);

#endif

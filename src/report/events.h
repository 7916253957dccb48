/** TensorBoard's view of a run: RUN/events.out.tfevents.<time>.<host>.<process>.heed with the curves of metrics.jsonl.
 *
 *  Tags: loss, learning_rate, grad_norm, tokens_per_second; validation_loss, validation_accuracy, bits_per_byte,
 *  head_entropy/layer_0/head_0 …  Values are 32-bit floats, a loss that is not finite is NaN.  The file lies in the run folder itself, so
 *  that `tensorboard --logdir runs` shows a run by its folder's name. */
#ifndef HEED_REPORT_EVENTS_H
#define HEED_REPORT_EVENTS_H

#include "heed/status.h"
#include "report/metrics.h"

typedef struct heed_events heed_events;

/** Makes the file of a run anew, from all that `history` holds, in the place of those that the run wrote before: after a resume from an
 *  earlier step it holds what metrics.jsonl does.  It begins with a session's start at step 0, so that a TensorBoard that is looking on
 *  forgets what it had read; for its sake the file before stays too, empty.  Times before now are as metrics.jsonl has them: seconds of
 *  training, with no pauses.  Events of other programs in the folder are left alone.  Errors: HEED_IO. */
heed_status heed_events_open(heed_events **events, const char *folder, const heed_metrics_history *history);
void heed_events_close(heed_events *events);

/** Appends what `history` has gained since the last call, each line with one write: the file can be read at any time.  Errors: HEED_IO;
 *  the next call tries again. */
heed_status heed_events_follow(heed_events *events, const heed_metrics_history *history);

#endif

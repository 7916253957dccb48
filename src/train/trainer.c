#include "heed/trainer.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/pulse.h"
#include "heed/log.h"
#include "report/report.h"
#include "train/guard.h"
#include "train/progress.h"
#include "train/schedule.h"
#include "train/session.h"
#include "train/signals.h"

/* What a rank asks of all, larger = more urgent: travels with the losses, so that all do it at the same step. */
enum { GO_ON, SAVE_IS_WRITTEN, TIME_IS_UP, SIGNAL_CAME };

/* Room for the text of an error. */
enum { REASON = 2048 };

static int64_t request_of(const heed_session *s) {
  double limit = 60.0 * s->config->train.time_limit;
  if (heed_signals_pending())
    return SIGNAL_CAME;
  if (limit > 0 && heed_seconds() - s->begun >= limit)
    return TIME_IS_UP;
  return heed_checkpoint_is_written(s->store) ? SAVE_IS_WRITTEN : GO_ON;
}

static bool is_due(int64_t step, int64_t every) {
  return every > 0 && step % every == 0;
}

static bool evaluation_is_due(const heed_session *s) {
  int64_t every = s->config->evaluate.every_steps;
  return s->evaluator && s->step > 0 && (is_due(s->step, every) || (every > 0 && s->step == s->config->train.steps));
}

static void evaluate(heed_session *s) {
  heed_token_scores scores = heed_token_evaluate(s->evaluator, heed_stepper_parameters(s->stepper), s->config->evaluate.batches);
  heed_metrics_evaluation_record record = {.step = s->step,
                                           .loss = scores.loss,
                                           .accuracy = scores.accuracy,
                                           .bits_per_byte = scores.bits_per_byte,
                                           .head_entropy = heed_token_entropy(s->evaluator),
                                           .layers = s->config->model.layers,
                                           .heads = s->config->model.heads};
  s->validation_loss = scores.loss;
  heed_pulse_enter(HEED_PHASE_LOGGING);
  heed_info("step %lld  validation loss %.4f  perplexity %.2f  accuracy %.2f%%", (long long)s->step, scores.loss, scores.perplexity,
            100.0 * scores.accuracy);
  if (s->communication->rank == 0 && heed_metrics_evaluation(s->metrics, &record) != HEED_OK)
    heed_warn("%s (training goes on)", heed_error_text());
  heed_pulse_enter(HEED_PHASE_EVALUATING);
  heed_showing_make(s->showing, heed_stepper_parameters(s->stepper), s->step, s->report);
  heed_pulse_enter(HEED_PHASE_LOGGING);
  heed_report_write(s->report);
}

/* A save that fails leaves the earlier checkpoints as they were: training goes on, loudly, and the `last` one is the error of the run. */
static heed_status tell_saved(const heed_session *s, heed_status status, int64_t step, bool last) {
  if (status == HEED_OK)
    heed_info("step %lld  saved in %s/checkpoints/step-%08lld", (long long)step, s->config->run.output, (long long)step);
  else if (last)
    heed_error(status, "%s; mend that and run again with --resume", heed_error_text());
  else
    heed_warn("%s; training goes on", heed_error_text());
  return status;
}

/* Of the save that goes on while training does, if there is one. */
static heed_status finish_save(heed_session *s) {
  int64_t step;
  if (!heed_checkpoint_is_begun(s->store))
    return HEED_OK;
  const heed_status status = heed_checkpoint_end(s->store, &step);
  return tell_saved(s, status, step, false);
}

static heed_status save(heed_session *s, bool last) {
  finish_save(s);
  const heed_status status = heed_session_save(s, last);
  return heed_checkpoint_is_begun(s->store) || s->unsound ? status : tell_saved(s, status, s->step, last);
}

/* Numbers since the last logged step. */
typedef struct interval {
  double begun, loss, gradient_norm; /* of updates that were made */
  heed_timeline timeline;
  int64_t steps, updates, tokens, spikes, rollbacks;
} interval;

static void log_step(heed_session *s, interval *since, heed_progress_bar *bar, double learning_rate) {
  double now = heed_seconds(), seconds = now - since->begun, steps = (double)since->steps, updates = (double)since->updates;
  heed_metrics_record record = {.step = s->step,
                                .loss = since->loss / updates, /* none: not a number */
                                .learning_rate = learning_rate,
                                .gradient_norm = since->gradient_norm / updates,
                                .skipped = since->steps - since->updates,
                                .spikes = since->spikes,
                                .rollbacks = since->rollbacks,
                                .tokens = since->tokens,
                                .tokens_per_second = seconds > 0 ? (double)since->tokens / seconds : 0,
                                .seconds = now - s->begun,
                                .passes = since->timeline.passes / steps,
                                .shares = since->timeline.shares / steps,
                                .wait = since->timeline.wait / steps,
                                .update = since->timeline.update / steps,
                                .gather = since->timeline.gather / steps};
  heed_pulse_enter(HEED_PHASE_LOGGING);
  if (s->communication->rank == 0) {
    if (heed_metrics_step(s->metrics, &record) != HEED_OK)
      heed_warn("%s (training goes on)", heed_error_text());
    heed_report_follow(s->report);
    heed_progress_line(bar, &record);
  }
  *since = (interval){.begun = now};
}

/* Collective.  Errors: HEED_FAILED when rolling back did not help before. */
static heed_status roll_back(heed_session *s, const heed_guard *guard) {
  enum { MOST_ROLLBACKS = 3 };
  char *from = NULL;
  if (guard->rollbacks > MOST_ROLLBACKS)
    return heed_error(
        HEED_FAILED,
        "step %lld: no update is finite, not even after rolling back %d times; begin a run of another run.output from a sound "
        "checkpoint of this one (train.start_from), with a lower optimizer.learning_rate",
        (long long)s->step, MOST_ROLLBACKS);
  finish_save(s);
  heed_status status = heed_session_roll_back(s, &from);
  if (status == HEED_OK)
    heed_warn(
        "step %lld: %lld updates in a row were skipped; weights and moments are those of %s again, and the data since are passed over",
        (long long)s->step, (long long)s->config->guard.skips, from ? from : "the beginning");
  free(from);
  return status;
}

/* What the guard says of a step, and does about it. */
static heed_status judge(heed_session *s, heed_guard *guard, const heed_step_result *result, interval *since) {
  const double usual = guard->mean;
  HEED_TRY(result->witnessed);
  if (is_due(s->step, s->config->guard.hash_every_steps))
    HEED_TRY(heed_stepper_witness(s->stepper));
  switch (heed_guard_judge(guard, &s->config->guard, result->loss, result->skipped)) {
  case HEED_STEP_GOOD:
    return HEED_OK;
  case HEED_STEP_LEAPT:
    since->spikes++;
    heed_warn("step %lld: the loss leapt to %.4f, from %.4f on average", (long long)s->step, result->loss, usual);
    return HEED_OK;
  case HEED_STEP_ROLLS_BACK:
    since->rollbacks++;
    return roll_back(s, guard);
  case HEED_STEP_SKIPPED:
    heed_warn("step %lld: %s is not finite; its update is skipped", (long long)s->step,
              isfinite(result->loss) ? "the gradient" : "the loss");
    return HEED_OK;
  }
  return HEED_OK;
}

static heed_step_result take_step(heed_session *s, heed_batch_source source, interval *since, double *learning_rate) {
  heed_pulse_step(s->step + 1);
  *learning_rate = heed_schedule_rate(&s->config->schedule, &s->config->optimizer, s->step, s->config->train.steps);
  heed_step_result result = heed_stepper_run(s->stepper, source, *learning_rate, s->updates + 1, request_of(s));
  s->step++;
  s->validation_loss = NAN;
  s->data_position++;
  s->samples_seen += s->config->train.batch_sequences;
  const bool updated = !result.skipped && result.witnessed == HEED_OK;
  s->updates += updated;
  since->updates += updated;
  since->loss += result.skipped ? 0 : result.loss;
  since->gradient_norm += result.skipped ? 0 : result.gradient_norm;
  since->tokens += result.tokens;
  since->timeline.passes += result.timeline.passes;
  since->timeline.shares += result.timeline.shares;
  since->timeline.wait += result.timeline.wait;
  since->timeline.update += result.timeline.update;
  since->timeline.gather += result.timeline.gather;
  since->steps++;
  return result;
}

static const heed_batch *next_batch(void *reader) {
  return heed_reader_next(reader);
}

/* Not while updates are skipped: the weights may be what is wrong, and are those of the last checkpoint.  A first return to it is saved, so
 * that a resume too passes over the data; further ones would push sound checkpoints out. */
static bool is_time_to_save(const heed_session *s, const heed_guard *guard, bool rolled_back) {
  if (rolled_back)
    return guard->rollbacks == 1;
  return guard->skipped == 0 && guard->rollbacks == 0 && is_due(s->step, s->config->checkpoint.every_steps);
}

/* A stop waits for the end of skipped updates, of guard.skips at most: whoever resumes must not take weights for sound that a return to
 * the last checkpoint may yet replace. */
static bool is_to_stop(const heed_session *s, const heed_guard *guard, int64_t request) {
  return request >= TIME_IS_UP && (guard->skipped == 0 || s->config->guard.skips == 0);
}

static heed_status run(heed_session *s) {
  const heed_config *config = s->config;
  heed_batch_source source = {next_batch, s->reader};
  heed_progress_bar bar;
  heed_guard guard = {0};
  int64_t request = GO_ON;
  heed_status saved = HEED_OK, judged = HEED_OK;
  if (evaluation_is_due(s) && isnan(s->validation_loss)) /* left out when the run was stopped here */
    evaluate(s);
  interval since = {.begun = heed_seconds()};
  heed_progress_begin(&bar, s->step, config->train.steps);
  bool stops = false, waits = false;
  while (s->step < config->train.steps && !stops) {
    double learning_rate;
    const int64_t rollbacks = since.rollbacks;
    const heed_step_result result = take_step(s, source, &since, &learning_rate);
    request = result.request;
    if ((judged = judge(s, &guard, &result, &since)) != HEED_OK)
      break;
    const bool rolled_back = since.rollbacks > rollbacks;
    stops = is_to_stop(s, &guard, request);
    if (request >= TIME_IS_UP && !stops && !waits)
      heed_info("step %lld: stopping once an update is made again, or the last checkpoint's weights are back", (long long)s->step);
    waits = request >= TIME_IS_UP && !stops;
    const bool last = s->step == config->train.steps || stops;
    if (is_due(s->step, config->log.every_steps) || last)
      log_step(s, &since, &bar, learning_rate);
    else if (s->communication->rank == 0)
      heed_progress_tick(&bar, s->step);
    double paused = heed_seconds();
    if (request == SAVE_IS_WRITTEN)
      finish_save(s);
    if (evaluation_is_due(s) && !stops) /* a save that was asked for does not wait for an evaluation */
      evaluate(s);
    if (last || is_time_to_save(s, &guard, rolled_back))
      saved = save(s, last);
    if (s->unsound)
      break;
    since.begun += heed_seconds() - paused; /* tokens/s is of training alone */
  }
  const heed_status ended = judged != HEED_OK ? judged : saved;
  char reason[REASON];
  snprintf(reason, sizeof reason, "%s", heed_error_text()); /* what follows may have errors of its own */
  finish_save(s);
  heed_pulse_enter(HEED_PHASE_LOGGING);
  heed_report_write(s->report);
  if (ended != HEED_OK)
    return heed_error(ended, "%s", reason);
  if (s->step < config->train.steps)
    return heed_error(HEED_STOPPED, "stopped at step %lld of %lld (%s) and saved; run again with --resume to go on", (long long)s->step,
                      (long long)config->train.steps, request == SIGNAL_CAME ? "a signal came" : "train.time_limit is reached");
  return HEED_OK;
}

static void introduce(const heed_session *s) {
  int ranks = s->communication->size, threads = omp_get_max_threads();
  const int parts = s->communication->tensor->size;
  heed_info("%s: %d rank%s × %d thread%s", s->config->run.name, ranks, ranks > 1 ? "s" : "", threads, threads > 1 ? "s" : "");
  if (parts > 1)
    heed_info("each layer divided among %d ranks, each step among %d such group%s", parts, s->communication->data->size,
              s->communication->data->size == 1 ? "" : "s");
  heed_info("%.1f M parameters, %lld training samples, %.0f MiB of activations a rank, kernels %s, OpenBLAS for %s",
            1e-6 * (double)heed_parameters_whole_total(heed_stepper_table(s->stepper)), (long long)heed_sampler_samples(s->training),
            (double)heed_stepper_plan_memory(s->stepper).activations / 1048576.0, s->kernels->isa, heed_blas_core());
}

heed_status heed_train(const heed_config *config, const heed_train_options *options, heed_communication *communication) {
  heed_session session;
  heed_status status = heed_session_open(&session, config, options, communication);
  if (status == HEED_OK && session.origin)
    heed_info("%s", session.origin);
  if (status == HEED_OK && session.step >= config->train.steps) {
    heed_info("all %lld steps are done already", (long long)config->train.steps);
  } else if (status == HEED_OK) {
    introduce(&session);
    status = run(&session);
  }
  heed_session_close(&session);
  return status;
}

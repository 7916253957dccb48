#include "measure/step.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "data/reader.h"
#include "heed/tokenizer.h"
#include "measure/ceiling.h"
#include "measure/flops.h"
#include "measure/median.h"
#include "train/step.h"

enum { PARTS = 4 };

/* What one measurement holds. */
typedef struct bench {
  const heed_step_spec *spec;
  heed_tokenizer *tokenizer;
  heed_sampler *sampler;
  heed_reader *reader;
  heed_synthetic synthetic;
  heed_stepper *stepper;
  double *seconds; /* [steps] */
  double exposed;  /* of them, in exchanging alone */
  int64_t t;       /* updates made */
  bool skipped;
  heed_work work; /* this rank's, of the steps that count */
  double ceiling;
} bench;

static const heed_batch *next_batch(void *self) {
  bench *b = self;
  const heed_batch *batch = b->reader ? heed_reader_next(b->reader) : heed_synthetic_next(&b->synthetic);
  heed_work_add(&b->work, &b->spec->config->model, batch);
  return batch;
}

/* The data of the configuration, in the order of a run. */
static heed_status open_sampler(bench *b) {
  const heed_config *config = b->spec->config;
  const char *const paths[] = {b->spec->data};
  if (!config->data.vocabulary)
    return heed_error(HEED_INVALID, "--data needs data.vocabulary in the configuration: the vocabulary that %s was made with",
                      b->spec->data);
  HEED_TRY(heed_sampler_open_tokenizer(&b->tokenizer, config, paths, 1));
  heed_sampler_spec spec = heed_sampler_spec_of(config, b->tokenizer, false);
  spec.paths = paths;
  spec.path_count = 1;
  return heed_sampler_create(&b->sampler, &spec);
}

static heed_status open_source(bench *b) {
  if (!b->sampler)
    return heed_synthetic_create(&b->synthetic, b->spec->config, b->spec->lengths, b->stepper);
  return heed_reader_create(&b->reader, b->sampler, 0, heed_stepper_first_slice(b->stepper), heed_stepper_slices(b->stepper),
                            heed_stepper_slices_at_once(b->stepper));
}

static heed_status open_bench(bench *b) {
  const heed_step_spec *spec = b->spec;
  const heed_config *config = spec->config;
  heed_communication *c = spec->communication;
  HEED_TRY(c->agree(c, spec->data ? open_sampler(b) : HEED_OK));
  heed_stepper_spec stepper = {.config = config,
                               .kernels = spec->kernels,
                               .communication = c,
                               .targets_per_sequence = b->sampler ? heed_sampler_most_targets(b->sampler, 1)
                                                                  : heed_synthetic_targets(spec->config, config->train.sequence_length),
                               .ranks_on_node = spec->ranks_on_node};
  HEED_TRY(heed_stepper_create(&b->stepper, &stepper));
  heed_status status = open_source(b);
  if (status == HEED_OK && !(b->seconds = malloc((size_t)spec->steps * sizeof *b->seconds)))
    status = heed_error(HEED_FAILED, "out of memory for the times of %lld steps", (long long)spec->steps);
  heed_stepper_initialise(b->stepper, config->run.seed);
  return c->agree(c, status);
}

static void close_bench(bench *b) {
  heed_reader_free(b->reader);
  heed_synthetic_free(&b->synthetic);
  heed_stepper_free(b->stepper);
  heed_sampler_free(b->sampler);
  heed_tokenizer_free(b->tokenizer);
  free(b->seconds);
}

static void raise_ceiling(bench *b) {
  heed_ceiling_raise_flops(&b->ceiling, b->spec->config->train.precision, b->spec->communication);
}

/* Steps one after the other; seconds[steps] may be NULL. */
static void run_steps(bench *b, int64_t steps, double *seconds) {
  const heed_optimizer_config *optimizer = &b->spec->config->optimizer;
  for (int64_t i = 0; i < steps; i++) {
    double before = heed_seconds();
    heed_step_result result = heed_stepper_run(b->stepper, (heed_batch_source){next_batch, b}, optimizer->learning_rate, ++b->t, 0);
    if (seconds) {
      seconds[i] = heed_seconds() - before;
      b->exposed += result.timeline.shares + result.timeline.wait + result.timeline.gather;
    }
    b->skipped = b->skipped || result.skipped;
  }
}

/* Ceilings before, between and after, at the same temperature and beside the same neighbours as the steps. */
static void run_all(bench *b, double *waited) {
  int64_t steps = b->spec->steps;
  run_steps(b, b->spec->warmup, NULL);
  b->work = (heed_work){0};
  *waited = b->reader ? heed_reader_waited(b->reader) : 0;
  raise_ceiling(b);
  for (int part = 0; part < PARTS; part++) {
    int64_t first = steps * part / PARTS, end = steps * (part + 1) / PARTS;
    run_steps(b, end - first, b->seconds + first);
    raise_ceiling(b);
  }
  *waited = b->reader ? heed_reader_waited(b->reader) - *waited : 0;
}

static int64_t peak_bytes(heed_communication *c) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return c->maximum(c, (int64_t)usage.ru_maxrss * 1024);
}

static heed_status judge(bench *b, heed_step_speed *r, double waited) {
  heed_communication *c = b->spec->communication;
  double steps = (double)b->spec->steps, spent = 0;
  bool pooler = b->spec->config->objective.next_sentence;
  for (int64_t i = 0; i < b->spec->steps; i++)
    spent += b->seconds[i];
  double median = heed_median(b->seconds, b->spec->steps);
  c->broadcast(c, &median, sizeof median); /* steps begin and end together; rank 0's clock speaks for all */
  r->step_ms_median = 1e3 * median;
  r->tokens_per_second = heed_ceiling_sum((double)b->work.tokens, c->data) / steps / median;
  r->flops_per_step = heed_ceiling_sum(heed_training_flops(&b->spec->config->model, &b->work, pooler), c->data) / steps;
  r->flops_per_second = r->flops_per_step / median;
  r->waited_share = heed_ceiling_sum(waited / spent, c) / c->size;
  r->exposed_share = heed_ceiling_sum(b->exposed / spent, c) / c->size;
  r->peak_bytes = peak_bytes(c);
  r->parameters = heed_parameters_whole_total(heed_stepper_table(b->stepper));
  for (int more = 0; more < HEED_CEILING_MORE && r->flops_per_second > b->ceiling; more++)
    raise_ceiling(b);
  r->ceiling = b->ceiling;
  if (b->skipped)
    return heed_error(HEED_FAILED, "a step was skipped, its loss or gradient was not finite: try a lower optimizer.learning_rate");
  if (r->flops_per_second > b->ceiling)
    return heed_error(HEED_FAILED,
                      "the steps reached %.1f GFLOP/s, above the ceiling of %.1f: the ceiling was disturbed, run again on a quiet machine",
                      r->flops_per_second / 1e9, b->ceiling / 1e9);
  return HEED_OK;
}

heed_status heed_step_measure(heed_step_speed *result, const heed_step_spec *spec) {
  bench b = {.spec = spec};
  double waited = 0;
  *result = (heed_step_speed){0};
  heed_status status = open_bench(&b);
  if (status == HEED_OK) {
    run_all(&b, &waited);
    status = judge(&b, result, waited);
  }
  close_bench(&b);
  return status;
}

#include "measure/rates.h"

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "measure/ceiling.h"
#include "measure/crew.h"
#include "measure/flops.h"
#include "measure/median.h"
#include "measure/rates_memory.h"
#include "measure/synthetic.h"
#include "models/level.h"
#include "train/step.h"

enum { LEAST_RUNS = 3, MOST_RUNS = 15, WARMUPS = 1 };
enum { LEAST_TOKENS = 512 }; /* what a pass costs whatever it is of (packing weights, writing gradients) is a small part then */
#define SECONDS_OF_RUNS 2.5
#define SECONDS_OF_WHOLE 0.5 /* a whole step of a rank up to this long is timed as it is */
#define SECONDS_OF_PART 0.4  /* else one of few layers and about so long */
#define SHARE_OF_CEILING 0.7 /* that a step is expected to reach, to choose its size by */

/* Which steps are timed: those of layers[0] and of layers[1] layers, or one alone where both are equal. */
typedef struct sizes {
  int64_t layers[2];
  int64_t rows, slices;
} sizes;

/* What all members see. */
typedef struct board {
  sizes sizes;
  char more;
  heed_rates rates;
} board;

/* A training step that is timed. */
typedef struct trial {
  heed_config config;
  heed_communication alone;
  heed_stepper *stepper;
  heed_synthetic batches;
  int64_t t;
  bool skipped;
  double seconds[MOST_RUNS];
  double processor; /* seconds of all threads, of these runs */
} trial;

/* Operations of a row of full length through a model of so many layers. */
static double row_flops(const heed_config *config, int64_t layers) {
  heed_model_config model = config->model;
  int64_t offsets[] = {0, config->train.sequence_length};
  const heed_batch batch = {.stream = {.sequences = 1, .tokens = offsets[1], .offsets = offsets},
                            .targets = heed_synthetic_targets(config, offsets[1])};
  heed_work work = {0};
  model.layers = layers;
  heed_work_add(&work, &model, &batch);
  return heed_training_flops(&model, &work, config->objective.next_sentence);
}

/* \param[in] rate  operations a second that a step may reach */
static sizes choose_sizes(const heed_rates_spec *spec, double rate) {
  const heed_config *config = spec->config;
  const heed_model_config *model = &config->model;
  int64_t slice_rows = config->train.batch_sequences / config->train.slices;
  int64_t period = model->window > 0 && model->global_every > 1 ? model->global_every : 1;
  sizes s = {.layers = {model->layers, model->layers}, .rows = slice_rows * spec->slices, .slices = spec->slices};
  if (spec->slices == spec->slices_at_once && row_flops(config, model->layers) * (double)s.rows <= rate * SECONDS_OF_WHOLE)
    return s;
  if (1 + period < model->layers) {
    s.layers[0] = 1;
    s.layers[1] = 1 + period;
  }
  double fitting = rate * SECONDS_OF_PART / row_flops(config, s.layers[0]);
  const double least = ceil((double)LEAST_TOKENS / (double)config->train.sequence_length);
  fitting = fitting > least ? fitting : least;
  for (s.slices = spec->slices_at_once; s.slices > 1 && (double)(s.slices * slice_rows) > fitting; s.slices /= 2)
    ;
  s.rows = s.slices * slice_rows;
  if ((double)s.rows > fitting)
    s.rows = (int64_t)fitting;
  s.rows = (s.rows + s.slices - 1) / s.slices * s.slices;
  return s;
}

static heed_status open_trial(trial *t, const heed_rates_spec *spec, const sizes *s, int64_t layers) {
  heed_train_config *train = &t->config.train;
  t->config = *spec->config; /* its strings are borrowed */
  t->alone = *heed_alone();
  t->alone.data = &t->alone;
  t->config.model.layers = layers;
  train->batch_sequences = s->rows;
  train->slices = train->slices_at_once = s->slices;
  const heed_stepper_spec stepper = {.config = &t->config,
                                     .kernels = spec->kernels,
                                     .communication = &t->alone,
                                     .targets_per_sequence = heed_synthetic_targets(&t->config, train->sequence_length),
                                     .ranks_on_node = spec->ranks};
  HEED_TRY(heed_stepper_create(&t->stepper, &stepper));
  heed_stepper_initialise(t->stepper, t->config.run.seed);
  return heed_synthetic_create(&t->batches, &t->config, (heed_lengths){0}, t->stepper);
}

static void close_trial(trial *t) {
  heed_synthetic_free(&t->batches);
  heed_stepper_free(t->stepper);
}

static double processor_seconds(void) {
  struct timespec spent;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return (double)spent.tv_sec + 1e-9 * (double)spent.tv_nsec;
}

/* From when all begin to when all have ended, as steps of ranks that wait for each other. */
static double time_step(trial *t, const heed_crew *crew) {
  const heed_batch_source source = {heed_synthetic_next, &t->batches};
  heed_crew_meet(crew);
  double begun = heed_seconds();
  t->skipped = heed_stepper_run(t->stepper, source, t->config.optimizer.learning_rate * 1e-3, ++t->t, 0).skipped || t->skipped;
  heed_crew_meet(crew);
  return heed_seconds() - begun;
}

/* Both in turn, so that what disturbs the machine disturbs both.  Returns how often; member 0's clock decides for all. */
static int run_trials(trial trials[2], int count, const heed_crew *crew) {
  board *b = crew->shared;
  double begun = 0;
  int runs = -WARMUPS;
  do {
    if (runs == 0)
      begun = heed_seconds();
    for (int i = 0; i < count; i++) {
      double processor = processor_seconds(), spent = time_step(&trials[i], crew);
      if (runs < 0)
        continue;
      trials[i].seconds[runs] = spent;
      trials[i].processor += processor_seconds() - processor;
    }
    runs++;
    if (crew->member == 0)
      b->more = runs < LEAST_RUNS || (runs < MOST_RUNS && heed_seconds() - begun < SECONDS_OF_RUNS);
    heed_crew_meet(crew);
  } while (b->more);
  return runs;
}

void heed_rates_split(heed_rates *rates, const int64_t layers[2], const double seconds[2], double tokens) {
  rates->layer = seconds[1] / (double)layers[1] / tokens;
  rates->rest = 0;
  if (layers[0] == layers[1])
    return;
  double more = (seconds[1] - seconds[0]) / (double)(layers[1] - layers[0]) / tokens, rest = seconds[0] / tokens - (double)layers[0] * more;
  if (rest > 0 && more > 0) {
    rates->layer = more;
    rates->rest = rest;
  }
}

/* Takes the optimizer off what the steps took. */
static void judge(heed_rates *rates, trial trials[2], int count, int runs, const sizes *s) {
  double seconds[2], wall = 0, processor = 0;
  for (int i = 0; i < count; i++) {
    processor += trials[i].processor;
    for (int run = 0; run < runs; run++)
      wall += trials[i].seconds[run];
  }
  rates->got = processor / (wall * rates->threads);
  for (int i = 0; i < 2; i++) {
    trial *t = &trials[i < count ? i : 0];
    double whole = heed_median(t->seconds, runs), update = rates->optimizer * (double)heed_stepper_table(t->stepper)->total;
    seconds[i] = update < 0.9 * whole ? whole - update : 0.1 * whole;
  }
  heed_rates_split(rates, s->layers, seconds, (double)(s->rows * trials[0].config.train.sequence_length));
}

static heed_status measure_trials(const heed_rates_spec *spec, const heed_crew *crew) {
  board *b = crew->shared;
  trial trials[2] = {0};
  int count = b->sizes.layers[0] < b->sizes.layers[1] ? 2 : 1;
  heed_status status = HEED_OK;
  for (int i = 0; i < count && status == HEED_OK; i++)
    status = open_trial(&trials[i], spec, &b->sizes, b->sizes.layers[i]);
  if (status == HEED_OK) {
    int runs = run_trials(trials, count, crew);
    if (crew->member == 0)
      judge(&b->rates, trials, count, runs, &b->sizes);
    if (trials[0].skipped || trials[1].skipped)
      status = heed_error(HEED_FAILED, "a step that was timed had a loss or a gradient that is not finite");
  }
  close_trial(&trials[0]);
  close_trial(&trials[1]);
  return status;
}

/* One of the processes. */
static heed_status work(const heed_crew *crew, void *self) {
  const heed_rates_spec *spec = self;
  board *b = crew->shared;
  heed_crew_meet(crew);
  double ceiling = 0;
  heed_ceiling_raise_flops(&ceiling, spec->config->train.precision, heed_alone());
  if (crew->member == 0)
    b->sizes = choose_sizes(spec, SHARE_OF_CEILING * ceiling);
  HEED_TRY(heed_rates_memory(&b->rates, spec, crew));
  return measure_trials(spec, crew);
}

heed_status heed_rates_measure(heed_rates *rates, const heed_rates_spec *spec) {
  heed_rates_spec own = *spec;
  board b = {.rates = {.threads = spec->threads, .ranks = spec->ranks}};
  HEED_TRY(heed_crew_run(&b, sizeof b, spec->ranks, work, &own));
  *rates = b.rates;
  return HEED_OK;
}

#include "train/step.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/pulse.h"
#include "models/level.h"
#include "train/totals.h"
#include "train/witness.h"

enum { MOST_BLOCKS = 64 };

struct heed_stepper {
  heed_stepper_spec spec;
  heed_communication *data; /* of the job: the ranks that take other slices with the same part of the model */
  heed_model *model;
  heed_optimizer *optimizer;
  int64_t slices, slices_at_once, passes; /* of this rank */
  heed_masters masters;
  heed_witness witness;
  float *blocks[MOST_BLOCKS]; /* gradient blocks: one a level of the tree over passes */
  int block_count;
  heed_totals totals;
  int depth;      /* the block that the pass under way writes */
  bool last_pass; /* whether it is the last of its step */
  int64_t ready;  /* in it: gradients from here on are final */
};

static heed_model_sizes sizes_of(const heed_stepper_spec *spec, int64_t slices) {
  const heed_train_config *train = &spec->config->train;
  int64_t rows = train->batch_sequences / train->slices * slices;
  return (heed_model_sizes){.sequences = rows,
                            .tokens = rows * train->sequence_length,
                            .targets = rows * spec->targets_per_sequence,
                            .slices = slices,
                            .longest = train->sequence_length,
                            .training = true,
                            .logits_in_groups = true,
                            .recompute = train->recompute,
                            .next_sentence = spec->config->objective.next_sentence,
                            .token_head = true,
                            .tensor = spec->communication->tensor};
}

/* Memory that may be used: three quarters of what is available on this machine, shared by its ranks. */
static size_t memory_limit(int64_t ranks_on_node) {
  size_t available = heed_memory_available();
  return available == SIZE_MAX ? SIZE_MAX : available / 4 * 3 / (size_t)(ranks_on_node > 0 ? ranks_on_node : 1);
}

/* The next smaller number of slices that may go through together: an aligned subtree, that is a power of two that divides `slices`. */
static int64_t fewer_slices(int64_t slices, int64_t at_once) {
  int64_t power = slices & -slices;
  while (power >= at_once)
    power /= 2;
  return power;
}

/* Gradient blocks of a rank: one a level of the tree over its passes. */
static int count_blocks(int64_t passes) {
  int count = 0;
  for (; passes > 0; passes /= 2)
    count++;
  return count;
}

/* Of n ranks that share memory each reads its part of the gradients of the others, and their parts of the parameters. */
static size_t neighbours_bytes(const heed_stepper *s) {
  const heed_parameter_table *table = heed_model_table(s->model);
  const int64_t near = s->data->near;
  const size_t bytes = heed_masters_common_bytes(table, s->spec.kernels) + (size_t)table->gradient_total * sizeof(float);
  return bytes / (size_t)near * (size_t)(near - 1);
}

heed_stepper_memory heed_stepper_plan_memory(const heed_stepper *s) {
  const heed_parameter_table *table = heed_model_table(s->model);
  size_t blocks = (size_t)count_blocks(s->slices / s->slices_at_once);
  return (heed_stepper_memory){.parameters = heed_masters_bytes(table, s->spec.kernels, s->data->size),
                               .common = heed_masters_common_bytes(table, s->spec.kernels),
                               .gradients = blocks * (size_t)table->gradient_total * sizeof(float),
                               .moments = heed_optimizer_bytes(table, &s->spec.config->optimizer, s->data->size),
                               .activations = heed_model_bytes(s->model),
                               .neighbours = neighbours_bytes(s)};
}

static size_t bytes_of(const heed_stepper *s) {
  heed_stepper_memory memory = heed_stepper_plan_memory(s);
  return memory.parameters + memory.gradients + memory.moments + memory.activations;
}

/* Plans the model for as many slices at once as fit (or as configured).  The bits do not depend on it. */
static heed_status plan_model(heed_stepper *s) {
  const heed_stepper_spec *spec = &s->spec;
  int64_t wanted = spec->config->train.slices_at_once;
  if (wanted > 0 && wanted < s->slices && (s->slices % wanted || (wanted & (wanted - 1))))
    return heed_error(HEED_INVALID, "train.slices_at_once: %lld must be a power of two that divides the %lld slices of a rank",
                      (long long)wanted, (long long)s->slices);
  size_t limit = memory_limit(spec->ranks_on_node);
  s->slices_at_once = wanted > 0 && wanted < s->slices ? wanted : s->slices;
  for (;;) {
    heed_model_sizes sizes = sizes_of(spec, s->slices_at_once);
    HEED_TRY(heed_model_create(&s->model, &spec->config->model, &sizes, spec->kernels));
    int64_t fewer = fewer_slices(s->slices, s->slices_at_once);
    if (wanted > 0 || fewer == 0 || bytes_of(s) < limit)
      return HEED_OK;
    heed_model_free(s->model);
    s->model = NULL;
    s->slices_at_once = fewer;
  }
}

/* Collective. */
static heed_status allocate(heed_stepper *s) {
  heed_communication *c = s->spec.communication;
  const heed_parameter_table *table = heed_model_table(s->model);
  HEED_TRY(c->agree(c, heed_model_commit(s->model)));
  s->passes = s->slices / s->slices_at_once;
  s->block_count = count_blocks(s->passes);
  HEED_TRY(c->agree(c, heed_totals_create(&s->totals, s->slices, c)));
  HEED_TRY(c->agree(c, s->data->allocate(s->data, &s->blocks[0], table->gradient_total)));
  heed_status status = HEED_OK;
  for (int i = 1; i < s->block_count; i++) /* other ranks see the first alone */
    if (!(s->blocks[i] = heed_memory_block(table->gradient_total)))
      status = heed_error(HEED_FAILED, "out of memory for the gradients of %lld passes", (long long)s->passes);
  return c->agree(c, status);
}

/* A rank's slices must be one subtree of the tree over all: a power of two of them, or all. */
static heed_status check_ranks(int64_t slices, int ranks) {
  int64_t own = slices / ranks;
  if (slices % ranks == 0 && (ranks == 1 || (own & (own - 1)) == 0))
    return HEED_OK;
  return heed_error(HEED_INVALID,
                    "train.slices: %lld slices cannot be summed by %d ranks; each rank takes 1, 2, 4 … of them, or one rank all",
                    (long long)slices, ranks);
}

/* Collective. */
static heed_status plan(heed_stepper *s) {
  heed_communication *c = s->spec.communication;
  HEED_TRY(check_ranks(s->spec.config->train.slices, s->data->size));
  s->slices = s->spec.config->train.slices / s->data->size;
  HEED_TRY(c->agree(c, plan_model(s)));
  /* All ranks take the same passes: the fewest slices at once of any. */
  int64_t fewest = -c->maximum(c, -s->slices_at_once);
  heed_status status = HEED_OK;
  if (fewest != s->slices_at_once) {
    heed_model_sizes sizes = sizes_of(&s->spec, fewest);
    heed_model_free(s->model);
    s->model = NULL;
    s->slices_at_once = fewest;
    status = heed_model_create(&s->model, &s->spec.config->model, &sizes, s->spec.kernels);
  }
  return c->agree(c, status);
}

heed_status heed_stepper_plan(heed_stepper **result, const heed_stepper_spec *spec) {
  heed_communication *c = spec->communication;
  heed_stepper *s = calloc(1, sizeof *s);
  if (s) {
    s->spec = *spec;
    s->data = c->data;
  }
  heed_status status = c->agree(c, s ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the training step"));
  if (status == HEED_OK) {
    s->spec.kernels = heed_kernels_of(spec->kernels, spec->config->train.precision);
    status = plan(s);
  }
  if (status != HEED_OK) {
    heed_stepper_free(s);
    return status;
  }
  *result = s;
  return HEED_OK;
}

heed_status heed_stepper_create(heed_stepper **result, const heed_stepper_spec *spec) {
  heed_communication *c = spec->communication;
  heed_stepper *s;
  HEED_TRY(heed_stepper_plan(&s, spec));
  heed_status status = allocate(s);
  if (status == HEED_OK)
    status = heed_optimizer_create(&s->optimizer, heed_model_table(s->model), &spec->config->optimizer, s->spec.kernels, c);
  if (status == HEED_OK)
    status = c->agree(c, heed_masters_create(&s->masters, heed_optimizer_chunks(s->optimizer), s->spec.kernels, s->data));
  if (status == HEED_OK)
    status = c->agree(c, heed_witness_create(&s->witness, &s->masters, s->optimizer, c));
  if (status != HEED_OK) {
    heed_stepper_free(s);
    return status;
  }
  *result = s;
  return HEED_OK;
}

void heed_stepper_free(heed_stepper *s) {
  if (!s)
    return;
  heed_witness_free(&s->witness);
  heed_masters_free(&s->masters);
  heed_optimizer_free(s->optimizer);
  heed_model_free(s->model);
  for (int i = 1; i < s->block_count; i++)
    free(s->blocks[i]);
  s->data->release(s->data, s->blocks[0]);
  heed_totals_free(&s->totals);
  free(s);
}

static void add_block(const heed_kernels *kernels, float *to, const float *from, int64_t count) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i += HEED_CHUNK)
    kernels->add(to + i, from + i, count - i < HEED_CHUNK ? count - i : HEED_CHUNK);
}

/* Targets / sequences of the global batch: the update divides by the targets (1 when there are none), and the next-sentence loss is a mean
 * over sequences.  Shared before the first backward. */
static float next_sentence_scale(heed_stepper *s, const heed_batch *batch) {
  if (!s->spec.config->objective.next_sentence)
    return 0.0f;
  const double targets = heed_totals_count(&s->totals, batch->step_targets);
  return (float)((targets > 0 ? targets : 1) / (double)s->spec.config->train.batch_sequences);
}

/* Adds elements [first, end) of the gradients of the last pass to those before it, down the tree: into blocks[0]. */
static void add_passes(heed_stepper *s, int64_t first, int64_t end) {
  for (int depth = s->depth; depth > 0; depth--)
    add_block(s->spec.kernels, s->blocks[depth - 1] + first, s->blocks[depth] + first, end - first);
}

/* What a fault of the arithmetic would leave (tests). */
static void spoil(heed_stepper *s) {
  if (heed_failpoint(HEED_AT_GRADIENTS) != HEED_OK)
    s->blocks[0][0] = NAN;
}

/* Gradients from `first` on are final for this pass.  In the last one they go on to the other ranks, while backward goes on here. */
static void gradients_ready(void *self, int64_t first) {
  heed_stepper *s = self;
  const heed_parameter_table *table = heed_model_table(s->model);
  if (!s->last_pass)
    return;
  if (s->ready == table->gradient_total) /* the second ones of tied tensors, behind the table */
    add_passes(s, table->total, table->gradient_total);
  add_passes(s, first, s->ready < table->total ? s->ready : table->total);
  s->ready = first;
  if (first == 0)
    spoil(s);
  heed_optimizer_sum(s->optimizer, s->blocks[0], first);
}

/* Runs this rank's passes; the sum of their gradients, along the tree, is left in blocks[0], and its sum over the ranks is under way. */
static void run_passes(heed_stepper *s, heed_batch_source source) {
  heed_slice_sums *sums = heed_totals_mine(&s->totals);
  const heed_kernels *kernels = s->spec.kernels;
  int64_t floats = heed_model_table(s->model)->gradient_total;
  float scale = 0;
  s->depth = 0;
  s->ready = floats;
  heed_model_tell_gradients(s->model, gradients_ready, s);
  for (int64_t pass = 0; pass < s->passes; pass++) {
    heed_pulse_enter(HEED_PHASE_READING_BATCH);
    const heed_batch *batch = source.next(source.self);
    heed_pulse_enter(HEED_PHASE_FORWARD);
    if (pass == 0)
      scale = next_sentence_scale(s, batch);
    s->last_pass = pass == s->passes - 1;
    heed_model_train(s->model, s->masters.values, s->blocks[s->depth], batch, s->spec.config->run.seed, scale,
                     sums + pass * s->slices_at_once);
    if (s->last_pass)
      break;
    s->depth++;
    for (int64_t done = pass + 1; done % 2 == 0; done /= 2, s->depth--)
      add_block(kernels, s->blocks[s->depth - 2], s->blocks[s->depth - 1], floats);
  }
}

/* Seconds since *begun, which becomes now. */
static double lap(double *begun) {
  const double before = *begun;
  *begun = heed_seconds();
  return *begun - before;
}

static void pack(heed_stepper *s) {
  heed_model_pack(s->model, s->masters.values, s->masters.elements);
}

heed_step_result heed_stepper_run(heed_stepper *s, heed_batch_source source, double learning_rate, int64_t t, int64_t request) {
  heed_step_result result = {0};
  double clock = heed_seconds(), adding = heed_model_adding(s->model);
  heed_pulse_enter(HEED_PHASE_FORWARD);
  if (heed_failpoint(HEED_AT_STEP_FORWARD) != HEED_OK)
    s->spec.communication->abort(s->spec.communication, HEED_IO);
  run_passes(s, source);
  result.timeline.shares = heed_model_adding(s->model) - adding;
  result.timeline.passes = lap(&clock) - result.timeline.shares;
  heed_pulse_enter(HEED_PHASE_SUMMING);
  heed_optimizer_sum_finish(s->optimizer, s->blocks[0]);
  heed_slice_sums sums = heed_totals_share(&s->totals, request, &result.request);
  result.timeline.wait = lap(&clock);
  double divisor = sums.targets > 0 ? sums.targets : 1;
  result.loss = sums.token_loss / divisor + (sums.sequences > 0 ? sums.next_sentence_loss / sums.sequences : 0);
  result.tokens = (int64_t)sums.tokens;
  result.targets = (int64_t)sums.targets;
  if (!isfinite(result.loss)) {
    result.skipped = true;
    result.gradient_norm = NAN;
    return result;
  }
  heed_pulse_enter(HEED_PHASE_UPDATING);
  if ((result.witnessed = heed_witness_check(&s->witness)) != HEED_OK)
    return result;
  heed_witness_forget(&s->witness);
  heed_model_unpack(s->model);
  heed_update update = heed_optimizer_update(s->optimizer, &s->masters, s->blocks[0], divisor, learning_rate, t);
  result.gradient_norm = update.gradient_norm;
  result.skipped = update.skipped;
  pack(s);
  result.timeline.gather = update.gather_seconds;
  result.timeline.update = lap(&clock) - update.gather_seconds;
  return result;
}

heed_status heed_stepper_witness(heed_stepper *s) {
  return heed_witness_take(&s->witness);
}

heed_status heed_stepper_is_sound(const heed_stepper *s) {
  return heed_witness_check(&s->witness);
}

const heed_parameter_table *heed_stepper_table(const heed_stepper *s) {
  return heed_model_table(s->model);
}
const float *heed_stepper_parameters(const heed_stepper *s) {
  return s->masters.values;
}
float *heed_stepper_masters(heed_stepper *s) {
  return s->masters.shard ? s->masters.shard : s->masters.values;
}
bool heed_stepper_is_sharded(const heed_stepper *s) {
  return s->masters.shard;
}
void heed_stepper_take(heed_stepper *s) {
  heed_model_unpack(s->model);
  heed_masters_take(&s->masters);
  heed_witness_forget(&s->witness);
  pack(s);
}
void heed_stepper_initialise(heed_stepper *s, uint32_t seed) {
  heed_model_unpack(s->model);
  heed_masters_initialise(&s->masters, seed);
  heed_witness_forget(&s->witness);
  pack(s);
}
heed_optimizer *heed_stepper_optimizer(heed_stepper *s) {
  return s->optimizer;
}
heed_model *heed_stepper_model(heed_stepper *s) {
  return s->model;
}
int64_t heed_stepper_first_slice(const heed_stepper *s) {
  return s->data->rank * s->slices;
}
int64_t heed_stepper_slices(const heed_stepper *s) {
  return s->slices;
}
int64_t heed_stepper_slices_at_once(const heed_stepper *s) {
  return s->slices_at_once;
}

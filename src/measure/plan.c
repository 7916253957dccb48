#include "measure/plan.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/masking.h"
#include "data/reader.h"
#include "heed/batch.h"
#include "measure/synthetic.h"
#include "models/family.h"

/* Of a thread, beside its scratch: its stack, and what OpenBLAS's trial touches of its work buffer. */
enum { THREAD_BYTES = 128 << 10 };

/* What training takes and planning does not: HDF5 at work, the vocabulary, the report. */
enum { TRAINING_BYTES = 3 << 20 };

/* Of one kind: keeps sums within 64 bits. */
static const size_t MOST_BYTES = (size_t)1 << 44;

/* m and v are kept for every parameter, by LAMB too. */
enum { SAVED_BLOCKS = 3 };

/* The most targets that a row may have in training, as data/sampler.h says it. */
static int64_t most_targets(const heed_config *config) {
  const heed_objective_config *objective = &config->objective;
  const heed_mask_rule rule = {
      .masking = objective->masking, .probability = objective->mask_probability, .max_predictions = objective->max_predictions};
  if (objective->predict == HEED_PREDICT_NEXT_TOKEN)
    return config->train.sequence_length;
  return heed_mask_most(&rule, config->train.sequence_length, objective->next_sentence ? 3 : 2);
}

/* What the batches of a rank take that are in use or read ahead. */
static size_t batches_bytes(const heed_config *config, int64_t slices, int64_t slices_at_once) {
  const heed_train_config *train = &config->train;
  int64_t rows = train->batch_sequences / train->slices * slices_at_once;
  return (size_t)heed_reader_batches(slices / slices_at_once) *
         heed_batch_bytes(slices_at_once, rows, rows * train->sequence_length,
                          rows * heed_synthetic_targets(config, train->sequence_length));
}

/* Floats of what is registered before the first block. */
static int64_t embedding_floats(const heed_parameter_table *table, const char *family_name) {
  const heed_family *family;
  char first[HEED_MAX_NAME];
  if (heed_family_find(&family, family_name) != HEED_OK)
    return 0;
  snprintf(first, sizeof first, family->block, 0);
  for (int64_t i = 0; i < table->count; i++)
    if (strncmp(table->items[i].name, first, strlen(first)) == 0)
      return table->items[i].offset;
  return table->total;
}

/* Plans as training does, for the most targets that rows may have; then as many slices at once, for the targets that they do have. */
static heed_status plan_step(heed_run_plan *plan, const heed_run_plan_spec *spec) {
  heed_config config = *spec->config;
  const int parts = (int)config.parallel.tensor;
  /* These stand for the ranks of a job: planning exchanges nothing.  The last part is the largest. */
  heed_communication data = *heed_alone(), tensor = data, world = data;
  data.size = spec->ranks / parts;
  data.near = spec->near;
  tensor.size = parts;
  tensor.rank = parts - 1;
  world.size = spec->ranks;
  world.data = &data;
  world.tensor = &tensor;
  heed_stepper_spec stepper = {.config = &config,
                               .kernels = spec->kernels,
                               .communication = &world,
                               .targets_per_sequence = most_targets(&config),
                               .ranks_on_node = spec->ranks_on_node};
  heed_stepper *s;
  HEED_TRY(heed_stepper_plan(&s, &stepper));
  plan->slices = heed_stepper_slices(s);
  plan->slices_at_once = config.train.slices_at_once = heed_stepper_slices_at_once(s);
  heed_stepper_free(s);
  stepper.targets_per_sequence = heed_synthetic_targets(&config, config.train.sequence_length);
  HEED_TRY(heed_stepper_plan(&s, &stepper));
  plan->parameters = heed_parameters_whole_total(heed_stepper_table(s));
  plan->part = heed_stepper_table(s)->total;
  plan->gradients = heed_stepper_table(s)->gradient_total;
  plan->last_gradients = embedding_floats(heed_stepper_table(s), config.model.family);
  plan->memory = heed_stepper_plan_memory(s);
  plan->program = heed_memory_resident() + TRAINING_BYTES + (size_t)omp_get_max_threads() * THREAD_BYTES;
  heed_stepper_free(s);
  return HEED_OK;
}

/* Where checkpoints are saved under way, and training does not wait for them. */
static bool keeps_snapshot(const heed_config *config) {
  const int64_t every = config->checkpoint.every_steps;
  return config->checkpoint.background && every > 0 && every < config->train.steps;
}

static heed_status sum_up(heed_run_plan *plan, const heed_config *config, int ranks_on_node) {
  const heed_stepper_memory *memory = &plan->memory;
  plan->checkpoint_bytes = SAVED_BLOCKS * (size_t)plan->parameters * sizeof(float);
  plan->snapshot = keeps_snapshot(config) ? plan->checkpoint_bytes : 0;
  const size_t parts[] = {memory->parameters, memory->gradients,   memory->moments, memory->activations, memory->neighbours,
                          plan->batches,      plan->communication, plan->program,   plan->snapshot};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (parts[i] > MOST_BYTES)
      return heed_error(HEED_INVALID, "a rank takes more memory than machines have; use a smaller batch, sequence or model");
    plan->rank_bytes += parts[i];
  }
  plan->node_bytes = (plan->rank_bytes - memory->neighbours - plan->snapshot) * (size_t)ranks_on_node + plan->snapshot;
  return HEED_OK;
}

heed_status heed_run_plan_make(heed_run_plan *plan, const heed_run_plan_spec *spec) {
  *plan = (heed_run_plan){.communication = spec->communication, .available_bytes = heed_memory_available()};
  HEED_TRY(plan_step(plan, spec));
  plan->batches = batches_bytes(spec->config, plan->slices, plan->slices_at_once);
  return sum_up(plan, spec->config, spec->ranks_on_node);
}

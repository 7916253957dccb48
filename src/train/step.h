/** One training step: a rank's slices go through the model, the gradients through the tree, the update to all.
 *
 *  With tensor parallelism (communication->tensor) each part of the model is trained so by its own data ranks, and the parts exchange what
 *  layers share of activations. */
#ifndef HEED_TRAIN_STEP_H
#define HEED_TRAIN_STEP_H

#include "heed/batch.h"
#include "heed/communication.h"
#include "heed/config.h"
#include "models/model.h"
#include "train/optimizer.h"

typedef struct heed_stepper heed_stepper;

typedef struct heed_stepper_spec {
  const heed_config *config;
  const heed_kernels *kernels;
  heed_communication *communication;
  int64_t targets_per_sequence; /**< the most masked tokens of a sequence */
  int64_t ranks_on_node;        /**< that share this machine's memory */
} heed_stepper_spec;

/** Where batches come from: each call gives the rank's next pass (data/reader.h). */
typedef struct heed_batch_source {
  const heed_batch *(*next)(void *self);
  void *self;
} heed_batch_source;

/** Where a step's seconds go on this rank.  `shares`, `wait` and `gather` are what exchanging costs: the rest of it goes on meanwhile. */
typedef struct heed_timeline {
  double passes; /**< forward and backward; sums over the ranks begin meanwhile */
  double shares; /**< sums of activations over the tensor ranks, between them */
  double wait;   /**< for those sums to end, and for slower ranks */
  double update; /**< norms and the optimizer */
  double gather; /**< copying the updated shards to all ranks */
} heed_timeline;

typedef struct heed_step_result {
  double loss; /**< mean over masked tokens, plus mean over sentence pairs when asked */
  double gradient_norm;
  int64_t tokens, targets;
  bool skipped;          /**< loss or gradient not finite: no update */
  heed_status witnessed; /**< HEED_FAILED, on all ranks: a rank's shard had changed by itself, and there was no update */
  int64_t request;       /**< the largest `request` of all ranks */
  heed_timeline timeline;
} heed_step_result;

/** Bytes of a rank, by kind. */
typedef struct heed_stepper_memory {
  size_t parameters;  /**< as forward reads them, and in bf16 the masters of this rank's shard */
  size_t common;      /**< of them: what all ranks have alike, which near ones read where it lies, and which an update brings to all */
  size_t gradients;   /**< a block for each level of the tree over passes, with the second parts of tied tensors */
  size_t moments;     /**< this rank's shard of what the optimizer keeps */
  size_t activations; /**< with packed weights and the threads' scratch */
  size_t neighbours;  /**< of the machine's other ranks' parameters and gradients: what this one reads of them; the system counts it as its
                         own */
} heed_stepper_memory;

/** Plans model, gradients and optimizer for as many slices at once as memory allows, and allocates nothing of size: table, slices and
 *  memory may be asked for, no step be run.  Collective.
 *  Errors: HEED_INVALID for a number of ranks that the slices do not allow. */
heed_status heed_stepper_plan(heed_stepper **stepper, const heed_stepper_spec *spec);

/** Plans and allocates.  Collective, as freeing is.  Errors: also HEED_FAILED when memory is short. */
heed_status heed_stepper_create(heed_stepper **stepper, const heed_stepper_spec *spec);
void heed_stepper_free(heed_stepper *stepper);

/** Runs one step.  Collective.  \param[in] t  number of this update, from 1; \param[in] request  what this rank asks of all (a signal
 *  came: save and stop); it travels with the losses. */
heed_step_result heed_stepper_run(heed_stepper *stepper, heed_batch_source source, double learning_rate, int64_t t, int64_t request);

/** After a step: compares the ranks' parameters, and remembers this rank's copy and shard until the next update (train/witness.h).
 *  Collective. */
heed_status heed_stepper_witness(heed_stepper *stepper);

/** Whether each rank's copy and shard are still as they were then; nothing if there was an update since.  Collective.
 *  Errors: HEED_FAILED. */
heed_status heed_stepper_is_sound(const heed_stepper *stepper);

const heed_parameter_table *heed_stepper_table(const heed_stepper *stepper);

/** What the model's calls take: the parameters, in bf16 only as this model reads them. */
const float *heed_stepper_parameters(const heed_stepper *stepper);

/** The masters: the flat block, the same on every rank; in bf16 this rank's shard of it (heed_stepper_is_sharded), laid out by the
 *  communication's runs.  Whoever changes them calls heed_stepper_take before anything else. */
float *heed_stepper_masters(heed_stepper *stepper);
bool heed_stepper_is_sharded(const heed_stepper *stepper);

/** The masters were changed: makes of them what forward reads.  Collective. */
void heed_stepper_take(heed_stepper *stepper);

/** Fills the masters with the weights of step 0 (heed_parameters_initialise).  Collective. */
void heed_stepper_initialise(heed_stepper *stepper, uint32_t seed);

heed_optimizer *heed_stepper_optimizer(heed_stepper *stepper);
heed_model *heed_stepper_model(heed_stepper *stepper);

/** This rank's slices of a global batch: [first_slice, first_slice + slices), slices_at_once a pass. */
int64_t heed_stepper_first_slice(const heed_stepper *stepper);
int64_t heed_stepper_slices(const heed_stepper *stepper);
int64_t heed_stepper_slices_at_once(const heed_stepper *stepper);

/** What the plan takes: all of it is used by a step of full rows. */
heed_stepper_memory heed_stepper_plan_memory(const heed_stepper *stepper);

#endif

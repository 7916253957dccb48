#include "measure/forecast.h"

/* Of a message through shared memory. */
static const double SHARED_MEMORY_LATENCY = 1e-6;

/* Of forward and backward together: backward is twice forward. */
static const double FORWARD = 1.0 / 3, BACKWARD = 2.0 / 3;

/* Of a checkpoint, what comes from the ranks that own it: two moments for each weight, and in bf16 the weights too. */
static double gathered_share(const heed_config *config) {
  return config->train.precision == HEED_BF16 ? 1 : 2.0 / 3;
}

heed_network heed_forecast_shared_memory(const heed_rates *rates) {
  const double added_of_both_ways = rates->add / (2 * sizeof(float));
  return (heed_network){SHARED_MEMORY_LATENCY, 1 / (rates->copy + added_of_both_ways)};
}

static double bytes_of(int64_t floats) {
  return (double)floats * sizeof(float);
}

/* \param[in] backward  seconds that hide what can be hidden */
static void add_exchange(heed_forecast *f, const heed_forecast_spec *spec, const heed_run_plan *plan, int ranks, double backward) {
  const double sum = heed_network_half(&spec->network, ranks, bytes_of(plan->gradients)),
               last = heed_network_half(&spec->network, ranks, bytes_of(plan->last_gradients)),
               back = heed_network_half(&spec->network, ranks, (double)plan->memory.common);
  const double beyond = sum - last - backward;
  f->exchange = sum + back;
  f->exposed = last + (beyond > 0 ? beyond : 0) + back;
}

/* Sums of [tokens, C] of a pass over the tensor ranks: of each layer's two bodies in forward, again in backward, and of the embedding. */
static double share_seconds(const heed_forecast_spec *spec, double tokens, double passes) {
  const heed_model_config *model = &spec->config->model;
  const int parts = (int)spec->config->parallel.tensor;
  const double sums = passes * (double)(4 * model->layers + 1), bytes = tokens / passes * (double)model->hidden * sizeof(float);
  return parts > 1 ? sums * 2 * heed_network_half(&spec->tensor, parts, bytes) : 0;
}

static double checkpoint_seconds(const heed_forecast_spec *spec, const heed_run_plan *plan, int ranks) {
  const double bytes = (double)plan->checkpoint_bytes;
  const double gathered = ranks > 1 ? gathered_share(spec->config) * bytes * (ranks - 1) / ranks / spec->network.bandwidth : 0;
  return spec->checkpoint_rate > 0 ? gathered + bytes / spec->checkpoint_rate : 0;
}

/* Times that something is due after every `every` steps and at the end; 0: only then. */
static double occasions(int64_t steps, int64_t every) {
  return every > 0 ? (double)((steps + every - 1) / every) : 1;
}

double heed_forecast_evaluations(const heed_config *config) {
  const heed_evaluate_config *evaluate = &config->evaluate;
  return config->data.validation_count > 0 && evaluate->every_steps > 0
             ? occasions(config->train.steps, evaluate->every_steps) * (double)evaluate->batches
             : 0;
}

static double run_seconds(const heed_config *config, const heed_forecast *f) {
  const int64_t steps = config->train.steps;
  const double saves = config->checkpoint.background ? 1 : occasions(steps, config->checkpoint.every_steps); /* that training waits for */
  return (double)steps * f->step + saves * f->checkpoint + heed_forecast_evaluations(config) * FORWARD * f->compute;
}

heed_forecast heed_forecast_make(const heed_forecast_spec *spec, const heed_run_plan *plan, int ranks) {
  const heed_rates *rates = &spec->rates;
  const heed_config *config = spec->config;
  const int parts = (int)config->parallel.tensor, data = ranks / parts;
  const double tokens = (double)(config->train.batch_sequences * config->train.sequence_length), own = tokens / data;
  const double passes = (double)(plan->slices / plan->slices_at_once), layers = (double)config->model.layers * rates->layer / parts;
  heed_forecast f = {.optimizer = spec->slowdown * (double)plan->part / data * rates->optimizer,
                     .shares = share_seconds(spec, own, passes)};
  f.compute = spec->slowdown * (own * (rates->rest / parts + layers) + (passes - 1) * (double)plan->gradients * rates->add);
  add_exchange(&f, spec, plan, data, spec->slowdown * BACKWARD * own / passes * layers);
  f.step = f.compute + f.optimizer + f.shares + f.exposed;
  f.tokens_per_second = tokens / f.step;
  f.network_share = (f.shares + f.exposed) / f.step;
  f.checkpoint = checkpoint_seconds(spec, plan, data);
  f.run = run_seconds(config, &f);
  return f;
}

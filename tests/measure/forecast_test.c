/* Time from rates, at numbers that can be worked out by hand. */
#include "measure/forecast.h"

#include <math.h>
#include <stdbool.h>

#include "test.h"

static bool close_to(double a, double b) {
  return fabs(a - b) <= 1e-9 * fabs(b) + 1e-15;
}

/* 1,000 tokens a step and 10 layers; 1 ms a token: 10 · 90 µs and 100 µs. */
static heed_config config = {.model = {.layers = 10},
                             .train = {.steps = 100, .sequence_length = 10, .batch_sequences = 100, .slices = 8},
                             .parallel = {.tensor = 1},
                             .checkpoint = {.every_steps = 30, .background = false},
                             .evaluate = {.every_steps = 40, .batches = 2}};
static const heed_rates rates = {.layer = 90e-6, .rest = 100e-6, .optimizer = 1e-9, .add = 2e-9, .copy = 1e-10, .threads = 1, .ranks = 1};

/* 100 million parameters, of which 20 million are embeddings' and tied. */
static heed_run_plan plan_of(int64_t slices, int64_t at_once) {
  return (heed_run_plan){.parameters = 100000000,
                         .part = 100000000,
                         .memory = {.common = 400000000},
                         .gradients = 120000000,
                         .last_gradients = 20000000,
                         .slices = slices,
                         .slices_at_once = at_once,
                         .checkpoint_bytes = 1200000000};
}

static void one_rank_exchanges_nothing(void) {
  heed_forecast_spec spec = {.config = &config, .rates = rates, .network = {1, 1}, .slowdown = 1};
  heed_run_plan plan = plan_of(8, 8);
  heed_forecast f = heed_forecast_make(&spec, &plan, 1);
  CU_ASSERT(close_to(f.compute, 1));
  CU_ASSERT(close_to(f.optimizer, 0.1));
  CU_ASSERT(close_to(f.step, 1.1));
  CU_ASSERT(close_to(f.tokens_per_second, 1000 / 1.1));
  CU_ASSERT_EQUAL(f.exchange, 0);
  CU_ASSERT_EQUAL(f.exposed, 0);
  CU_ASSERT_EQUAL(f.network_share, 0);
  CU_ASSERT_EQUAL(f.checkpoint, 0);
  CU_ASSERT(close_to(f.run, 110));
}

/* Four passes: their three sums of 120 million gradients; half as fast; four checkpoints at steps 30, 60, 90 and 100, of 6 s each. */
static void passes_and_checkpoints_count(void) {
  heed_forecast_spec spec = {.config = &config, .rates = rates, .network = {1, 1}, .slowdown = 2, .checkpoint_rate = 200e6};
  heed_run_plan plan = plan_of(8, 2);
  heed_forecast f = heed_forecast_make(&spec, &plan, 1);
  CU_ASSERT(close_to(f.compute, 2 * (1 + 3 * 0.24)));
  CU_ASSERT(close_to(f.optimizer, 0.2));
  CU_ASSERT(close_to(f.checkpoint, 6));
  CU_ASSERT(close_to(f.run, 100 * f.step + 4 * 6));
}

/* In the background but for the last one. */
static void saves_in_the_background_are_not_waited_for(void) {
  heed_config beside = config;
  beside.checkpoint.background = true;
  heed_forecast_spec spec = {.config = &beside, .rates = rates, .network = {1, 1}, .slowdown = 1, .checkpoint_rate = 200e6};
  heed_run_plan plan = plan_of(8, 8);
  heed_forecast f = heed_forecast_make(&spec, &plan, 1);
  CU_ASSERT(close_to(f.run, 100 * f.step + 6));
}

/* Two batches at steps 40, 80 and 100, forward alone. */
static void evaluations_count(void) {
  char *validation[] = {"validation.h5"};
  heed_config with = config;
  heed_forecast_spec spec = {.config = &with, .rates = rates, .network = {1, 1}, .slowdown = 1};
  heed_run_plan plan = plan_of(8, 8);
  with.data.validation = validation;
  with.data.validation_count = 1;
  heed_forecast f = heed_forecast_make(&spec, &plan, 1);
  CU_ASSERT(close_to(f.run, 110 + 3 * 2 / 3.0));
}

/* In bf16 half as much returns, and a checkpoint's weights come from their owners too. */
static void less_returns_in_bf16(void) {
  heed_config bf16 = config;
  heed_forecast_spec spec = {.config = &bf16, .rates = rates, .network = {0, 1e9}, .slowdown = 1, .checkpoint_rate = 200e6};
  heed_run_plan plan = plan_of(2, 2);
  bf16.train.precision = HEED_BF16;
  plan.memory.common = 200000000;
  heed_forecast f = heed_forecast_make(&spec, &plan, 4);
  CU_ASSERT(close_to(f.exchange, 0.36 + 0.15));
  CU_ASSERT(close_to(f.checkpoint, 6 + 0.9)); /* ¾ of all 1,200 MB */
}

/* Four ranks: ¾ of 480 MB summed, of 400 MB returned.  Of the sum 80 MB are the embeddings'; ¾ of 400 MB hide behind ⅔ · 0.225 s. */
static void backward_hides_what_it_can(void) {
  heed_forecast_spec spec = {.config = &config, .rates = rates, .network = {0, 1e9}, .slowdown = 1, .checkpoint_rate = 200e6};
  heed_run_plan plan = plan_of(2, 2);
  heed_forecast f = heed_forecast_make(&spec, &plan, 4);
  CU_ASSERT(close_to(f.compute, 0.25));
  CU_ASSERT(close_to(f.optimizer, 0.025));
  CU_ASSERT(close_to(f.exchange, 0.36 + 0.3));
  CU_ASSERT(close_to(f.exposed, 0.06 + (0.3 - 0.15) + 0.3));
  CU_ASSERT(close_to(f.step, 0.25 + 0.025 + 0.51));
  CU_ASSERT(close_to(f.network_share, 0.51 / 0.785));
  CU_ASSERT(close_to(f.checkpoint, 6 + 0.6)); /* ¾ of the moments' 800 MB come from other ranks */
  spec.network = (heed_network){0, 1e12};     /* a network that is fast enough: all of that is hidden */
  f = heed_forecast_make(&spec, &plan, 4);
  CU_ASSERT(close_to(f.exposed, 0.06e-3 + 0.3e-3));
  spec.network = (heed_network){1e-3, 1e12}; /* log₂4 messages for the sum of the last and for the return */
  f = heed_forecast_make(&spec, &plan, 4);
  CU_ASSERT(close_to(f.exposed, 2e-3 + 0.06e-3 + 2e-3 + 0.3e-3));
}

/* 0.1 ns a byte copied, and of each second byte's float 2 ns. */
static void memory_is_a_network(void) {
  heed_network network = heed_forecast_shared_memory(&rates);
  CU_ASSERT(close_to(1 / network.bandwidth, 0.1e-9 + 0.25e-9));
  CU_ASSERT(network.latency > 0 && network.latency < 1e-4);
}

static void layers_and_rest_are_told_apart(void) {
  heed_rates r = {0};
  heed_rates_split(&r, (int64_t[]){1, 3}, (double[]){0.5, 0.9}, 1000);
  CU_ASSERT(close_to(r.layer, 0.2e-3));
  CU_ASSERT(close_to(r.rest, 0.3e-3));
  heed_rates_split(&r, (int64_t[]){4, 4}, (double[]){0.8, 0.8}, 1000); /* a whole step */
  CU_ASSERT(close_to(r.layer, 0.2e-3));
  CU_ASSERT_EQUAL(r.rest, 0);
  heed_rates_split(&r, (int64_t[]){1, 3}, (double[]){0.2, 0.9}, 1000); /* no rest is left: all is the layers' */
  CU_ASSERT(close_to(r.layer, 0.3e-3));
  CU_ASSERT_EQUAL(r.rest, 0);
  heed_rates_split(&r, (int64_t[]){1, 2}, (double[]){0.9, 0.8}, 1000); /* disturbed */
  CU_ASSERT(close_to(r.layer, 0.4e-3));
  CU_ASSERT_EQUAL(r.rest, 0);
}

/* Two ranks that share each layer: half the work and half the parameters each; 41 sums of 1,000 tokens of 1,000 channels, 4 MB, of which
 * half goes to the other rank and half comes back. */
static void parts_of_a_model_share_the_work(void) {
  heed_config two = config;
  two.parallel.tensor = 2;
  two.model.hidden = 1000;
  heed_forecast_spec spec = {.config = &two, .rates = rates, .network = {1, 1}, .tensor = {0, 1e9}, .slowdown = 1};
  heed_run_plan plan = plan_of(8, 8);
  plan.part = 50000000;
  heed_forecast f = heed_forecast_make(&spec, &plan, 2);
  CU_ASSERT(close_to(f.compute, 0.5));
  CU_ASSERT(close_to(f.optimizer, 0.05));
  CU_ASSERT(close_to(f.shares, 41 * 2 * 0.002));
  CU_ASSERT_EQUAL(f.exposed, 0);
  CU_ASSERT(close_to(f.step, 0.5 + 0.05 + 0.164));
}

HEED_TESTS({"one rank exchanges nothing", one_rank_exchanges_nothing}, {"passes and checkpoints count", passes_and_checkpoints_count},
           {"saves in the background are not waited for", saves_in_the_background_are_not_waited_for},
           {"evaluations count", evaluations_count}, {"backward hides what it can", backward_hides_what_it_can},
           {"less returns in bf16", less_returns_in_bf16}, {"parts of a model share the work", parts_of_a_model_share_the_work},
           {"memory is a network", memory_is_a_network}, {"layers and rest are told apart", layers_and_rest_are_told_apart})

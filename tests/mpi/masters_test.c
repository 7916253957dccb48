/* Masters of a shard alone: updates have the bits of a run that has all of them, forward reads the same on every rank, and a rank takes
 * memory for its share.
 * ranks: 1 2 3 4 */
#include "train/masters.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "mpi/ranks.h"
#include "train/optimizer.h"

enum { STEPS = 4, SKIPPED = 2, SEED = 11 };

/* Tensors that are no multiples of anything, of one dimension and of more. */
static const heed_parameter specs[] = {
    {.name = "a", .rank = 2, .shape = {301, 67}, .initialisation = HEED_INIT_NORMAL, .deviation = 0.02f, .decay = true},
    {.name = "a.bias", .rank = 1, .shape = {67}},
    {.name = "a.norm", .rank = 1, .shape = {67}, .initialisation = HEED_INIT_ONES},
    {.name = "b", .rank = 3, .shape = {5, 7, 501}, .initialisation = HEED_INIT_TRUNCATED_NORMAL, .deviation = 0.1f, .decay = true},
    {.name = "c", .rank = 1, .shape = {9001}, .initialisation = HEED_INIT_NORMAL, .deviation = 0.02f},
    {.name = "d", .rank = 2, .shape = {131, 133}, .initialisation = HEED_INIT_NORMAL, .deviation = 0.02f, .decay = true}};

static heed_parameter_table table_of(const heed_parameter *items, size_t count) {
  heed_parameter_table table = {0};
  for (size_t i = 0; i < count; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&table, &items[i], NULL), HEED_OK);
  return table;
}

static heed_optimizer_config config_of(heed_optimizer_name name) {
  return (heed_optimizer_config){
      .name = name, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1, .clip_norm = 1, .bias_correction = true};
}

/* A run: of masters in shards, or of whole ones in a process by itself. */
typedef struct trained {
  heed_optimizer *optimizer;
  heed_masters masters;
  float *gradients;
  heed_communication *communication;
} trained;

static void start(trained *t, const heed_parameter_table *table, const heed_optimizer_config *config, const heed_kernels *kernels,
                  heed_communication *c) {
  t->communication = c;
  CU_ASSERT_EQUAL_FATAL(heed_optimizer_create(&t->optimizer, table, config, kernels, c), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_masters_create(&t->masters, heed_optimizer_chunks(t->optimizer), kernels, c), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(c->allocate(c, &t->gradients, table->gradient_total), HEED_OK);
}

static void finish(trained *t) {
  t->communication->release(t->communication, t->gradients);
  heed_masters_free(&t->masters);
  heed_optimizer_free(t->optimizer);
}

/* All of the gradient is rank 0's. */
static bool step(trained *t, int number) {
  const int64_t total = heed_optimizer_chunks(t->optimizer)->table->total;
  for (int64_t i = 0; i < total; i++)
    t->gradients[i] = t->communication->rank > 0 ? 0 : number == SKIPPED && i == 21000 ? NAN : 0.01f + (float)((i * 37 + number) % 101);
  heed_optimizer_sum_finish(t->optimizer, t->gradients);
  return heed_optimizer_update(t->optimizer, &t->masters, t->gradients, 7, 1e-3, number + 1).skipped;
}

static int64_t wrong_masters(const trained *t, const float *want) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < world->run_count; i++) {
    const heed_shard_run *run = &world->runs[i];
    wrong += memcmp(t->masters.shard + run->at, want + run->first, (size_t)(run->end - run->first) * sizeof *want) != 0;
  }
  return wrong;
}

/* What forward reads, and that there are no floats of the rest. */
static int64_t wrong_views(const trained *t, const float *want, const heed_kernels *bf16) {
  const heed_parameter_table *table = t->masters.chunks->table;
  int64_t wrong = 0;
  for (int64_t tensor = 0; tensor < table->count; tensor++) {
    const heed_parameter *p = &table->items[tensor];
    for (int64_t i = p->offset; i < p->offset + p->count; i++) {
      uint16_t element;
      bf16->narrow(&element, want + i, 1);
      wrong += p->rank == 1 ? memcmp(&t->masters.values[i], &want[i], sizeof *want) != 0
                            : ((const uint16_t *)t->masters.elements)[i] != element || t->masters.values[i] != 0;
    }
  }
  return wrong;
}

static void compare(heed_optimizer_name name) {
  const heed_kernels *fp32 = heed_kernels_choose(NULL);
  const heed_optimizer_config config = config_of(name);
  heed_parameter_table table = table_of(specs, sizeof specs / sizeof *specs);
  trained whole, parts;
  start(&whole, &table, &config, fp32, heed_alone());
  start(&parts, &table, &config, fp32->bf16, world);
  heed_masters_initialise(&whole.masters, SEED);
  heed_masters_initialise(&parts.masters, SEED);
  for (int i = 0; i <= STEPS; i++) {
    CU_ASSERT_EQUAL(wrong_masters(&parts, whole.masters.values), 0);
    CU_ASSERT_EQUAL(wrong_views(&parts, whole.masters.values, fp32->bf16), 0);
    if (i == STEPS)
      break;
    CU_ASSERT_EQUAL(step(&whole, i), i == SKIPPED);
    CU_ASSERT_EQUAL(step(&parts, i), i == SKIPPED);
  }
  whole.masters.values[30000] += 1; /* a test of the test */
  const double found = (double)(wrong_masters(&parts, whole.masters.values) + wrong_views(&parts, whole.masters.values, fp32->bf16));
  CU_ASSERT(found > 0);
  finish(&parts);
  finish(&whole);
  heed_parameters_free(&table);
}

static void updates_have_the_bits_of_whole_masters(void) {
  static const char *const nears[] = {"64", "1", "2"};
  for (int i = 0; i < 3; i++) {
    set_near(nears[i]);
    compare(HEED_ADAMW);
    compare(HEED_LAMB);
  }
}

/* Masters that are changed from outside, as by a load. */
static void what_is_taken_is_read(void) {
  const heed_kernels *bf16 = heed_kernels_choose(NULL)->bf16;
  const heed_optimizer_config config = config_of(HEED_ADAMW);
  heed_parameter_table table = table_of(specs, sizeof specs / sizeof *specs);
  float *want = calloc((size_t)table.total, sizeof *want);
  trained t;
  start(&t, &table, &config, bf16, world);
  for (int64_t i = 0; i < table.total; i++)
    want[i] = uneven(5, i);
  for (int64_t r = 0; r < world->run_count; r++)
    for (int64_t i = world->runs[r].first; i < world->runs[r].end; i++)
      t.masters.shard[world->runs[r].at + (i - world->runs[r].first)] = want[i];
  heed_masters_take(&t.masters);
  CU_ASSERT_EQUAL(wrong_views(&t, want, bf16), 0);
  finish(&t);
  free(want);
  heed_parameters_free(&table);
}

/* 12 million weights: masters and moments by their share, what forward reads once, and of the others' what is copied from them. */
static void a_rank_takes_its_share_of_memory(void) {
#ifndef __SANITIZE_ADDRESS__
  enum { MIB = 1 << 20, LAYERS = 3 };
  static heed_parameter layers[2 * LAYERS];
  const heed_kernels *bf16 = heed_kernels_choose(NULL)->bf16;
  const heed_optimizer_config config = config_of(HEED_ADAMW);
  for (int i = 0; i < LAYERS; i++) {
    layers[2 * i] = (heed_parameter){.rank = 2, .shape = {2000, 2000}, .initialisation = HEED_INIT_NORMAL, .deviation = 1};
    layers[2 * i + 1] = (heed_parameter){.rank = 1, .shape = {2000}};
    snprintf(layers[2 * i].name, sizeof layers->name, "%d.weight", i);
    snprintf(layers[2 * i + 1].name, sizeof layers->name, "%d.bias", i);
  }
  heed_parameter_table table = table_of(layers, 2 * LAYERS);
  trained t;
  set_near("64");
  world->barrier(world);
  const size_t before = heed_memory_resident();
  start(&t, &table, &config, bf16, world);
  const size_t gradients = (size_t)table.gradient_total * sizeof(float), common = heed_masters_common_bytes(&table, bf16);
  heed_masters_initialise(&t.masters, SEED);
  heed_optimizer_update(t.optimizer, &t.masters, t.gradients, 1, 1e-3, 1);
  const double taken = (double)(heed_memory_resident() - before - gradients) / MIB, ranks = world->size;
  const double floats = (double)table.total * sizeof(float) / MIB, read = (double)common / MIB * (2 - 1 / ranks);
  if (world->rank == 0)
    printf("%.1f MiB, of them masters and moments %.1f of %.1f  ", taken, taken - read, 3 * floats);
  CU_ASSERT(fabs((taken - read) - 3 * floats / ranks) < 0.05 * 3 * floats / ranks + 8);
  finish(&t);
  heed_parameters_free(&table);
#endif
}

HEED_RANK_TESTS({"updates have the bits of whole masters", updates_have_the_bits_of_whole_masters},
                {"what is taken is read", what_is_taken_is_read}, {"a rank takes its share of memory", a_rank_takes_its_share_of_memory})

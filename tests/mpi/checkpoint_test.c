/* Checkpoints hold no trace of the ranks that saved them, and what fails on one rank fails on all.
 * ranks: 1 2 4 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "checkpoint/file.h"
#include "heed/checkpoint.h"
#include "mpi/ranks.h"
#include "mpi/state_hash.h"

static heed_parameter_table table;
static char folder[64], run[96];

static heed_communication *begin(void) {
  const heed_parameter specs[] = {{.name = "a.weight", .rank = 2, .shape = {301, 67}},
                                  {.name = "a.bias", .rank = 1, .shape = {67}},
                                  {.name = "b", .rank = 3, .shape = {5, 7, 500}}};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&table, &specs[i], NULL), HEED_OK);
  strcpy(folder, "/tmp/heed-ranks-XXXXXX");
  if (world->rank == 0)
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  world->broadcast(world, folder, sizeof folder);
  snprintf(run, sizeof run, "%s/run", folder);
  int64_t *cuts, count;
  CU_ASSERT_EQUAL_FATAL(heed_parameters_cuts(&table, &cuts, &count), HEED_OK);
  const int64_t edges[] = {0, cuts[2], cuts[count - 1]};
  CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count, edges, 2), HEED_OK);
  heed_alone()->shard(heed_alone(), cuts, count, edges, 2);
  free(cuts);
  return heed_alone();
}

static void end(void) {
  world->barrier(world);
  if (world->rank == 0)
    heed_tree_remove(AT_FDCWD, folder);
  heed_parameters_free(&table);
}

/* The whole parameters, and this table's shards of both moments. */
static heed_checkpoint_tensors make_tensors(const heed_communication *c) {
  size_t mine = (size_t)c->shard_floats + 1;
  return (heed_checkpoint_tensors){.table = &table,
                                   .parameters = calloc((size_t)table.total, sizeof(float)),
                                   .moments = 2,
                                   .moment_names = {"m", "v"},
                                   .moment_shards = {calloc(mine, sizeof(float)), calloc(mine, sizeof(float))}};
}

static void free_tensors(heed_checkpoint_tensors *tensors) {
  free(tensors->parameters);
  free(tensors->moment_shards[0]);
  free(tensors->moment_shards[1]);
}

static void fill(const heed_communication *c, const heed_checkpoint_tensors *tensors) {
  for (int64_t i = 0; i < table.total; i++)
    tensors->parameters[i] = uneven(1, i);
  for (int m = 0; m < 2; m++)
    for (int64_t r = 0; r < c->run_count; r++)
      for (int64_t i = c->runs[r].first; i < c->runs[r].end; i++)
        tensors->moment_shards[m][c->runs[r].at + (i - c->runs[r].first)] = uneven(2 + m, i);
}

static int64_t wrong(const heed_communication *c, const heed_checkpoint_tensors *tensors) {
  int64_t count = 0;
  for (int64_t i = 0; i < table.total; i++)
    count += tensors->parameters[i] != uneven(1, i);
  for (int m = 0; m < 2; m++)
    for (int64_t r = 0; r < c->run_count; r++)
      for (int64_t i = c->runs[r].first; i < c->runs[r].end; i++)
        count += tensors->moment_shards[m][c->runs[r].at + (i - c->runs[r].first)] != uneven(2 + m, i);
  return count;
}

static heed_status save(heed_checkpoint_store *store, int64_t step, const heed_checkpoint_tensors *tensors) {
  char config[] = "config", vocabulary[] = "[PAD]\n";
  heed_checkpoint_info info = {
      .step = step, .validation_loss = NAN, .isa = "v3", .blas = "Haswell", .config = config, .vocabulary = vocabulary};
  return heed_checkpoint_save(store, &info, tensors);
}

/* All ranks have the status and the text of rank 0. */
static void check_agreed(heed_status status, heed_status expected) {
  char text[256] = "";
  CU_ASSERT_EQUAL(status, expected);
  snprintf(text, sizeof text, "%s", heed_error_text());
  world->broadcast(world, text, sizeof text);
  CU_ASSERT_EQUAL(strncmp(text, heed_error_text(), sizeof text - 1), 0);
}

static void ranks_leave_no_trace(void) {
  heed_communication *alone = begin();
  heed_checkpoint_store *store, *own;
  heed_checkpoint_tensors ours = make_tensors(world), whole = make_tensors(alone);
  char *path = NULL, *again = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_store_open(&store, run, 2, world), HEED_OK);
  CU_ASSERT_TRUE(heed_checkpoint_store_is_empty(store));
  fill(world, &ours);
  CU_ASSERT_EQUAL_FATAL(save(store, 40, &ours), HEED_OK);
  CU_ASSERT_FALSE(heed_checkpoint_store_is_empty(store));
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_newest(store, &path), HEED_OK);
  CU_ASSERT_PTR_NOT_NULL_FATAL(path);
  free_tensors(&ours);
  ours = make_tensors(world);
  CU_ASSERT_EQUAL(heed_checkpoint_load(path, &ours, world), HEED_OK); /* on as many ranks */
  CU_ASSERT_EQUAL(wrong(world, &ours), 0);
  CU_ASSERT_EQUAL(heed_checkpoint_load(path, &whole, alone), HEED_OK); /* on one: each rank for itself */
  CU_ASSERT_EQUAL(wrong(alone, &whole), 0);
  if (world->rank == 0) { /* saved on one rank: the same bytes, so what was saved on any number is loaded on any other */
    char other[128];
    snprintf(other, sizeof other, "%s/other", folder);
    CU_ASSERT_EQUAL_FATAL(heed_checkpoint_store_open(&own, other, 2, alone), HEED_OK);
    CU_ASSERT_EQUAL_FATAL(save(own, 40, &whole), HEED_OK);
    CU_ASSERT_EQUAL_FATAL(heed_checkpoint_newest(own, &again), HEED_OK);
    CU_ASSERT_EQUAL(state_hash(path), state_hash(again));
    heed_checkpoint_store_close(own);
  }
  free(path);
  free(again);
  free_tensors(&ours);
  free_tensors(&whole);
  heed_checkpoint_store_close(store);
  end();
}

static void one_failure_is_everybodys(void) {
  begin();
  heed_checkpoint_store *store, *second;
  heed_checkpoint_tensors ours = make_tensors(world);
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_store_open(&store, run, 2, world), HEED_OK);
  fill(world, &ours);
  CU_ASSERT_EQUAL(save(store, 1, &ours), HEED_OK);
  for (int failing = 0; failing < world->size; failing++) {
    heed_failpoint_set(world->rank == failing ? "save.begin:1:error" : NULL);
    check_agreed(save(store, 2, &ours), HEED_IO);
  }
  for (int place = HEED_AT_SAVE_FOLDER; place <= HEED_AT_SAVE_PARENT_SYNC; place++) {
    char spec[64];
    snprintf(spec, sizeof spec, "%s:1:error", heed_failpoint_names[place]);
    heed_failpoint_set(world->rank == 0 ? spec : NULL);
    check_agreed(save(store, 2, &ours), HEED_IO);
    char *path;
    CU_ASSERT_EQUAL(heed_checkpoint_newest(store, &path), HEED_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    CU_ASSERT_PTR_NOT_NULL(strstr(path, "step-00000001"));
    free(path);
  }
  heed_failpoint_set(world->rank == 0 ? "load.piece:4:error" : NULL);
  check_agreed(heed_checkpoint_load(run, &ours, world), HEED_IO);
  heed_failpoint_set(NULL);
  check_agreed(heed_checkpoint_load(folder, &ours, world), HEED_INVALID);
  check_agreed(heed_checkpoint_store_open(&second, run, 2, world), HEED_INVALID);
  heed_failpoint_set(world->rank == world->size - 1 ? "store.open:1:error" : NULL);
  check_agreed(heed_checkpoint_store_open(&second, folder, 2, world), HEED_IO);
  CU_ASSERT_PTR_NULL(second);
  ours.moments = world->rank == world->size - 1 ? 9 : 2;
  check_agreed(save(store, 2, &ours), HEED_INVALID);
  ours.moments = 2;
  CU_ASSERT_EQUAL(save(store, 2, &ours), HEED_OK);
  heed_checkpoint_store_close(store);
  free_tensors(&ours);
  end();
}

HEED_RANK_TESTS({"ranks leave no trace", ranks_leave_no_trace}, {"one failure is everybody's", one_failure_is_everybodys})

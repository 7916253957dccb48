/* Checkpoints hold whole tensors, however many parts they were saved from: the same bytes, which load into any other number of parts.
 * ranks: 1 2 4 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/file.h"
#include "heed/checkpoint.h"
#include "mpi/ranks.h"
#include "mpi/state_hash.h"

enum { MOMENTS = 2, BLOCKS = MOMENTS + 1 };

/* Split along the first axis and along the second, in three runs, in parts that are not alike, and not at all; of less than a piece of
 * 2²⁰ elements and of more. */
static const heed_parameter specs[] = {
    {.name = "rows", .rank = 2, .shape = {1203, 1024}, .shard_axis = 0},
    {.name = "columns", .rank = 2, .shape = {1100, 1030}, .shard_axis = 1},
    {.name = "runs", .rank = 2, .shape = {3 * 70, 33}, .shard_axis = 0, .shard_runs = 3},
    {.name = "runs.bias", .rank = 1, .shape = {3 * 70}, .shard_axis = 0, .shard_runs = 3},
    {.name = "whole", .rank = 2, .shape = {300, 701}, .shard_axis = -1},
    {.name = "whole.bias", .rank = 1, .shape = {7}, .shard_axis = -1},
    {.name = "middle", .rank = 3, .shape = {5, 9, 11}, .shard_axis = 1},
    {.name = "last", .rank = 1, .shape = {4}, .shard_axis = 0},
};
enum { TENSORS = sizeof specs / sizeof *specs };

/* One rank's blocks. */
typedef struct blocks {
  heed_parameter_table table;
  heed_checkpoint_tensors tensors;
} blocks;

static char folder[64];

static void divide(blocks *b, int parts, bool sharded) {
  *b = (blocks){0};
  CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, parts), HEED_OK);
  heed_communication *data = world->data;
  b->table.parts = parts;
  b->table.part = world->tensor->rank;
  for (int i = 0; i < TENSORS; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&b->table, &specs[i], NULL), HEED_OK);
  int64_t *cuts, count;
  CU_ASSERT_EQUAL_FATAL(heed_parameters_cuts(&b->table, &cuts, &count), HEED_OK);
  const int64_t edges[] = {0, cuts[count / 3], cuts[count / 2], cuts[count - 1]};
  CU_ASSERT_EQUAL_FATAL(data->shard(data, cuts, count, edges, 3), HEED_OK);
  free(cuts);
  const size_t shard = (size_t)data->shard_floats + 1, parameters = sharded ? shard : (size_t)b->table.total;
  b->tensors = (heed_checkpoint_tensors){.table = &b->table,
                                         .parameters = calloc(parameters, sizeof(float)),
                                         .parameters_sharded = sharded,
                                         .moments = MOMENTS,
                                         .moment_names = {"m", "v"},
                                         .moment_shards = {calloc(shard, sizeof(float)), calloc(shard, sizeof(float))}};
}

static void clean(blocks *b) {
  free(b->tensors.parameters);
  free(b->tensors.moment_shards[0]);
  free(b->tensors.moment_shards[1]);
  heed_parameters_free(&b->table);
}

/* What element `at` of a part is in the whole tensor: written by itself, coordinate by coordinate. */
static int64_t whole_element(const heed_parameter *p, int parts, int part, int64_t at) {
  const int axis = p->shard_axis;
  if (axis < 0)
    return at;
  const int64_t runs = p->shard_runs > 0 ? p->shard_runs : 1, run = p->shape[axis] / runs;
  const int64_t begin = run * part / parts, length = run * (part + 1) / parts - begin;
  int64_t inner = 1;
  for (int i = axis + 1; i < p->rank; i++)
    inner *= p->shape[i];
  const int64_t column = at % inner, row = at / inner % (runs * length), outer = at / inner / (runs * length);
  return (outer * p->shape[axis] + row / length * run + begin + row % length) * inner + column;
}

/* The value of element `at` of this rank's flat block: it tells block, tensor and place in the whole. */
static float value_of(const blocks *b, int block, int64_t at) {
  int tensor = 0;
  while (b->table.items[tensor].offset + b->table.items[tensor].count <= at)
    tensor++;
  const heed_parameter *p = &b->table.items[tensor];
  return uneven(block * TENSORS + tensor, whole_element(p, b->table.parts, b->table.part, at - p->offset));
}

/* Fills the blocks, or counts what is not as it was filled. */
static int64_t go_over(blocks *b, bool fills) {
  int64_t wrong = 0;
  for (int block = 0; block < BLOCKS; block++) {
    const bool sharded = block > 0 || b->tensors.parameters_sharded;
    float *values = block > 0 ? b->tensors.moment_shards[block - 1] : b->tensors.parameters;
    const heed_shard_run all = {0, b->table.total, 0}, *runs = sharded ? world->data->runs : &all;
    for (int64_t r = 0; r < (sharded ? world->data->run_count : 1); r++)
      for (int64_t i = runs[r].first; i < runs[r].end; i++) {
        float *value = &values[runs[r].at + i - runs[r].first];
        if (fills)
          *value = value_of(b, block, i);
        wrong += *value != value_of(b, block, i);
      }
  }
  return wrong;
}

/* Saves from so many parts; gives the checkpoint's folder, to be freed. */
static char *save(int parts, bool sharded) {
  char run[96], config[] = "config", vocabulary[] = "[PAD]\n", *path = NULL;
  heed_checkpoint_info info = {
      .step = 3, .validation_loss = NAN, .isa = "v3", .blas = "Haswell", .config = config, .vocabulary = vocabulary};
  heed_checkpoint_store *store;
  blocks b;
  snprintf(run, sizeof run, "%s/parts-%d-%d", folder, parts, sharded);
  divide(&b, parts, sharded);
  go_over(&b, true);
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_store_open(&store, run, 2, world), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_save(store, &info, &b.tensors), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_newest(store, &path), HEED_OK);
  heed_checkpoint_store_close(store);
  clean(&b);
  return path;
}

static void load(const char *path, int parts, bool sharded) {
  blocks b;
  divide(&b, parts, sharded);
  CU_ASSERT_EQUAL(heed_checkpoint_load(path, &b.tensors, world), HEED_OK);
  CU_ASSERT_EQUAL(go_over(&b, false), 0);
  clean(&b);
}

static void parts_leave_no_trace(void) {
  uint64_t first = 0;
  for (int parts = 1; parts <= world->size; parts *= 2)
    for (int sharded = 0; sharded <= 1; sharded++) {
      char *path = save(parts, sharded);
      CU_ASSERT_PTR_NOT_NULL_FATAL(path);
      const uint64_t hash = state_hash(path);
      first = first ? first : hash;
      CU_ASSERT_EQUAL(hash, first);
      for (int others = 1; !sharded && others <= world->size; others *= 2) /* what is in the file is the same */
        load(path, others, (parts + others) % 3 == 0);
      free(path);
    }
}

static void one_process_reads_it(void) {
  char *path = save(world->size, true);
  heed_communication *alone = heed_alone();
  blocks b = {0};
  int64_t wrong = 0;
  for (int i = 0; i < TENSORS; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&b.table, &specs[i], NULL), HEED_OK);
  b.tensors = (heed_checkpoint_tensors){.table = &b.table, .parameters = calloc((size_t)b.table.total, sizeof(float))};
  CU_ASSERT_EQUAL(heed_checkpoint_load(path, &b.tensors, alone), HEED_OK);
  for (int i = 0; i < TENSORS; i++)
    for (int64_t j = 0; j < b.table.items[i].count; j++)
      wrong += b.tensors.parameters[b.table.items[i].offset + j] != uneven(i, j);
  CU_ASSERT_EQUAL(wrong, 0);
  clean(&b);
  free(path);
}

/* A table of other parts than the ranks hold would be loaded wrongly. */
static void a_table_of_other_parts_is_refused(void) {
  blocks b;
  char *path = save(1, false);
  divide(&b, 1, false);
  b.table.parts = 2;
  CU_ASSERT_EQUAL(heed_checkpoint_load(path, &b.tensors, world), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "part 0 of 2"));
  clean(&b);
  free(path);
}

static void begin(void) {
  strcpy(folder, "/tmp/heed-parts-XXXXXX");
  if (world->rank == 0)
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  world->broadcast(world, folder, sizeof folder);
}

static void end(void) {
  world->barrier(world);
  if (world->rank == 0)
    CU_ASSERT_TRUE(heed_tree_remove(AT_FDCWD, folder));
}

HEED_RANK_TESTS({"begins", begin}, {"parts leave no trace", parts_leave_no_trace}, {"one process reads it", one_process_reads_it},
                {"a table of other parts is refused", a_table_of_other_parts_is_refused}, {"cleans up", end})

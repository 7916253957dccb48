/* Whether the exchange of src/comm, run by the simulator, gives the bits of the serial tree: real additions over small blocks, one leaf a
 * rank.  Exits 1 if an element of a shard, or of what comes back, differs. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/world.h"
#include "heed/parameters.h"
#include "mpi/serial_tree.h"

static heed_communication *world;

/* Tensors of uneven sizes; some are shorter than a chunk. */
static heed_status build(heed_parameter_table *table) {
  static const int64_t sizes[] = {HEED_CHUNK * 70 + 13, 77, 5, HEED_CHUNK * 20, 1, HEED_CHUNK * 9 + 4095, 300};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    heed_parameter tensor = {.rank = 1, .shape = {sizes[i]}, .shard_axis = -1};
    snprintf(tensor.name, sizeof tensor.name, "tensor %zu", i);
    HEED_TRY(heed_parameters_add(table, &tensor, NULL));
  }
  return HEED_OK;
}

/* Buckets of some 13 chunks. */
static heed_status divide(const heed_parameter_table *table) {
  enum { BUCKETS = 8 };
  int64_t *cuts, count, edges[BUCKETS + 1];
  HEED_TRY(heed_parameters_cuts(table, &cuts, &count));
  for (int i = 0; i <= BUCKETS; i++)
    edges[i] = cuts[(count - 1) * i / BUCKETS];
  const heed_status status = world->shard(world, cuts, count, edges, BUCKETS);
  free(cuts);
  return status;
}

/* From the end of the block to its beginning, in parts that are no buckets, as backward hands them over. */
static void sum_all(float *data, int64_t count) {
  const int64_t part = HEED_CHUNK * 17 + 5;
  for (int64_t end = count; end > 0; end -= part) {
    const int64_t first = end > part ? end - part : 0;
    world->sum_start(world, data + first, first, end - first);
    world->sum_poll(world);
  }
  world->sum_finish(world);
}

static bool is_mine(int64_t element) {
  for (int64_t i = 0; i < world->run_count; i++)
    if (element >= world->runs[i].first && element < world->runs[i].end)
      return true;
  return false;
}

/* The sums of this rank's shard; then of all that comes back every 101st element, each rank others: all would take long. */
static int64_t count_wrong(float *data, int64_t count) {
  const int64_t step = 101;
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++)
    data[i] = uneven(world->rank, i);
  sum_all(data, count);
  for (int64_t i = 0; i < count; i++) {
    const float expected = is_mine(i) ? serial_tree(0, world->size, i) : 0;
    wrong += is_mine(i) && memcmp(&expected, &data[i], sizeof expected) != 0;
    data[i] = expected;
  }
  world->allgather_shards(world, &(heed_gathered){.data = data, .bytes = sizeof *data}, 1);
  for (int64_t i = world->rank % step; i < count; i += step) {
    const float expected = serial_tree(0, world->size, i);
    wrong += memcmp(&expected, &data[i], sizeof expected) != 0;
  }
  return wrong;
}

static heed_status check(int64_t *wrong) {
  heed_parameter_table table = {0};
  HEED_TRY(heed_world_open(&world));
  HEED_TRY(build(&table));
  HEED_TRY(divide(&table));
  float *data = malloc((size_t)table.total * sizeof *data);
  HEED_TRY(world->agree(world, data ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a block to sum")));
  *wrong = world->maximum(world, count_wrong(data, table.total));
  if (world->rank == 0)
    printf("ranks %d elements %lld wrong %lld\n", world->size, (long long)table.total, (long long)*wrong);
  free(data);
  heed_parameters_free(&table);
  heed_world_close();
  return HEED_OK;
}

int main(int argc, char **argv) {
  int64_t wrong = 0;
  MPI_Init(&argc, &argv);
  const heed_status status = check(&wrong);
  if (status != HEED_OK)
    fprintf(stderr, "simulated_check: %s\n", heed_error_text());
  MPI_Finalize();
  return status != HEED_OK || wrong > 0;
}

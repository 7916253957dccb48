/* The world divided into data ranks and tensor ranks: each group is a whole table of its own, and `add` has the bits of the serial tree,
 * whether ranks share memory or send messages.
 * ranks: 1 2 4 6 */
#include <stdlib.h>
#include <string.h>

#include "comm/node.h"
#include "mpi/ranks.h"

enum { CHUNK = 4096 };

static const char *const nears[] = {"1", "2", "64"};
enum { NEARS = sizeof nears / sizeof *nears };

/* Divides with so many ranks of a group sharing memory at most. */
static void divide(int size, const char *most) {
  CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, 1), HEED_OK);
  setenv("HEED_NEAR_RANKS", most, 1);
  CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, size), HEED_OK);
}

static void every_rank_has_its_place(void) {
  for (int size = 1; size <= world->size; size++) {
    if (world->size % size)
      continue;
    CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, size), HEED_OK);
    heed_communication *data = world->data, *tensor = world->tensor;
    CU_ASSERT_EQUAL(heed_world_divide(world, size), HEED_OK);
    CU_ASSERT(world->data == data && world->tensor == tensor);
    CU_ASSERT(tensor->size == size && tensor->rank == world->rank % size);
    CU_ASSERT(data->size == world->size / size && data->rank == world->rank / size);
    CU_ASSERT_EQUAL(data == world, size == 1);
    CU_ASSERT_EQUAL(tensor == heed_alone(), size == 1);
    CU_ASSERT_EQUAL(data->maximum(data, world->rank), world->rank % size + (data->size - 1) * size);
    CU_ASSERT_EQUAL(tensor->maximum(tensor, world->rank), world->rank / size * size + size - 1);
    int first = world->rank;
    data->broadcast(data, &first, sizeof first);
    CU_ASSERT_EQUAL(first, world->rank % size);
    double ranks[8] = {0};
    ranks[tensor->rank] = world->rank;
    tensor->allgather(tensor, ranks, 1);
    for (int i = 0; i < size; i++)
      CU_ASSERT_EQUAL(ranks[i], world->rank / size * size + i);
    data->barrier(data);
  }
}

static void refusals_say_what_to_do(void) {
  CU_ASSERT_EQUAL(heed_world_divide(world, 0), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "parallel.tensor is 0; set it to 1"));
  CU_ASSERT_EQUAL(heed_world_divide(world, -2), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_world_divide(world, 5), HEED_INVALID);
  char expected[256];
  snprintf(expected, sizeof expected, "parallel.tensor is 5, which does not divide the job's %d rank%s; use mpirun -n %d or set it to %d",
           world->size, world->size == 1 ? "" : "s", world->size < 5 ? 5 : 10, world->size == 6 ? 3 : world->size);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), expected);
}

/* ---- add ---- */

/* The wrong bits, of all elements, of a sum over the ranks of a table, each of which has the leaf of its number. */
static int64_t wrong_after_add(heed_communication *table, float *data, int64_t count, int64_t salt) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++)
    data[i] = uneven(table->rank, i + salt);
  data[count] = 42;
  table->add(table, data, count);
  for (int64_t i = 0; i < count; i++) {
    const float expected = serial_tree(0, table->size, i + salt);
    wrong += memcmp(&expected, &data[i], sizeof expected) != 0;
  }
  return wrong + (data[count] != 42);
}

static void add_is_the_serial_tree(void) {
  static const int64_t sizes[] = {0, 1, 2, 5, 1023, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, (1 << 19) + 3, (5 << 18) + 77};
  float *block = malloc(((5 << 18) + 78) * sizeof *block);
  for (int size = 1; size <= world->size; size++)
    for (int near = 0; near < NEARS && world->size % size == 0; near++) {
      divide(size, nears[near]);
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        CU_ASSERT_EQUAL(wrong_after_add(world->tensor, block, sizes[s], 1), 0);
        CU_ASSERT_EQUAL(wrong_after_add(world->data, block, sizes[s], 2), 0);
      }
      int64_t wrong = 0; /* one after the other, and of another length each */
      for (int64_t i = 0; i < 50; i++)
        wrong += wrong_after_add(world->tensor, block, 1 + i * i * 31 % 2000, i);
      CU_ASSERT_EQUAL(wrong, 0);
    }
  free(block);
}

/* By the main thread, while the others of a region wait for it. */
static void add_within_a_region(void) {
  float *block = malloc(((1 << 18) + 1) * sizeof *block);
  int64_t wrong = 0;
  divide(world->size, "64");
  heed_communication *tensor = world->tensor;
#pragma omp parallel
  for (int round = 0; round < 3; round++) {
#pragma omp master
    wrong += wrong_after_add(tensor, block, 1 << 18, round);
#pragma omp barrier
  }
  CU_ASSERT_EQUAL(wrong, 0);
  free(block);
}

/* ---- sums and copies within the data ranks ---- */

static bool is_own(const heed_communication *table, int64_t element) {
  for (int64_t i = 0; i < table->run_count; i++)
    if (element >= table->runs[i].first && element < table->runs[i].end)
      return true;
  return false;
}

/* A block of a size of its own in every group, as parts have. */
static void try_block(heed_communication *table, int number) {
  const int64_t chunks = 9 + number, total = chunks * CHUNK - 5;
  int64_t cuts[32], wrong = 0;
  for (int64_t i = 0; i < chunks; i++)
    cuts[i] = i * CHUNK;
  cuts[chunks] = total;
  const int64_t edges[] = {0, 5 * CHUNK, total};
  float *block;
  CU_ASSERT_EQUAL_FATAL(table->shard(table, cuts, chunks + 1, edges, 2), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(table->allocate(table, &block, total), HEED_OK);
  for (int64_t i = 0; i < total; i++)
    wrong += block[i] != 0;
  for (int round = 0; round < 3; round++) {
    for (int64_t i = 0; i < total; i++)
      block[i] = uneven(table->rank, i + number);
    table->sum_start(table, block + 5 * CHUNK, 5 * CHUNK, total - 5 * CHUNK);
    table->sum_start(table, block, 0, 5 * CHUNK);
    table->sum_finish(table);
    for (int64_t i = 0; i < total; i++) {
      const float expected = serial_tree(0, table->size, i + number);
      wrong += is_own(table, i) && memcmp(&expected, &block[i], sizeof expected) != 0;
    }
    table->allgather_shards(table, &(heed_gathered){.data = block, .bytes = sizeof *block}, 1);
    for (int64_t i = 0; i < total; i++) {
      const float expected = serial_tree(0, table->size, i + number);
      wrong += memcmp(&expected, &block[i], sizeof expected) != 0;
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
  table->release(table, block);
}

static void data_ranks_sum_their_part(void) {
  for (int size = 1; size <= world->size; size++)
    for (int near = 0; near < NEARS && world->size % size == 0; near++) {
      divide(size, nears[near]);
      CU_ASSERT(size == 1 || near > 0 || (world->data->near == 1 && world->tensor->near == 1));
      try_block(world->data, world->rank % size);
      if (world->tensor != heed_alone())
        try_block(world->tensor, world->rank / size);
    }
}

static void blocks_of_groups_are_not_for_ever(void) {
  divide(world->size > 1 ? 2 : 1, "64");
  for (int round = 0; round < 20; round++) {
    float *first, *second;
    CU_ASSERT_EQUAL_FATAL(world->data->allocate(world->data, &first, 100000), HEED_OK);
    CU_ASSERT_EQUAL_FATAL(world->tensor->allocate(world->tensor, &second, 1000), HEED_OK);
    first[99999] = second[999] = 1;
    world->data->release(world->data, first);
    world->tensor->release(world->tensor, second);
  }
}

/* ---- errors ---- */

/* Each rank whose bit is set fails; its group agrees, then the world. */
static void agree_twice(heed_communication *group, unsigned failing) {
  heed_status status = HEED_OK;
  int lowest = 0;
  char expected[64];
  while (failing >> lowest != 0 && !(failing >> lowest & 1))
    lowest++;
  if (failing >> world->rank & 1)
    status = heed_error(world->rank % 2 ? HEED_IO : HEED_INVALID, "trouble of %d", world->rank);
  status = group->agree(group, status);
  if (failing == 1u << lowest && status != HEED_OK && group->size > 1) { /* the number in the world, not the one in the group */
    snprintf(expected, sizeof expected, "rank %d: trouble of %d", lowest, lowest);
    CU_ASSERT_STRING_EQUAL(heed_error_text(), expected);
  }
  status = world->agree(world, status == HEED_OK ? HEED_OK : heed_error_in(status, "saving"));
  CU_ASSERT(status != HEED_OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "trouble of"));
  const char *named = strstr(heed_error_text(), "rank ");
  CU_ASSERT_EQUAL(named != NULL, world->size > 1);
  CU_ASSERT(!named || !strstr(named + 1, "rank ")); /* once */
  if (failing == 1u << lowest) {
    CU_ASSERT_EQUAL(status, lowest % 2 ? HEED_IO : HEED_INVALID);
    snprintf(expected, sizeof expected, "trouble of %d", lowest);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), expected));
  }
}

static void failures_name_the_rank_of_the_world(void) {
  for (int size = 1; size <= world->size; size++) {
    if (world->size % size)
      continue;
    divide(size, "64");
    for (int failing = 0; failing < world->size; failing++) {
      agree_twice(world->data, 1u << failing);
      agree_twice(world->tensor, 1u << failing);
    }
    agree_twice(world->data, (1u << world->size) - 1);
    agree_twice(world->tensor, (1u << world->size) - 1);
  }
}

static void a_process_by_itself_is_one_of_each(void) {
  heed_communication *alone = heed_alone();
  float x[2] = {1, 2};
  if (world->size > 1)
    return;
  CU_ASSERT_EQUAL(heed_world_divide(alone, 1), HEED_OK);
  CU_ASSERT(alone->data == alone && alone->tensor == alone);
  CU_ASSERT_EQUAL(heed_world_divide(alone, 2), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "parallel.tensor is 2, which does not divide the job's 1 rank; use mpirun -n 2 or set it to 1");
  alone->add(alone, x, 2);
  CU_ASSERT(x[0] == 1 && x[1] == 2);
}

HEED_RANK_TESTS({"every rank has its place", every_rank_has_its_place}, {"refusals say what to do", refusals_say_what_to_do},
                {"add is the serial tree", add_is_the_serial_tree}, {"add within a region", add_within_a_region},
                {"data ranks sum their part", data_ranks_sum_their_part},
                {"blocks of groups are not for ever", blocks_of_groups_are_not_for_ever},
                {"failures name the rank of the world", failures_name_the_rank_of_the_world},
                {"a process by itself is one of each", a_process_by_itself_is_one_of_each})

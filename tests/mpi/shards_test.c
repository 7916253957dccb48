/* The sum over ranks has the bits of the serial fixed tree over all leaves, on every allowed number of ranks and for every range.
 * ranks: 1 2 3 4 6 8 12 */
#include <stdlib.h>
#include <string.h>

#include "mpi/ranks.h"

enum { CHUNK = 4096 };

/* Written by itself, on scalars: what comm/ must equal. */
static float serial_tree(int64_t leaf, int64_t leaves, int64_t element) {
  if (leaves == 1)
    return uneven(leaf, element);
  int64_t left = 1;
  while (left * 2 < leaves)
    left *= 2;
  const float a = serial_tree(leaf, left, element), b = serial_tree(leaf + left, leaves - left, element);
  return a + b;
}

/* Cuts of tensors of the given sizes: chunks restart at each. */
static int64_t *cuts_of(const int64_t *sizes, int64_t *count) {
  int64_t *cuts = malloc(4096 * sizeof *cuts), total = 0, next = 0;
  for (; *sizes; total += *sizes++)
    for (int64_t i = 0; i < *sizes; i += CHUNK)
      cuts[next++] = total + i;
  cuts[next++] = total;
  *count = next;
  return cuts;
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* The wrong elements of this rank's shard after the ranks' sums over `leaves` leaves were added up for [first, first + count). */
static int64_t wrong_sums(int64_t leaves, int64_t first, int64_t count) {
  const int64_t mine = leaves / world->size, none = 1;
  float *data = malloc((size_t)(count + none) * sizeof *data);
  for (int64_t i = 0; i < count; i++)
    data[i] = serial_tree(world->rank * mine, mine, first + i);
  world->reduce_scatter(world, data, first, count);
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++) {
    if (first + i < world->shard_first || first + i >= world->shard_end)
      continue;
    const float expected = serial_tree(0, leaves, first + i);
    wrong += memcmp(&expected, &data[i], sizeof expected) != 0;
  }
  free(data);
  return wrong;
}

static const int64_t one[] = {1, 0}, few[] = {3, CHUNK + 5, 1, 0}, some[] = {CHUNK * 7 + 13, 77, 77, CHUNK * 20, 1, 0},
                     many[] = {CHUNK * 150 + 1, 256, CHUNK * 48 + 4095, 0};
static const int64_t *const tables[] = {one, few, some, many};

/* 8 leaves are allowed on 1, 2, 4, 8 ranks, 12 on 1, 3, 6, 12: together all counts above sum what one rank would. */
static int64_t leaves_for_size(void) {
  return 12 % world->size == 0 && world->size % 3 == 0 ? 12 : 8;
}

static void sums_are_the_serial_tree(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count), HEED_OK);
    CU_ASSERT_EQUAL(wrong_sums(leaves_for_size(), 0, total), 0);
    if (world->size == 1)
      CU_ASSERT_EQUAL(wrong_sums(12, 0, total), 0);
    CU_ASSERT_EQUAL(wrong_sums(leaves_for_size(), total, 0), 0);
    for (int64_t i = 1; i < 12; i++) { /* ranges that cut shards */
      const int64_t first = i * 7919 * i % total, length = smaller(total - first, 1 + i * i * 1237 % (total / 2 + 1));
      CU_ASSERT_EQUAL(wrong_sums(leaves_for_size(), first, length), 0);
    }
    free(cuts);
  }
}

/* Otherwise the test above would pass for any order. */
static void order_matters(void) {
  int64_t others = 0;
  for (int64_t i = 0; i < 1000; i++) {
    float left_to_right = 0;
    for (int64_t leaf = 0; leaf < 12; leaf++)
      left_to_right += uneven(leaf, i);
    others += left_to_right != serial_tree(0, 12, i);
  }
  CU_ASSERT(others > 100);
}

static void shards_cover_the_block(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count), HEED_OK);
    double shards[16][2];
    shards[world->rank][0] = (double)world->shard_first;
    shards[world->rank][1] = (double)world->shard_end;
    world->allgather(world, shards[0], 2);
    int64_t covered = 0, found = 1;
    for (int64_t at = 0; at < total && found; at = covered) /* one shard begins where the one before ends */
      for (int r = found = 0; r < world->size; r++)
        if ((int64_t)shards[r][0] == at && (int64_t)shards[r][1] > at) {
          covered = (int64_t)shards[r][1];
          found++;
        }
    CU_ASSERT_EQUAL(covered, total);
    CU_ASSERT_EQUAL(found, 1);
    int on_cuts = 0;
    for (int64_t i = 0; i < count; i++)
      on_cuts += (cuts[i] == world->shard_first) + (cuts[i] == world->shard_end);
    CU_ASSERT_EQUAL(on_cuts, 2);
    CU_ASSERT(world->shard_end - world->shard_first <= total / world->size + CHUNK + 1);
    free(cuts);
  }
}

static void allgather_brings_every_shard(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, wrong = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count), HEED_OK);
    float *data = calloc((size_t)total, sizeof *data);
    for (int64_t i = world->shard_first; i < world->shard_end; i++)
      data[i] = uneven(7, i);
    world->allgather_shards(world, data);
    for (int64_t i = 0; i < total; i++)
      wrong += data[i] != uneven(7, i);
    CU_ASSERT_EQUAL(wrong, 0);
    free(data);
    free(cuts);
  }
}

static void gather_brings_a_range_to_rank_0(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, wrong = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count), HEED_OK);
    const int64_t held = world->shard_end - world->shard_first;
    float *mine = malloc((size_t)(held + 1) * sizeof *mine);
    float *root = world->rank == 0 ? malloc((size_t)(total + 1) * sizeof *root) : NULL;
    for (int64_t i = 0; i < held; i++)
      mine[i] = uneven(9, world->shard_first + i);
    for (int64_t i = 0; i < 20; i++) {
      const int64_t first = i * 104729 % total, length = i == 0 ? total : smaller(total - first, i * i * 4099 % (total + 1));
      if (root)
        root[length] = 42;
      world->gather_range(world, root, mine, first, length);
      for (int64_t j = 0; root && j < length; j++)
        wrong += root[j] != uneven(9, first + j);
      wrong += root && root[length] != 42; /* nothing beyond */
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(mine);
    free(root);
    free(cuts);
  }
}

HEED_RANK_TESTS({"sums are the serial tree", sums_are_the_serial_tree}, {"order matters", order_matters},
                {"shards cover the block", shards_cover_the_block}, {"allgather brings every shard", allgather_brings_every_shard},
                {"gather brings a range to rank 0", gather_brings_a_range_to_rank_0})

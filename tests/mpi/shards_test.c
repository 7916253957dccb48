/* The sum over ranks has the bits of the serial fixed tree over all leaves, on every allowed number of ranks and for every range, whether
 * ranks share memory or send messages, and in however many buckets.
 * ranks: 1 2 3 4 6 8 12 */
#include <stdlib.h>
#include <string.h>

#include "mpi/ranks.h"

enum { CHUNK = 4096 };

static const char *const nears[] = {"1", "2", "4", "64"};
enum { NEARS = sizeof nears / sizeof *nears };

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

/* Shards of a block in about so many buckets. */
static void shard(const int64_t *cuts, int64_t count, int64_t buckets) {
  int64_t edges[64], made = 0, last = -1;
  for (int64_t i = 0; i < buckets; i++)
    if ((count - 1) * i / buckets > last)
      edges[made++] = cuts[last = (count - 1) * i / buckets];
  edges[made] = cuts[count - 1];
  CU_ASSERT_EQUAL_FATAL(world->shard(world, cuts, count, edges, made), HEED_OK);
}

static bool is_own(int64_t element) {
  for (int64_t i = 0; i < world->run_count; i++)
    if (element >= world->runs[i].first && element < world->runs[i].end)
      return true;
  return false;
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* The wrong elements of this rank's shard after the ranks' sums over `leaves` leaves were added up for [first, first + count). */
static int64_t wrong_sums(float *data, int64_t leaves, int64_t first, int64_t count) {
  const int64_t mine = leaves / world->size;
  for (int64_t i = 0; i < count; i++)
    data[i] = serial_tree(world->rank * mine, mine, first + i);
  world->sum_start(world, data, first, count);
  world->sum_finish(world);
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++) {
    const float expected = serial_tree(0, leaves, first + i);
    wrong += is_own(first + i) && memcmp(&expected, &data[i], sizeof expected) != 0;
  }
  return wrong;
}

static const int64_t one[] = {1, 0}, few[] = {3, CHUNK + 5, 1, 0}, some[] = {CHUNK * 7 + 13, 77, 77, CHUNK * 20, 1, 0},
                     many[] = {CHUNK * 150 + 1, 256, CHUNK * 48 + 4095, 0};
static const int64_t *const tables[] = {one, few, some, many};

/* 8 leaves are allowed on 1, 2, 4, 8 ranks, 12 on 1, 3, 6, 12: together all counts above sum what one rank would. */
static int64_t leaves_for_size(void) {
  return 12 % world->size == 0 && world->size % 3 == 0 ? 12 : 8;
}

static void try_sums(float *block, const int64_t *cuts, int64_t count) {
  const int64_t total = cuts[count - 1];
  CU_ASSERT_EQUAL(wrong_sums(block, leaves_for_size(), 0, total), 0);
  if (world->size == 1)
    CU_ASSERT_EQUAL(wrong_sums(block, 12, 0, total), 0);
  CU_ASSERT_EQUAL(wrong_sums(block, leaves_for_size(), total, 0), 0);
  for (int64_t i = 1; i < 7; i++) { /* ranges that cut shards */
    const int64_t first = i * 7919 * i % total, length = smaller(total - first, 1 + i * i * 1237 % (total / 2 + 1));
    CU_ASSERT_EQUAL(wrong_sums(block, leaves_for_size(), first, length), 0);
  }
}

static void sums_are_the_serial_tree(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    for (int near = 0; near < NEARS; near++) {
      float *shared;
      set_near(nears[near]);
      CU_ASSERT_EQUAL_FATAL(world->allocate(world, &shared, total), HEED_OK);
      shard(cuts, count, near == 0 ? 1 : 3 * near);
      try_sums(shared, cuts, count);
      if (near == NEARS - 1) { /* a block that is not shared, where others could be */
        float *own = malloc((size_t)total * sizeof *own);
        try_sums(own, cuts, count);
        free(own);
      }
      world->release(world, shared);
    }
    free(cuts);
  }
}

/* Sums of a block part by part, from its end on, with more begun than can be under way, as backward begins them. */
static void sums_go_on_meanwhile(void) {
  int64_t count;
  int64_t *cuts = cuts_of(many, &count);
  const int64_t total = cuts[count - 1], leaves = leaves_for_size(), mine = leaves / world->size;
  for (int near = 0; near < NEARS; near++) {
    float *block;
    set_near(nears[near]);
    CU_ASSERT_EQUAL_FATAL(world->allocate(world, &block, total), HEED_OK);
    shard(cuts, count, 7);
    for (int round = 0; round < 2; round++) { /* the second writes what others may have been reading */
      int64_t wrong = 0;
      for (int64_t at = count - 1; at > 0; at--) { /* a sum a cut, more than the queue holds */
        for (int64_t i = cuts[at - 1]; i < cuts[at]; i++)
          block[i] = serial_tree(world->rank * mine, mine, i + round);
        world->sum_start(world, block + cuts[at - 1], cuts[at - 1], cuts[at] - cuts[at - 1]);
        if (at % 5 == world->rank % 5)
          world->sum_poll(world);
      }
      world->sum_finish(world);
      for (int64_t i = 0; i < total; i++) {
        const float expected = is_own(i) ? serial_tree(0, leaves, i + round) : 0;
        wrong += is_own(i) && memcmp(&expected, &block[i], sizeof expected) != 0;
      }
      CU_ASSERT_EQUAL(wrong, 0);
    }
    world->release(world, block);
  }
  free(cuts);
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

/* Every element has one owner, borders are cuts, runs lie one after the other, and no rank has much more than others. */
static void shards_cover_the_block(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, covered = 0, on_cuts = 0, held = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1], most = (count - 2 + world->size) / world->size * CHUNK;
    const int64_t buckets = 1 + 3 * (int64_t)t;
    shard(cuts, count, buckets);
    double *owners = calloc((size_t)(world->size * total), sizeof *owners);
    for (int64_t i = 0; i < world->run_count; i++) {
      const heed_shard_run *run = &world->runs[i];
      CU_ASSERT_EQUAL(run->at, held);
      held += run->end - run->first;
      for (int64_t j = 0; j < count; j++)
        on_cuts += (cuts[j] == run->first) + (cuts[j] == run->end);
      for (int64_t j = run->first; j < run->end; j++)
        owners[world->rank * total + j] = 1;
    }
    CU_ASSERT_EQUAL(on_cuts, 2 * world->run_count);
    CU_ASSERT_EQUAL(held, world->shard_floats);
    CU_ASSERT(held <= most);
    world->allgather(world, owners, total);
    for (int64_t j = 0; j < total; j++) {
      double of = 0;
      for (int r = 0; r < world->size; r++)
        of += owners[r * total + j];
      covered += of == 1;
    }
    CU_ASSERT_EQUAL(covered, total);
    free(owners);
    free(cuts);
  }
}

static void buckets_that_are_no_cuts_are_refused(void) {
  const int64_t cuts[] = {0, CHUNK, 2 * CHUNK, 3 * CHUNK}, wrong[] = {0, CHUNK + 1, 3 * CHUNK}, right[] = {0, CHUNK, 3 * CHUNK};
  if (world->size > 1)
    CU_ASSERT_EQUAL(world->shard(world, cuts, 4, wrong, 2), HEED_INVALID);
  CU_ASSERT_EQUAL(world->shard(world, cuts, 4, right, 2), HEED_OK);
}

static void allgather_brings_every_shard(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, wrong = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    for (int near = 0; near < NEARS; near++) {
      float *data;
      set_near(nears[near]);
      CU_ASSERT_EQUAL_FATAL(world->allocate(world, &data, total), HEED_OK);
      shard(cuts, count, 1 + near);
      for (int round = 0; round < 3; round++) { /* written again as soon as it returns */
        for (int64_t i = 0; i < total; i++)
          data[i] = is_own(i) ? uneven(7 + round, i) : -1;
        world->allgather_shards(world, &(heed_gathered){.data = data, .bytes = sizeof *data}, 1);
        for (int64_t i = 0; i < total; i++)
          wrong += data[i] != uneven(7 + round, i);
      }
      world->release(world, data);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(cuts);
  }
}

/* The elements of every other tensor, without gaps. */
static int64_t every_other(const int64_t *sizes, heed_shard_run *parts) {
  int64_t count = 0, total = 0;
  for (int64_t tensor = 0, at = 0; sizes[tensor]; total += sizes[tensor++])
    if (tensor % 2 == 1) {
      parts[count++] = (heed_shard_run){total, total + sizes[tensor], at};
      at += sizes[tensor];
    }
  return count;
}

/* Fills this rank's elements of both blocks, and counts those that are wrong afterwards. */
static int64_t wrong_elements(const int64_t *sizes, uint16_t *data, float *others, int64_t total) {
  heed_shard_run parts[4];
  const int64_t part_count = every_other(sizes, parts);
  const heed_gathered blocks[] = {{.data = data, .bytes = sizeof *data},
                                  {.data = others, .bytes = sizeof *others, .parts = parts, .part_count = part_count}};
  int64_t wrong = 0, at = 0;
  for (int64_t i = 0; i < total; i++)
    data[i] = is_own(i) ? (uint16_t)(7 * i + 1) : 0;
  for (int64_t part = 0; part < part_count; part++)
    for (int64_t i = parts[part].first; i < parts[part].end; i++)
      others[at++] = is_own(i) ? uneven(3, i) : -1;
  others[at] = 42;
  world->allgather_shards(world, blocks, part_count > 0 ? 2 : 1);
  for (int64_t i = 0; i < total; i++)
    wrong += data[i] != (uint16_t)(7 * i + 1);
  at = 0;
  for (int64_t part = 0; part < part_count; part++)
    for (int64_t i = parts[part].first; i < parts[part].end; i++)
      wrong += others[at++] != uneven(3, i);
  return wrong + (others[at] != 42); /* nothing beyond */
}

/* Elements of two bytes, at odd places too, together with floats of some tensors alone. */
static void and_blocks_of_elements_and_of_some_tensors(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, wrong = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    for (int near = 0; near < NEARS; near++) {
      float *data;
      set_near(nears[near]);
      CU_ASSERT_EQUAL_FATAL(world->allocate(world, &data, 2 * total + 1), HEED_OK);
      shard(cuts, count, 1 + near);
      for (int round = 0; round < 2; round++)
        wrong += wrong_elements(tables[t], (uint16_t *)(void *)data, data + total, total);
      world->release(world, data);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(cuts);
  }
}

static void gather_brings_a_range_to_rank_0(void) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    int64_t count, wrong = 0;
    int64_t *cuts = cuts_of(tables[t], &count);
    const int64_t total = cuts[count - 1];
    shard(cuts, count, 1 + (int64_t)t);
    float *mine = malloc((size_t)(world->shard_floats + 1) * sizeof *mine);
    float *root = world->rank == 0 ? malloc((size_t)(total + 1) * sizeof *root) : NULL;
    for (int64_t i = 0; i < world->run_count; i++)
      for (int64_t j = world->runs[i].first; j < world->runs[i].end; j++)
        mine[world->runs[i].at + (j - world->runs[i].first)] = uneven(9, j);
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
                {"sums go on meanwhile", sums_go_on_meanwhile},
                {"buckets that are no cuts are refused", buckets_that_are_no_cuts_are_refused},
                {"shards cover the block", shards_cover_the_block}, {"allgather brings every shard", allgather_brings_every_shard},
                {"and blocks of elements, and of some tensors", and_blocks_of_elements_and_of_some_tensors},
                {"gather brings a range to rank 0", gather_brings_a_range_to_rank_0})

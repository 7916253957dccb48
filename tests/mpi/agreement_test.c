/* Ranks agree on errors, values and copies.
 * ranks: 1 2 3 4 */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "heed/log.h"
#include "mpi/ranks.h"

/* Each rank whose bit is set fails with a status and text of its own. */
static heed_status fail_on(unsigned ranks) {
  heed_status mine = HEED_OK;
  heed_error(HEED_OK, "nothing");
  if (ranks >> world->rank & 1)
    mine = heed_error(world->rank % 2 ? HEED_IO : HEED_INVALID, "trouble of %d", world->rank);
  return world->agree(world, mine);
}

static void lowest_failure_is_everybodys(void) {
  const int last = world->size - 1;
  for (int failing = 0; failing < world->size; failing++) {
    char expected[64] = "trouble of 0";
    if (world->size > 1)
      snprintf(expected, sizeof expected, "rank %d: trouble of %d", failing, failing);
    CU_ASSERT_EQUAL(fail_on(1u << failing | 1u << last), failing % 2 ? HEED_IO : HEED_INVALID);
    CU_ASSERT_STRING_EQUAL(heed_error_text(), expected);
    CU_ASSERT_EQUAL(world->agree(world, heed_error_in(HEED_IO, "saving")), HEED_IO); /* agreed on again, further up */
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), expected));
    CU_ASSERT_EQUAL(strncmp(heed_error_text(), "saving: ", 8), 0);
  }
  CU_ASSERT_EQUAL(fail_on(0), HEED_OK);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "nothing");
}

static void broadcast_copies_any_size(void) {
  static const size_t sizes[] = {0, 1, 4097, (70u << 20) + 3};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const size_t bytes = sizes[s];
    unsigned char *data = calloc(bytes + 1, 1);
    for (size_t i = 0; world->rank == 0 && i < bytes; i++)
      data[i] = (unsigned char)(i % 251 + 1);
    world->broadcast(world, data, bytes);
    size_t wrong = data[bytes] != 0;
    for (size_t i = 0; i < bytes; i++)
      wrong += data[i] != (unsigned char)(i % 251 + 1);
    CU_ASSERT_EQUAL(wrong, 0);
    free(data);
  }
}

static void allgather_keeps_the_order_of_ranks(void) {
  double values[8][3] = {{0}};
  for (int i = 0; i < 3; i++)
    values[world->rank][i] = world->rank * 10 + i;
  world->allgather(world, values[0], 3);
  for (int r = 0; r < world->size; r++)
    for (int i = 0; i < 3; i++)
      CU_ASSERT_EQUAL(values[r][i], r * 10 + i);
}

static void bytes_come_to_rank_0(void) {
  static const size_t sizes[] = {0, 1, 4097, (5u << 20) + 3};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int from = 0; from < world->size; from++) {
      const size_t bytes = sizes[s];
      unsigned char *data = malloc(bytes + 1), *root = calloc(bytes + 1, 1);
      for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)((i + (size_t)world->rank) % 251 + 1);
      world->bring(world, world->rank == 0 ? root : NULL, world->rank == from ? data : NULL, bytes, from);
      size_t wrong = root[bytes] != 0;
      for (size_t i = 0; world->rank == 0 && i < bytes; i++)
        wrong += root[i] != (unsigned char)((i + (size_t)from) % 251 + 1);
      CU_ASSERT_EQUAL(wrong, 0);
      free(data);
      free(root);
    }
}

static void maximum_and_lowest(void) {
  CU_ASSERT_EQUAL(world->maximum(world, world->rank), world->size - 1);
  CU_ASSERT_EQUAL(world->maximum(world, -world->rank), 0);
  CU_ASSERT_EQUAL(world->maximum(world, world->rank == 0 ? INT64_MAX : INT64_MIN), INT64_MAX);
  CU_ASSERT_EQUAL(-world->maximum(world, -10 - world->rank), 10);
  world->barrier(world);
}

/* All ranks of this test are on one machine, unbound: the processors are divided. */
static void threads_never_oversubscribe(void) {
  int threads, processors;
  const heed_node node = heed_world_node(world);
  CU_ASSERT_EQUAL(node.size, world->size);
  CU_ASSERT_EQUAL(node.rank, world->rank);
  const char *set = getenv("OMP_NUM_THREADS");
  char saved[32] = "";
  snprintf(saved, sizeof saved, "%s", set ? set : "");
  setenv("OMP_NUM_THREADS", "5", 1);
  omp_set_num_threads(5); /* as the runtime does at start */
  CU_ASSERT_EQUAL(heed_world_threads(world, &threads), HEED_OK);
  CU_ASSERT_EQUAL(threads, 5);
  unsetenv("OMP_NUM_THREADS");
  CU_ASSERT_EQUAL(heed_world_processors(world, &processors), HEED_OK);
  CU_ASSERT_EQUAL(heed_world_threads(world, &threads), HEED_OK);
  CU_ASSERT_EQUAL(threads, processors);
  CU_ASSERT_EQUAL(omp_get_max_threads(), threads);
  CU_ASSERT(threads >= 1 && (threads == 1 || threads * world->size <= omp_get_num_procs()));
  if (saved[0])
    setenv("OMP_NUM_THREADS", saved, 1);
}

HEED_RANK_TESTS({"lowest failure is everybody's", lowest_failure_is_everybodys}, {"broadcast copies any size", broadcast_copies_any_size},
                {"allgather keeps the order of ranks", allgather_keeps_the_order_of_ranks}, {"bytes come to rank 0", bytes_come_to_rank_0},
                {"maximum and lowest", maximum_and_lowest}, {"threads never oversubscribe", threads_never_oversubscribe})

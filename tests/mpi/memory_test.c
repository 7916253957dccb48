/* One rank is short of memory: every rank hears of it, none waits for a rank that has left.
 * ranks: 2 4
 * wrap: malloc calloc realloc aligned_alloc mmap */
#include <string.h>

#include "allocations.h"
#include "mpi/ranks.h"
#include "train/step.h"

static heed_status create(heed_precision precision, int short_rank, int number) {
  heed_config config = {.model = {.family = "bert",
                                  .vocabulary_size = 40,
                                  .layers = 1,
                                  .hidden = 16,
                                  .heads = 2,
                                  .feed_forward = 32,
                                  .max_positions = 8,
                                  .token_types = 2,
                                  .layer_norm_epsilon = 1e-12,
                                  .initializer_range = 0.02},
                        .train = {.sequence_length = 8, .batch_sequences = 8, .slices = 4, .precision = precision},
                        .optimizer = {.name = HEED_LAMB}};
  heed_stepper_spec spec = {.config = &config,
                            .kernels = heed_kernels_choose(NULL),
                            .communication = world,
                            .targets_per_sequence = 2,
                            .ranks_on_node = world->size};
  heed_stepper *stepper = NULL;
  allocations = 0;
  failing_allocation = world->rank == short_rank ? number : 0;
  heed_status status = heed_stepper_create(&stepper, &spec);
  failing_allocation = 0;
  heed_stepper_free(stepper);
  return status;
}

static void fail_alike(heed_precision precision) {
  CU_ASSERT_EQUAL_FATAL(create(precision, 0, 0), HEED_OK);
  int64_t most = world->maximum(world, allocations);
  CU_ASSERT(most > 15);
  for (int rank = 0; rank < world->size; rank += world->size - 1)
    for (int number = 1; number <= most; number++) {
      const heed_status status = create(precision, rank, number);
      const int64_t highest = world->maximum(world, (int64_t)status), lowest = -world->maximum(world, -(int64_t)status);
      CU_ASSERT_EQUAL(highest, lowest);
      CU_ASSERT(status == HEED_FAILED || number > 12); /* the last ranks' shards may need less */
    }
  CU_ASSERT_EQUAL(create(precision, 0, 0), HEED_OK);
}

static void all_ranks_fail_alike(void) {
  fail_alike(HEED_FP32);
  fail_alike(HEED_BF16);
}

static void a_world_that_cannot_be_divided_stays_whole(void) {
  for (int rank = 0; rank < world->size; rank += world->size - 1)
    for (int number = 1;; number++) {
      allocations = 0;
      failing_allocation = world->rank == rank ? number : 0;
      const heed_status status = heed_world_divide(world, 2);
      const bool all = world->maximum(world, failing_allocation > 0 && allocations >= number) == 0; /* none was left to fail */
      failing_allocation = 0;
      CU_ASSERT_EQUAL(status, all ? HEED_OK : HEED_FAILED);
      CU_ASSERT_EQUAL(world->tensor == heed_alone() && world->data == world, status != HEED_OK);
      CU_ASSERT_EQUAL_FATAL(heed_world_divide(world, 1), HEED_OK);
      CU_ASSERT_FATAL(number < 50);
      if (all)
        break;
      CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "out of memory"));
    }
}

HEED_RANK_TESTS({"all ranks fail alike", all_ranks_fail_alike},
                {"a world that cannot be divided stays whole", a_world_that_cannot_be_divided_stays_whole})

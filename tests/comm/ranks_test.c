#include <stdbool.h>
#include <string.h>

#include "comm/world.h"
#include "test.h"

static heed_status check(int64_t slices, int64_t tensor, int ranks) {
  return heed_world_check_ranks(slices, tensor, ranks, "mpirun -n");
}

static void allowed_counts(void) {
  static const struct {
    int64_t slices;
    const char *ranks; /* allowed, of 1 … 24: each as a letter */
  } known[] = {{1, "a"}, {2, "ab"}, {3, "ac"}, {6, "acf"}, {8, "abdh"}, {12, "acfl"}, {16, "abdhp"}, {24, "acflx"}, {40, "aejt"}};
  for (size_t k = 0; k < sizeof known / sizeof *known; k++)
    for (int ranks = 1; ranks <= 24; ranks++) {
      const heed_status expected = strchr(known[k].ranks, 'a' + ranks - 1) ? HEED_OK : HEED_INVALID;
      CU_ASSERT_EQUAL(check(known[k].slices, 1, ranks), expected);
    }
  for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
    int ranks = 0;
    for (const char *allowed = known[k].ranks; *allowed; allowed++)
      CU_ASSERT_EQUAL((ranks = heed_world_next_ranks(known[k].slices, ranks)), *allowed - 'a' + 1);
    CU_ASSERT_EQUAL(heed_world_next_ranks(known[k].slices, (int)known[k].slices), 0);
  }
  CU_ASSERT_EQUAL(heed_world_next_ranks(12, 4), 6); /* after one that is not allowed itself */
  CU_ASSERT_EQUAL(heed_world_next_ranks(INT64_C(1) << 62, 1 << 30), 0);
}

static void refusals_name_what_is_allowed(void) {
  CU_ASSERT_EQUAL(check(8, 1, 3), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "8 slices run on 1, 2, 4 or 8 ranks, not 3; use mpirun -n 4 or set train.slices to 12");
  CU_ASSERT_EQUAL(check(12, 1, 4), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "12 slices run on 1, 3, 6 or 12 ranks, not 4; use mpirun -n 3 or set train.slices to 16");
  CU_ASSERT_EQUAL(check(3, 1, 2), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "3 slices run on 1 or 3 ranks, not 2; use mpirun -n 3 or set train.slices to 4");
  CU_ASSERT_EQUAL(check(1, 1, 5), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "1 slice runs on 1 rank, not 5; use mpirun -n 1 or set train.slices to 5");
  CU_ASSERT_EQUAL(check(8, 2, 6), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(),
                         "8 slices, times 2 parts of the model (parallel.tensor), run on 2, 4, 8 or 16 ranks, not 6; use "
                         "mpirun -n 8 or set train.slices to 12");
  CU_ASSERT_EQUAL(check(8, 2, 5), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not 5; use mpirun -n 4"));
  CU_ASSERT_EQUAL(check(1, 4, 1), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "run on 4 ranks, not 1; use mpirun -n 4"));
  CU_ASSERT_EQUAL(heed_world_check_ranks(8, 1, 6, "--ranks"), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "8 slices run on 1, 2, 4 or 8 ranks, not 6; use --ranks 8 or set train.slices to 12");
  for (int ranks = 1; ranks <= 24; ranks++) {
    const bool allowed = ranks == 3 || ranks == 9 || ranks == 18; /* 6 slices */
    CU_ASSERT_EQUAL(check(6, 3, ranks), allowed ? HEED_OK : HEED_INVALID);
  }
  CU_ASSERT_EQUAL(check(8, 0, 1), HEED_INVALID);
  CU_ASSERT_EQUAL(check(0, 1, 1), HEED_INVALID);
  CU_ASSERT_EQUAL(check(-4, 1, 2), HEED_INVALID);
  CU_ASSERT_EQUAL(check(8, 1, 0), HEED_INVALID);
  CU_ASSERT_EQUAL(check(INT64_C(1) << 62, 1, 3), HEED_INVALID);
  CU_ASSERT_EQUAL(check(INT64_MAX, 1, 2), HEED_INVALID);
  CU_ASSERT_EQUAL(check(INT64_C(1) << 62, 1, 1 << 30), HEED_OK);
}

/* Buffers: of four sums under way, half a bucket of 16 MiB each, or what the groups exchange at a time; none alone, or on one machine. */
static void buffers_of_any_number(void) {
  CU_ASSERT_EQUAL(heed_world_buffer_bytes(1, 1), 0);
  CU_ASSERT_EQUAL(heed_world_buffer_bytes(8, 8), 0);
  CU_ASSERT_EQUAL(heed_world_buffer_bytes(2, 1), 32 << 20);
  CU_ASSERT_EQUAL(heed_world_buffer_bytes(4096, 8), 32 << 20);
  CU_ASSERT(heed_world_buffer_bytes(3, 1) > 40 << 20 && heed_world_buffer_bytes(3, 1) < 48 << 20);
  CU_ASSERT(heed_world_buffer_bytes(65535, 1) <= 64 << 20);
  CU_ASSERT_EQUAL(heed_world_mpi_bytes(1, 1), 0);
  CU_ASSERT(heed_world_mpi_bytes(64, 8) > heed_world_mpi_bytes(64, 1));
}

HEED_TESTS({"allowed counts", allowed_counts}, {"refusals name what is allowed", refusals_name_what_is_allowed},
           {"buffers of any number", buffers_of_any_number})

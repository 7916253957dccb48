/** A test program that runs on several ranks: every rank runs every case; rank 0 shows them, the others only what fails.
 *
 *      static heed_communication *world = … is given as `world`
 *      HEED_RANK_TESTS({"sums", sums})
 */
#ifndef HEED_TESTS_MPI_RANKS_H
#define HEED_TESTS_MPI_RANKS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "comm/node.h"
#include "comm/world.h"
#include "mpi/serial_tree.h"
#include "test.h"

static heed_communication *world;

/** Lets so many ranks share memory as on a machine with so many of them; 0: all. */
static inline void set_near(const char *most) {
  if (world->size == 1)
    return;
  setenv("HEED_NEAR_RANKS", most, 1);
  heed_node_close(world->self);
  heed_job_set_node(world->self);
  CU_ASSERT_EQUAL_FATAL(heed_node_open(world->self), HEED_OK);
}

static inline void print_failures(void) {
  for (CU_pFailureRecord failure = CU_get_failure_list(); failure; failure = failure->pNext)
    fprintf(stderr, "rank %d: %s:%u: %s\n", world->rank, failure->strFileName, failure->uiLineNumber, failure->strCondition);
}

static inline int run_on_ranks(const char *file, const CU_TestInfo *tests) {
  if (heed_world_open(&world) != HEED_OK) {
    fprintf(stderr, "%s\n", heed_error_text());
    return 2;
  }
  CU_pSuite suite = CU_initialize_registry() == CUE_SUCCESS ? CU_add_suite(file, NULL, NULL) : NULL;
  for (const CU_TestInfo *test = tests; suite && test->pName; test++)
    CU_add_test(suite, test->pName, test->pTestFunc);
  CU_basic_set_mode(world->rank == 0 ? CU_BRM_VERBOSE : CU_BRM_SILENT);
  const CU_ErrorCode error = CU_basic_run_tests();
  const int failed = error != CUE_SUCCESS || !suite || CU_get_number_of_failure_records() > 0 || CU_get_number_of_tests_run() == 0;
  if (failed && world->rank != 0)
    print_failures();
  CU_cleanup_registry();
  heed_world_close();
  return failed;
}

#define HEED_RANK_TESTS(...)                                             \
  int main(void) {                                                       \
    static const CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL}; \
    return run_on_ranks(__FILE__, tests);                                \
  }

#endif

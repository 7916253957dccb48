/** A test program: CUnit cases, run in order, exit code 1 if any failed.
 *
 *      static void counts(void) { CU_ASSERT_EQUAL(1 + 1, 2); }
 *      HEED_TESTS({"counts", counts})
 */
#ifndef HEED_TESTS_TEST_H
#define HEED_TESTS_TEST_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

static inline int heed_tests_run(const char *file, const CU_TestInfo *tests) {
  if (CU_initialize_registry() != CUE_SUCCESS)
    return 2;
  CU_pSuite suite = CU_add_suite(file, NULL, NULL);
  for (const CU_TestInfo *test = tests; suite && test->pName; test++)
    if (!CU_add_test(suite, test->pName, test->pTestFunc))
      return 2;
  CU_basic_set_mode(CU_BRM_VERBOSE);
  CU_ErrorCode error = CU_basic_run_tests();
  int failed = error != CUE_SUCCESS || !suite || CU_get_number_of_failure_records() > 0 || CU_get_number_of_tests_run() == 0;
  CU_cleanup_registry();
  return failed;
}

#define HEED_TESTS(...)                                                  \
  int main(void) {                                                       \
    static const CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL}; \
    return heed_tests_run(__FILE__, tests);                              \
  }

#endif

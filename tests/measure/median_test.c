#include "measure/median.h"

#include "test.h"

static void the_middle(void) {
  double one[] = {3}, two[] = {4, 1}, three[] = {9, 1, 2}, four[] = {8, 1, 3, 2}, equal[] = {5, 5, 5, 1, 5};
  CU_ASSERT_EQUAL(heed_median(one, 1), 3);
  CU_ASSERT_EQUAL(heed_median(two, 2), 2.5);
  CU_ASSERT_EQUAL(heed_median(three, 3), 2);
  CU_ASSERT_EQUAL(heed_median(four, 4), 2.5);
  CU_ASSERT_EQUAL(heed_median(equal, 5), 5);
}

HEED_TESTS({"the middle", the_middle})

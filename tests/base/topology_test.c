/* Sets of processors as text, and this machine's own, held against what the system says. */
#include "base/topology.h"

#include <sched.h>
#include <string.h>

#include "test.h"

static heed_processors set_of(const int *processors, int count) {
  heed_processors set = {0};
  for (int i = 0; i < count; i++)
    set.words[processors[i] / 64] |= (uint64_t)1 << processors[i] % 64;
  return set;
}

static void sets_are_told_as_ranges(void) {
  static const int some[] = {0, 1, 2, 5, 62, 63, 64, 65, 8191};
  char text[64];
  heed_processors set = set_of(some, 9);
  heed_processors_text(&set, text, sizeof text);
  CU_ASSERT_STRING_EQUAL(text, "0-2,5,62-65,8191");
  CU_ASSERT_EQUAL(heed_processors_count(&set), 9);
  heed_processors_text(&set, text, 16);
  CU_ASSERT_STRING_EQUAL(text, "0-2,5,62-65,…");
  heed_processors_text(&(heed_processors){0}, text, sizeof text);
  CU_ASSERT_STRING_EQUAL(text, "none");
}

static void sets_are_compared_and_joined(void) {
  static const int some[] = {3, 70}, more[] = {3, 4, 70}, others[] = {4};
  heed_processors a = set_of(some, 2), b = set_of(more, 3), c = set_of(others, 1);
  CU_ASSERT_TRUE(heed_processors_within(&a, &b));
  CU_ASSERT_TRUE(heed_processors_within(&a, &a));
  CU_ASSERT_FALSE(heed_processors_within(&b, &a));
  CU_ASSERT_FALSE(heed_processors_within(&c, &a));
  heed_processors_add(&a, &c);
  CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
}

static void the_system_says_the_same(void) {
  heed_topology whole, one;
  cpu_set_t before, bound;
  CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
  CU_ASSERT_EQUAL_FATAL(heed_topology_read(&whole), HEED_OK);
  int last = 0;
  for (int p = 0; p < CPU_SETSIZE; p++) {
    CU_ASSERT_EQUAL(whole.may_run.words[p / 64] >> p % 64 & 1, CPU_ISSET(p, &before) != 0);
    last = CPU_ISSET(p, &before) ? p : last;
  }
  CU_ASSERT_EQUAL(heed_processors_count(&whole.may_run), CPU_COUNT(&before));
  CU_ASSERT(whole.processors >= CPU_COUNT(&before));
  CU_ASSERT(whole.cores >= 1 && whole.cores <= CPU_COUNT(&before));
  CU_ASSERT(whole.packages >= 1 && whole.numa_nodes >= 1);
  CPU_ZERO(&bound);
  CPU_SET(last, &bound);
  CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof bound, &bound), 0);
  CU_ASSERT_EQUAL(heed_topology_read(&one), HEED_OK);
  sched_setaffinity(0, sizeof before, &before);
  CU_ASSERT_EQUAL(heed_processors_count(&one.may_run), 1);
  CU_ASSERT(one.may_run.words[last / 64] >> last % 64 & 1);
  CU_ASSERT(one.cores == 1 && one.packages == 1 && one.numa_nodes == 1); /* a core of two threads counts when one may be used */
  CU_ASSERT_EQUAL(one.processors, whole.processors);
}

HEED_TESTS({"sets are told as ranges", sets_are_told_as_ranges}, {"sets are compared and joined", sets_are_compared_and_joined},
           {"the system says the same", the_system_says_the_same})

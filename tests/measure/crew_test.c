/* Processes side by side: they meet, they share, and one that fails ends all with its text. */
#include "measure/crew.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "test.h"

enum { MEMBERS = 3, ROUNDS = 100 };

typedef struct board {
  int64_t rounds[MEMBERS];
  int64_t behind; /* members seen that had not come as far */
} board;

static heed_status count_rounds(const heed_crew *crew, void *self) {
  board *b = crew->shared;
  (void)self;
  for (int64_t round = 1; round <= ROUNDS; round++) {
    b->rounds[crew->member] = round;
    heed_crew_meet(crew);
    for (int other = 0; other < crew->size; other++)
      if (b->rounds[other] != round)
        b->behind++;
    heed_crew_meet(crew);
  }
  return HEED_OK;
}

static void members_wait_for_each_other(void) {
  board b = {.behind = 0};
  CU_ASSERT_EQUAL(heed_crew_run(&b, sizeof b, MEMBERS, count_rounds, NULL), HEED_OK);
  for (int member = 0; member < MEMBERS; member++)
    CU_ASSERT_EQUAL(b.rounds[member], ROUNDS);
  CU_ASSERT_EQUAL(b.behind, 0);
}

static heed_status fail_second(const heed_crew *crew, void *self) {
  const char *reason = self;
  if (crew->member == 1)
    return heed_error(HEED_INVALID, "member %d: %s", crew->member, reason);
  heed_crew_meet(crew); /* for one that never comes */
  return HEED_OK;
}

static void a_failure_ends_all(void) {
  int64_t nothing = 7;
  CU_ASSERT_EQUAL(heed_crew_run(&nothing, sizeof nothing, MEMBERS, fail_second, "no luck"), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "member 1: no luck");
  CU_ASSERT_EQUAL(nothing, 7);
}

static heed_status vanish(const heed_crew *crew, void *self) {
  (void)self;
  if (crew->member == 2)
    kill(getpid(), SIGKILL);
  heed_crew_meet(crew);
  return HEED_OK;
}

static void a_kill_ends_all(void) {
  int64_t nothing = 0;
  CU_ASSERT_EQUAL(heed_crew_run(&nothing, sizeof nothing, MEMBERS, vanish, NULL), HEED_FAILED);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "ended from outside"));
}

HEED_TESTS({"members wait for each other", members_wait_for_each_other}, {"a failure ends all", a_failure_ends_all},
           {"a kill ends all", a_kill_ends_all})

/* Every call of a save to the operating system is made to fail in turn, in each way, once and from then on. */
#define FIXTURE_PARENT "/dev/shm" /* thousands of fsyncs */
#include "broken_save.h"
#include "report.h"

static const struct {
  const char *name;
  int error;
} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR}, {"short", CALL_SHORT}, {"lies", CALL_LIES}};

static bool applies(call which, int error) {
  if (error == CALL_LIES) /* a read that lies is a damaged file */
    return which == PWRITE;
  return error != CALL_SHORT || which == PWRITE || which == PREAD;
}

static void fail_each(call which, int i, bool for_good) {
  for (int nth = 1; nth < 1000; nth++) {
    const broken_save save = save_with_fault(which, nth, errors[i].error, for_good);
    if (!save.met)
      return;
    const bool goes_on = errors[i].error == CALL_SHORT || (errors[i].error == EINTR && !for_good && (which == PWRITE || which == PREAD));
    report(*save.why                                                ? save.why
           : goes_on && save.status != HEED_OK                      ? "the save failed"
           : errors[i].error == CALL_LIES && save.status == HEED_OK ? "it was believed"
                                                                    : "",
           "%s-%d-%s%s", call_names[which], nth, errors[i].name, for_good ? "-on-and-on" : "");
  }
}

static void every_call_fails(void) {
  for (call which = NO_CALL + 1; which < CALL_COUNT; which++)
    for (int i = 0; i < (int)(sizeof errors / sizeof *errors); i++)
      for (int for_good = 0; for_good <= 1; for_good++)
        if (applies(which, errors[i].error) && !(for_good && errors[i].error == EINTR)) /* a signal does not come for ever */
          fail_each(which, i, for_good);
}

int main(void) {
  static const CU_TestInfo tests[] = {{"every call fails", every_call_fails}, CU_TEST_INFO_NULL};
  return heed_tests_run(__FILE__, tests);
}

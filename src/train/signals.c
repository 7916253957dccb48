#include "train/signals.h"

#include <signal.h>
#include <unistd.h>

#include "heed/log.h"

static volatile sig_atomic_t pending, interrupted;

static void take(int number) {
  if (number == SIGINT && interrupted)
    _exit(128 + SIGINT);
  pending = number;
  if (number != SIGINT)
    return;
  interrupted = 1;
  heed_log_from_handler("interrupted: saving at the end of this step, then stopping; once more stops at once, without saving\n");
}

void heed_signals_install(void) {
  static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
  struct sigaction before, action = {.sa_handler = take, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  pending = interrupted = 0;
  signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes then fails a save with EFBIG, and training goes on */
  signal(SIGPIPE, SIG_IGN); /* whoever reads the log may end first, as by the same Ctrl-C */
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (numbers[i] != SIGHUP || (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)) /* nohup stays as it is */
      sigaction(numbers[i], &action, NULL);
}

int heed_signals_pending(void) {
  return pending;
}

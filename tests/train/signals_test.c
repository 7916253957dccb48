#include "train/signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static void each_signal_is_noted(void) {
  static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
  signal(SIGHUP, SIG_DFL); /* a test may run under nohup */
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    heed_signals_install();
    CU_ASSERT_EQUAL(heed_signals_pending(), 0);
    raise(numbers[i]);
    CU_ASSERT_EQUAL(heed_signals_pending(), numbers[i]);
    CU_ASSERT_EQUAL(heed_signals_pending(), numbers[i]); /* asking does not take it back */
  }
}

/* Under nohup a lost terminal stops nothing. */
static void nohup_is_left_alone(void) {
  signal(SIGHUP, SIG_IGN);
  heed_signals_install();
  raise(SIGHUP);
  CU_ASSERT_EQUAL(heed_signals_pending(), 0);
}

/* mpirun and schedulers send a signal more than once: only a second INT, a person's second Ctrl-C, is a command to end. */
static void repeated_requests_wait_for_the_save(void) {
  heed_signals_install();
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGTERM);
  raise(SIGTERM);
  raise(SIGINT);
  CU_ASSERT_EQUAL(heed_signals_pending(), SIGINT);
}

/* Exit status of a child that raises these signals in turn. */
static int child(const int *numbers, int count) {
  pid_t pid = fork();
  if (pid == 0) {
    heed_signals_install();
    for (int i = 0; i < count; i++)
      raise(numbers[i]);
    _exit(0);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

static void a_second_interrupt_ends(void) {
  const int once[] = {SIGINT, SIGUSR1, SIGTERM}, twice[] = {SIGINT, SIGINT}, between[] = {SIGINT, SIGUSR1, SIGINT};
  int status = child(once, 3);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  status = child(twice, 2);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 130);
  status = child(between, 3);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 130);
}

/* A read or write that a signal interrupts goes on by itself: a save in progress is not disturbed. */
static void reads_go_on(void) {
  int ends[2];
  char byte = 0;
  CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
  heed_signals_install();
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    kill(parent, SIGUSR1);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    _exit(write(ends[1], "x", 1) != 1);
  }
  CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
  CU_ASSERT_EQUAL(byte, 'x');
  CU_ASSERT_EQUAL(heed_signals_pending(), SIGUSR1);
  waitpid(pid, NULL, 0);
  close(ends[0]);
  close(ends[1]);
}

HEED_TESTS({"each signal is noted", each_signal_is_noted}, {"nohup is left alone", nohup_is_left_alone},
           {"repeated requests wait for the save", repeated_requests_wait_for_the_save},
           {"a second interrupt ends", a_second_interrupt_ends}, {"reads go on", reads_go_on})

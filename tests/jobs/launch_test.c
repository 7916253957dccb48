/* jobs/launch.sh, as the launch scripts source it: what it makes of a host file, and where it places ranks. */
#include "command.h"
#include "test.h"

/* What a line of bash prints after `. jobs/launch.sh`. */
static const char *launch(const char *line) {
  CU_ASSERT(command_ended(command_run("bash -euo pipefail -c '. " HEED_SOURCE "/jobs/launch.sh; %s'", line), 0));
  return command_output;
}

static void machines_of_a_host_file(void) {
  CU_ASSERT_STRING_EQUAL(
      launch("read_hosts <(printf \"# all\\n\\na slots = 2\\nb\\na slots=1 max_slots=4\\n\"); echo $ranks $most; cat $hosts"),
      "4 3\na slots=3\nb slots=1\n");
  CU_ASSERT_STRING_EQUAL(launch("read_hosts /dev/null; echo $ranks $most"), "0 0\n");
}

static void what_is_no_host_file_is_named(void) {
  static const struct {
    const char *text, *said;
  } bad[] = {{"# slots=x\\na slots=x", "line 2: slots= takes a whole number from 1"},
             {"a slots = 2 max_slots=4\\nb slots=0", "line 2: slots= takes a whole number from 1"},
             {"# nothing", "names no machine"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CU_ASSERT_EQUAL(command_run("printf '%s\\n' >/tmp/heed-hosts-$$; " HEED_SOURCE
                                "/jobs/hostfile.sh /tmp/heed-hosts-$$ configs/bert-tiny.yaml; code=$?; rm /tmp/heed-hosts-$$; exit $code",
                                bad[i].text),
                    65);
    CU_ASSERT_PTR_NOT_NULL(strstr(command_output, bad[i].said));
  }
}

/* Ranks × threads on cores, on hardware threads, or where neither suffice unbound, which is said. */
static void places_follow_from_what_there_is(void) {
  static const struct {
    const char *line, *placing, *said;
  } known[] = {
      {"place slot 2 4 8 16", "--map-by slot:PE=4 --bind-to core", ""},
      {"place slot 4 4 8 16", "--use-hwthread-cpus --map-by slot:PE=4 --bind-to hwthread", ""},
      {"BIND=none place slot 2 4 8 16", "--map-by slot --bind-to none", ""},
      {"place slot 3 2 2 4", "--map-by slot --bind-to none",
       "3 ranks a machine of 2 threads each on 4 processors: not bound, and who waits sleeps\n"},
      {"place node 1 2 1 1", "--map-by node --bind-to none",
       "1 rank a machine of 2 threads each on 1 processor: not bound, and who waits sleeps\n"},
      {"place node 2 1 1 1", "--map-by node --bind-to none",
       "2 ranks a machine of 1 thread each on 1 processor: not bound, and who waits sleeps\n"},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    char line[256];
    const size_t said = strlen(known[i].said);
    snprintf(line, sizeof line, "%s; echo \"${placing[*]}\"", known[i].line);
    launch(line);
    CU_ASSERT_EQUAL(strncmp(command_output, known[i].said, said), 0);
    CU_ASSERT_EQUAL(strncmp(command_output + said, known[i].placing, strlen(known[i].placing)), 0);
  }
}

/* Exit code of a job whose mpirun is this line of Perl, and which gets `signals` times INT; `reader` reads what it says. */
static int job(const char *mpirun, int signals, const char *reader) {
  return command_run(
      "d=$(mktemp -d); printf '#!/usr/bin/perl\nalarm 60; %s select(undef, undef, undef, 0.1) while 1;\n' >$d/mpirun; chmod +x $d/mpirun\n"
      "cat >$d/job <<'END'\n"
      ". " HEED_SOURCE "/jobs/launch.sh\n"
      "launch\n"
      "(for i in $(seq %d); do sleep 0.5; kill -INT $$; done) &\n"
      "finish; exit $finished\n"
      "END\n"
      "PATH=$d:$PATH bash -c 'bash -euo pipefail '$d'/job 2>&1 | %s; exit ${PIPESTATUS[0]}'; code=$?; rm -r $d; exit $code",
      mpirun, signals, reader);
}

/* The Ctrl-C of `… | tee log` ends tee too. */
static void a_stop_reaches_the_ranks_unread(void) {
  static const char *const readers[] = {"true", "cat"};
  for (int i = 0; i < 2; i++)
    CU_ASSERT_EQUAL(job("$SIG{USR1} = sub { $SIG{USR1} = q(IGNORE); exit 75 };", 1, readers[i]), 75);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "INT: asking the ranks to save and stop\n"));
}

static void a_second_interrupt_is_130(void) {
  CU_ASSERT_EQUAL(job("$SIG{USR1} = q(IGNORE); $SIG{HUP} = sub { kill SEGV => $$ };", 2, "cat"), 130);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "once more: ending the ranks at once\n"));
  CU_ASSERT_EQUAL(job("$SIG{USR1} = q(IGNORE); $SIG{HUP} = sub { exit 75 };", 2, "cat"), 75); /* it had saved */
}

HEED_TESTS({"machines of a host file", machines_of_a_host_file}, {"what is no host file is named", what_is_no_host_file_is_named},
           {"places follow from what there is", places_follow_from_what_there_is},
           {"a stop reaches the ranks unread", a_stop_reaches_the_ranks_unread}, {"a second interrupt is 130", a_second_interrupt_is_130})

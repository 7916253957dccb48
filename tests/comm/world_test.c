/* A process by itself, launchers that do not fit, and the end of a job: the last by starting mpirun with this program as the ranks. */
#include "comm/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"

static const char *program;

static void alone_needs_no_mpi(void) {
  heed_communication *world = NULL;
  CU_ASSERT_FALSE(heed_world_is_launched());
  CU_ASSERT_EQUAL(heed_world_open(&world), HEED_OK);
  CU_ASSERT_PTR_EQUAL(world, heed_alone());
  CU_ASSERT_EQUAL(heed_world_node(world).size, 1);
  int threads = 0;
  CU_ASSERT_EQUAL(heed_world_threads(world, &threads), HEED_OK);
  CU_ASSERT(threads >= 1);
  heed_world_close();
}

static void srun_without_pmi_is_refused(void) {
  heed_communication *world;
  setenv("SLURM_STEP_NUM_TASKS", "1", 1);
  CU_ASSERT_EQUAL(heed_world_open(&world), HEED_OK);
  setenv("SLURM_STEP_NUM_TASKS", "4", 1);
  CU_ASSERT_EQUAL(heed_world_open(&world), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "--mpi=pmix"));
  unsetenv("SLURM_STEP_NUM_TASKS");
}

/* Runs `command` with a limit of time; gives its exit code and what it printed. */
static int run(const char *command, char *output, size_t bytes) {
  char line[4096];
  snprintf(line, sizeof line, "timeout 60 %s 2>&1", command);
  FILE *pipe = popen(line, "r");
  if (!pipe)
    return -1;
  const size_t got = fread(output, 1, bytes - 1, pipe);
  output[got] = 0;
  while (fgetc(pipe) != EOF)
    ;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_ranks(int ranks, const char *what, char *output, size_t bytes) {
  char command[2048];
  snprintf(command, sizeof command, "%s --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d %s %s",
           HEED_MPIEXEC, ranks, program, what);
  return run(command, output, bytes);
}

static void abort_ends_all_ranks(void) {
  char output[8192];
  const double begin = heed_seconds();
  CU_ASSERT_EQUAL(run_ranks(3, "abort", output, sizeof output), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(output, "rank 1: the disk of rank 1 is gone"));
  CU_ASSERT(heed_seconds() - begin < 20); /* the others would sleep for 60 */
}

static void abort_of_a_group_ends_all_ranks(void) {
  char output[8192];
  const double begin = heed_seconds();
  CU_ASSERT_EQUAL(run_ranks(4, "abort-group", output, sizeof output), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(output, "rank 1: the disk of rank 1 is gone"));
  CU_ASSERT(heed_seconds() - begin < 20);
}

static void agreed_failure_is_the_exit_code(void) {
  char output[8192];
  CU_ASSERT_EQUAL(run_ranks(3, "agree", output, sizeof output), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(output, "agreed: rank 2: no such file"));
}

static void another_mpirun_is_refused(void) {
  char output[8192], command[2048];
  snprintf(command, sizeof command, "env PMI_RANK=0 PMI_SIZE=4 %s open", program);
  CU_ASSERT_EQUAL(run(command, output, sizeof output), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(output, "the launcher started 4 processes but MPI sees 1"));
}

/* What the ranks do when this program is started by itself under mpirun. */
static int be_a_rank(const char *what) {
  heed_communication *world;
  heed_status status = heed_world_open(&world);
  if (status == HEED_OK && strncmp(what, "abort", 5) == 0) {
    const bool group = strcmp(what, "abort-group") == 0 && heed_world_divide(world, 2) == HEED_OK;
    heed_communication *table = group ? world->tensor : world;
    if (world->rank == 1) {
      heed_error(HEED_IO, "the disk of rank 1 is gone");
      table->abort(table, HEED_IO);
    }
    sleep(60);
  } else if (status == HEED_OK && strcmp(what, "agree") == 0) {
    if (world->rank == 2)
      status = heed_error(HEED_INVALID, "no such file");
    status = world->agree(world, status);
    printf("agreed: %s\n", heed_error_text());
  } else {
    printf("%s\n", heed_error_text());
  }
  fflush(stdout);
  heed_world_close();
  return status;
}

int main(int argc, char **argv) {
  if (argc > 1)
    return be_a_rank(argv[1]);
  program = argv[0];
  static const CU_TestInfo tests[] = {{"alone needs no MPI", alone_needs_no_mpi},
                                      {"srun without PMI is refused", srun_without_pmi_is_refused},
                                      {"abort ends all ranks", abort_ends_all_ranks},
                                      {"abort of a group ends all ranks", abort_of_a_group_ends_all_ranks},
                                      {"an agreed failure is the exit code", agreed_failure_is_the_exit_code},
                                      {"another mpirun is refused", another_mpirun_is_refused},
                                      CU_TEST_INFO_NULL};
  return heed_tests_run(__FILE__, tests);
}

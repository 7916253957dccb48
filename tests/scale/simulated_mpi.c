/* What stands between src/comm and SimGrid's MPI: linked with --wrap for each of these functions.
 *
 * SimGrid calls itself MPI_THREAD_SINGLE, which src/comm refuses; a simulated rank has one thread, which calls all of MPI.
 *
 * And src/comm waits by testing again and again.  In that only simulated time would pass, over very many steps of the simulation; so when
 * it yields, the rank sleeps until one of the messages that it found on their way has come.  The others it takes to be on their way still
 * for as long as no time passes: where one has come too, the next sleep ends at once.
 *
 * No test reaches SimGrid, which would keep each message that a test finds at its end in a list of the rank's for ever, and walk through
 * that list at the end of every other.  It takes out what was waited for.  So a rank that asks what has come waits for any of the messages
 * or for one that it sent to itself before. */
#include <mpi.h>
#include <simgrid/engine.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 256 };

static MPI_Request *on_their_way[MOST];
static int count = 0;
static double looked_at = -1, slept_until = -1; /* simulated time */
static MPI_Request to_itself[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};

int __wrap_MPI_Query_thread(int *provided);
int __wrap_MPI_Comm_split_type(MPI_Comm all, int type, int key, MPI_Info info, MPI_Comm *part);
int __wrap_MPI_Test(MPI_Request *request, int *flag, MPI_Status *status);
int __wrap_MPI_Testall(int requests_count, MPI_Request *requests, int *flag, MPI_Status *statuses);
int __wrap_MPI_Waitall(int requests_count, MPI_Request *requests, MPI_Status *statuses);
int __wrap_sched_yield(void);

int __wrap_MPI_Query_thread(int *provided) {
  *provided = MPI_THREAD_FUNNELED;
  return MPI_SUCCESS;
}

/* The ranks of a machine, which are one each. */
int __wrap_MPI_Comm_split_type(MPI_Comm all, int type, int key, MPI_Info info, MPI_Comm *part) {
  (void)all, (void)type, (void)key, (void)info;
  return MPI_Comm_dup(MPI_COMM_SELF, part);
}

/* Returns whether it was unknown. */
static bool remember(MPI_Request *request) {
  for (int i = 0; i < count; i++)
    if (on_their_way[i] == request)
      return false;
  if (count == MOST) {
    fprintf(stderr, "simulated: a rank tests over %d messages at a time\n", MOST);
    abort();
  }
  on_their_way[count++] = request;
  return true;
}

/* Waits for any message on its way, or for `last` if none of them has come.  Returns whether it was one of them, which is MPI_REQUEST_NULL
 * then. */
static bool wait_for_any(MPI_Request last) {
  MPI_Request requests[MOST + 1];
  int done;
  for (int i = 0; i < count; i++)
    requests[i] = *on_their_way[i];
  requests[count] = last;
  MPI_Waitany(count + 1, requests, &done, MPI_STATUS_IGNORE);
  if (done == MPI_UNDEFINED || done == count)
    return false;
  *on_their_way[done] = MPI_REQUEST_NULL;
  on_their_way[done] = on_their_way[--count];
  return true;
}

static void send_to_itself(void) {
  MPI_Irecv(NULL, 0, MPI_BYTE, 0, 0, MPI_COMM_SELF, &to_itself[0]);
  MPI_Isend(NULL, 0, MPI_BYTE, 0, 0, MPI_COMM_SELF, &to_itself[1]);
}

/* Takes what has come. */
static void look(void) {
  if (to_itself[0] == MPI_REQUEST_NULL)
    send_to_itself();
  while (wait_for_any(to_itself[0]))
    ;
  MPI_Wait(&to_itself[1], MPI_STATUS_IGNORE);
  send_to_itself();
  looked_at = simgrid_get_clock();
}

int __wrap_MPI_Test(MPI_Request *request, int *flag, MPI_Status *status) {
  (void)status;
  if (*request != MPI_REQUEST_NULL && simgrid_get_clock() > (remember(request) ? slept_until : looked_at))
    look();
  *flag = *request == MPI_REQUEST_NULL;
  return MPI_SUCCESS;
}

/* One that is on its way is enough to know. */
int __wrap_MPI_Testall(int requests_count, MPI_Request *requests, int *flag, MPI_Status *statuses) {
  *flag = 1;
  for (int i = requests_count - 1; i >= 0 && *flag; i--)
    __wrap_MPI_Test(&requests[i], flag, statuses);
  return MPI_SUCCESS;
}

/* SimGrid's own looks through all of them for each that comes. */
int __wrap_MPI_Waitall(int requests_count, MPI_Request *requests, MPI_Status *statuses) {
  (void)statuses;
  for (int i = 0; i < requests_count; i++)
    MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
  return MPI_SUCCESS;
}

int __wrap_sched_yield(void) {
  wait_for_any(MPI_REQUEST_NULL);
  looked_at = slept_until = simgrid_get_clock();
  return 0;
}

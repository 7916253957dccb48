/* What stands between src/comm and SimGrid's MPI: linked with --wrap for each of these functions.
 *
 * SimGrid calls itself MPI_THREAD_SINGLE, which src/comm refuses; a simulated rank has one thread, which calls all of MPI.
 * And src/comm waits by testing again and again.  In that only simulated time would pass, over very many steps of the simulation; so when
 * it yields, the rank sleeps until one of the messages that it found on their way has come.  The others it takes to be on their way still
 * for as long as no time passes: where one has come too, the next sleep ends at once. */
#include <mpi.h>
#include <simgrid/engine.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 256 };

static MPI_Request *on_their_way[MOST];
static double seen_at[MOST]; /* simulated time */
static int count = 0;

int __wrap_MPI_Query_thread(int *provided);
int __wrap_MPI_Comm_split_type(MPI_Comm all, int type, int key, MPI_Info info, MPI_Comm *part);
int __wrap_MPI_Test(MPI_Request *request, int *flag, MPI_Status *status);
int __wrap_MPI_Testall(int requests_count, MPI_Request *requests, int *flag, MPI_Status *statuses);
int __wrap_MPI_Waitall(int requests_count, MPI_Request *requests, MPI_Status *statuses);
int __wrap_sched_yield(void);
int __real_MPI_Test(MPI_Request *request, int *flag, MPI_Status *status);
int __real_MPI_Testall(int requests_count, MPI_Request *requests, int *flag, MPI_Status *statuses);

int __wrap_MPI_Query_thread(int *provided) {
  *provided = MPI_THREAD_FUNNELED;
  return MPI_SUCCESS;
}

/* The ranks of a machine, which are one each. */
int __wrap_MPI_Comm_split_type(MPI_Comm all, int type, int key, MPI_Info info, MPI_Comm *part) {
  (void)all, (void)type, (void)key, (void)info;
  return MPI_Comm_dup(MPI_COMM_SELF, part);
}

static int place_of(const MPI_Request *request) {
  int place = 0;
  while (place < count && on_their_way[place] != request)
    place++;
  return place;
}

static void remember(MPI_Request *request) {
  const int place = place_of(request);
  if (place == MOST) {
    fprintf(stderr, "simulated: a rank tests over %d messages at a time\n", MOST);
    abort();
  }
  count += place == count;
  on_their_way[place] = request;
  seen_at[place] = simgrid_get_clock();
}

static void forget(const MPI_Request *request) {
  const int place = place_of(request);
  if (place == count)
    return;
  count--;
  on_their_way[place] = on_their_way[count];
  seen_at[place] = seen_at[count];
}

static bool is_on_its_way(const MPI_Request *request) {
  const int place = place_of(request);
  return place < count && *request != MPI_REQUEST_NULL && seen_at[place] >= simgrid_get_clock();
}

int __wrap_MPI_Test(MPI_Request *request, int *flag, MPI_Status *status) {
  *flag = *request == MPI_REQUEST_NULL; /* SimGrid's leaves it as it was */
  if (*flag || is_on_its_way(request))
    return MPI_SUCCESS;
  const int result = __real_MPI_Test(request, flag, status);
  if (*flag)
    forget(request);
  else
    remember(request);
  return result;
}

/* One that is on its way is enough to know. */
int __wrap_MPI_Testall(int requests_count, MPI_Request *requests, int *flag, MPI_Status *statuses) {
  *flag = 0;
  for (int i = 0; i < requests_count; i++)
    if (is_on_its_way(&requests[i]))
      return MPI_SUCCESS;
  const int result = __real_MPI_Testall(requests_count, requests, flag, statuses);
  int last = -1;
  for (int i = 0; i < requests_count; i++) {
    forget(&requests[i]);
    if (requests[i] != MPI_REQUEST_NULL)
      last = i;
  }
  if (!*flag && last >= 0)
    remember(&requests[last]);
  return result;
}

/* SimGrid's own looks through all of them for each that comes. */
int __wrap_MPI_Waitall(int requests_count, MPI_Request *requests, MPI_Status *statuses) {
  (void)statuses;
  for (int i = 0; i < requests_count; i++)
    MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
  return MPI_SUCCESS;
}

/* A message that was waited for is MPI_REQUEST_NULL afterwards, which tests as done. */
int __wrap_sched_yield(void) {
  MPI_Request requests[MOST];
  int done;
  for (int i = 0; i < count; i++)
    requests[i] = *on_their_way[i];
  MPI_Waitany(count, requests, &done, MPI_STATUS_IGNORE);
  for (int i = 0; i < count; i++)
    seen_at[i] = simgrid_get_clock();
  if (done != MPI_UNDEFINED) {
    *on_their_way[done] = MPI_REQUEST_NULL;
    forget(on_their_way[done]);
  }
  return 0;
}

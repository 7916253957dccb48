#include "comm/watchdog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "comm/job.h"
#include "comm/placement.h"
#include "comm/vigil.h"
#include "heed/log.h"

enum { USUAL_LIMIT = 60, MOST_ADDRESSES = 32, RECEIVE_BYTES = 4 << 20 };

/* What rank 0 tells all at the start. */
typedef struct invitation {
  double limit;   /* seconds; 0: nobody watches */
  uint64_t token; /* of this job's words: others may come to the same port */
  uint16_t port;  /* network order, as what follows */
  int32_t count;
  uint32_t addresses[MOST_ADDRESSES];
  heed_host host;
} invitation;

/* A word of a rank to rank 0, and the answer. */
typedef struct word {
  uint64_t token, beats;
  int64_t step;
  int32_t rank, phase, waiting, ending;
} word;

/* One a process, as the world is.  From the start of the thread on it is the thread's. */
static struct {
  pthread_t thread;
  bool started, running; /* on all ranks; here */
  int socket, wake;      /* wake: readable when the thread is to end */
  int rank, ranks;
  bool speaks; /* of a standstill */
  double period;
  invitation job;
  heed_vigil *vigil;
  struct sockaddr_in *from; /* rank 0: [ranks], where each spoke from last */
  struct sockaddr_in found; /* another: rank 0's address that answered */
  double answered;          /* when it did; −∞ */
} dog = {.socket = -1, .wake = -1};

/* ---- words ---- */

static void send_word(const struct sockaddr_in *to, bool ending) {
  const heed_pulse pulse = heed_pulse_read();
  const word w = {.token = dog.job.token,
                  .rank = dog.rank,
                  .beats = pulse.beats,
                  .step = pulse.step,
                  .phase = pulse.phase,
                  .waiting = pulse.waiting,
                  .ending = ending};
  if (to->sin_family == AF_INET) /* not so before it is known; a word that is lost is followed by others */
    sendto(dog.socket, &w, sizeof w, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

/* To the address that answers; until one does, or when it does no longer, to all that rank 0's machine has. */
static void speak(double now) {
  if (now - dog.answered < 3 * dog.period) {
    send_word(&dog.found, false);
    return;
  }
  for (int i = 0; i < dog.job.count; i++)
    send_word(&(struct sockaddr_in){.sin_family = AF_INET, .sin_port = dog.job.port, .sin_addr.s_addr = dog.job.addresses[i]}, false);
}

static void take_word(const word *w, const struct sockaddr_in *from, double now) {
  const heed_pulse pulse = {.beats = w->beats, .step = w->step, .phase = w->phase, .waiting = w->waiting != 0};
  if (w->token != dog.job.token || w->rank < 0 || w->rank >= dog.ranks || (dog.rank == 0) == (w->rank == 0))
    return;
  if (dog.rank > 0 && w->ending)
    _exit(HEED_WATCHDOG); /* rank 0 has said why */
  heed_vigil_hear(dog.vigil, w->rank, pulse, now);
  if (dog.rank == 0) {
    dog.from[w->rank] = *from;
    send_word(from, false);
  } else {
    dog.found = *from;
    dog.answered = now;
  }
}

static void listen_to_all(void) {
  for (;;) {
    word w;
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    const ssize_t bytes = recvfrom(dog.socket, &w, sizeof w, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &length);
    if (bytes < 0 && errno != EINTR)
      return;
    if (bytes == (ssize_t)sizeof w && length == sizeof from)
      take_word(&w, &from, heed_seconds());
  }
}

/* ---- the watch ---- */

static _Noreturn void end_job(const char *why) {
  heed_alarm("error: %s; the job ends here, with exit code %d (HEED_WATCHDOG=SECONDS sets the limit, 0 for none)", why, HEED_WATCHDOG);
  for (int rank = 1; rank < dog.ranks && dog.rank == 0; rank++)
    send_word(&dog.from[rank], true);
  _exit(HEED_WATCHDOG);
}

static void watch(double now) {
  char text[1024];
  heed_vigil_hear(dog.vigil, dog.rank, heed_pulse_read(), now);
  if (dog.rank > 0)
    speak(now);
  const heed_verdict verdict = heed_vigil_judge(dog.vigil, heed_pulse_median_step(), now, text, sizeof text);
  if (verdict == HEED_VERDICT_END)
    end_job(text);
  else if (verdict != HEED_VERDICT_CALM && dog.speaks)
    heed_alarm("%s%s", verdict == HEED_VERDICT_WARN ? "warning: " : "", text);
}

static void *run(void *unused) {
  struct pollfd files[2] = {{.fd = dog.wake, .events = POLLIN}, {.fd = dog.socket, .events = POLLIN}};
  double last = heed_seconds(), next = last + dog.period * dog.rank / dog.ranks; /* rank 0 is not to hear all at once */
  heed_placement_leave();
  if (dog.rank > 0)
    speak(last); /* a rank that is stopped soon should have been heard of */
  for (;;) {
    double now = heed_seconds();
    const int milliseconds = next > now ? (int)ceil(1000 * (next - now)) : 0;
    if (poll(files, 2, milliseconds) > 0 && files[0].revents)
      return unused;
    if (dog.socket >= 0)
      listen_to_all();
    now = heed_seconds();
    if (now < next)
      continue;
    if (now - last > 3 * dog.period + 1) /* this process was stopped: it has heard nothing and cannot judge */
      heed_vigil_begin_anew(dog.vigil, now);
    watch(now);
    last = now;
    next = now + dog.period;
  }
}

/* ---- the start ---- */

static double limit_wanted(void) {
  const char *set = getenv("HEED_WATCHDOG");
  char *end;
  if (!set || !set[0])
    return USUAL_LIMIT;
  const double seconds = strtod(set, &end);
  if (!*end && seconds >= 0 && seconds < 1e9)
    return seconds;
  heed_warn("HEED_WATCHDOG=%s is no number of seconds: it stays at %d", set, USUAL_LIMIT);
  return USUAL_LIMIT;
}

static int open_socket(void) {
  const int bytes = RECEIVE_BYTES, file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const struct sockaddr_in any = {.sin_family = AF_INET};
  if (file >= 0)
    setsockopt(file, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* thousands may speak at once */
  if (file >= 0 && bind(file, (const struct sockaddr *)&any, sizeof any) != 0) {
    close(file);
    return -1;
  }
  return file;
}

/* Where rank 0 is found: which of its networks the others reach, they find out. */
static void list_addresses(invitation *job) {
  struct sockaddr_in own;
  socklen_t length = sizeof own;
  struct ifaddrs *list = NULL;
  if (dog.socket < 0 || getsockname(dog.socket, (struct sockaddr *)&own, &length) != 0 || getifaddrs(&list) != 0)
    return;
  job->port = own.sin_port;
  for (const struct ifaddrs *i = list; i && job->count < MOST_ADDRESSES; i = i->ifa_next)
    if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_flags & IFF_UP)
      memcpy(&job->addresses[job->count++], &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, sizeof(uint32_t));
  freeifaddrs(list);
}

static void invite(invitation *job, const heed_host host) {
  job->limit = limit_wanted();
  if (getrandom(&job->token, sizeof job->token, GRND_NONBLOCK) != (ssize_t)sizeof job->token)
    job->token = (uint64_t)(1e9 * heed_seconds()) ^ (uint64_t)getpid() << 40;
  memcpy(job->host, host, HEED_HOST_BYTES);
  list_addresses(job);
}

static heed_status make_vigil(const heed_host *hosts) {
  dog.period = dog.job.limit < 4 ? dog.job.limit / 4 : 1;
  const heed_vigil_spec spec = {.rank = dog.rank,
                                .ranks = dog.ranks,
                                .hosts = hosts,
                                .limit = dog.job.limit + (dog.rank > 1 ? 2 * dog.period : 0), /* of those without rank 0 one speaks */
                                .silence = 2.5 * dog.period,
                                .start = heed_seconds()};
  return heed_vigil_create(&dog.vigil, &spec);
}

static heed_status begin(const heed_host *hosts) {
  dog.answered = -INFINITY;
  /* Rank 1 speaks for a rank 0 that is stopped.  From another machine a word would be on its way to the launcher if that is cut off, and
   * its daemon would then wait for an answer in place of finding out. */
  dog.speaks = dog.rank == 0 || (dog.rank == 1 && memcmp(hosts[0], hosts[1], sizeof *hosts) == 0);
  if (dog.rank == 0 && !(dog.from = calloc((size_t)dog.ranks, sizeof *dog.from)))
    return heed_error(HEED_FAILED, "out of memory for a list of %d ranks", dog.ranks);
  HEED_TRY(make_vigil(hosts));
  if ((dog.wake = eventfd(0, EFD_CLOEXEC)) < 0)
    return heed_error(HEED_FAILED, "%s", strerror(errno));
  const int error = heed_thread_start(&dog.thread, run, NULL);
  dog.running = error == 0;
  return error == 0 ? HEED_OK : heed_error(HEED_FAILED, "%s", strerror(error));
}

/* The hosts of the ranks that this one watches, in a vigil's order; NULL on all ranks when memory is short on any.  Collective. */
static heed_host *list_hosts(heed_communication *world, const heed_host own) {
  const heed_job *job = world->self;
  heed_host *hosts = calloc(dog.rank == 0 ? (size_t)dog.ranks : 2, sizeof *hosts);
  if (world->maximum(world, !hosts) != 0) {
    free(hosts);
    return NULL;
  }
  memcpy(hosts[0], dog.job.host, sizeof *hosts);
  if (dog.rank > 0)
    memcpy(hosts[1], own, sizeof *hosts);
  if (job)
    MPI_Gather(own, HEED_HOST_BYTES, MPI_CHAR, hosts, HEED_HOST_BYTES, MPI_CHAR, 0, job->ranks);
  return hosts;
}

void heed_watchdog_start(heed_communication *world) {
  heed_host own = "unknown";
  if (dog.started)
    return;
  gethostname(own, sizeof own - 1);
  dog.started = true;
  dog.rank = world->rank;
  dog.ranks = world->size;
  dog.socket = dog.ranks > 1 ? open_socket() : -1;
  dog.job = (invitation){0};
  if (dog.rank == 0)
    invite(&dog.job, own);
  world->broadcast(world, &dog.job, sizeof dog.job);
  heed_host *hosts = list_hosts(world, own);
  if (!hosts)
    heed_warn("no watchdog: memory is short");
  else if (dog.job.limit > 0 && begin((const heed_host *)hosts) != HEED_OK)
    heed_rank_warn("no watchdog here: %s", heed_error_text());
  free(hosts);
}

void heed_watchdog_stop(void) {
  if (dog.running && eventfd_write(dog.wake, 1) == 0)
    pthread_join(dog.thread, NULL);
  if (dog.wake >= 0)
    close(dog.wake);
  if (dog.socket >= 0)
    close(dog.socket);
  heed_vigil_free(dog.vigil);
  free(dog.from);
  dog.vigil = NULL;
  dog.from = NULL;
  dog.started = dog.running = false;
  dog.wake = dog.socket = -1;
}

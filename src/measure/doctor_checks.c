/* Facts that have limits: of a rank, of a machine and the ranks that share it, of links, of the run folder. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/doctor_judge.h"

/* What calls for a look.  Of /dev/shm: what Open MPI lays there for a rank, and what a machine is to have beside that. */
static const uint64_t LEAST_MEMORY = 256 << 20, LEAST_SHARED = 5 << 20, SPARE_SHARED = 16 << 20;
static const double CLOCK_LIMIT = 1.0; /* seconds */
static const double LEAST_RATE = 1e8;  /* bytes a second */
static const double SHARE_OF_MEDIAN = 1.0 / 3;

static const heed_doctor_rank *rank_at(const heed_judge *judge, int r) {
  return &judge->job->ranks[r];
}

/* Of all processors: what a launch itself makes of a machine's load, and the system beside it. */
static const double SHARE_OF_LOAD = 0.1;

/* ---- of a rank ---- */

/* Marks the ranks for which `is_so`, and gives the first of them, or NULL. */
static const heed_doctor_rank *mark_where(heed_judge *judge, bool (*is_so)(const heed_doctor_rank *r, int which), int which) {
  const heed_doctor_rank *first = NULL;
  for (int r = 0; r < judge->job->count; r++) {
    judge->about[r] = is_so(rank_at(judge, r), which);
    if (judge->about[r] && !first)
      first = rank_at(judge, r);
  }
  return first;
}

static bool is_refused_level(const heed_doctor_rank *r, int which) {
  (void)which;
  return !r->runs[0];
}
static bool has_unreadable_files(const heed_doctor_rank *r, int which) {
  return r->files[which].error[0] != 0;
}
static bool has_refused_data(const heed_doctor_rank *r, int which) {
  (void)which;
  return r->data_error[0] != 0;
}
static bool cannot_be_planned(const heed_doctor_rank *r, int which) {
  (void)which;
  return r->plan_error[0] != 0;
}
static bool sees_nothing(const heed_doctor_rank *r, int which) {
  (void)which;
  return r->sight == HEED_UNSEEN;
}
static bool has_own_lock(const heed_doctor_rank *r, int which) {
  (void)which;
  return r->lock_is_its_own;
}
static bool is_busy(const heed_doctor_rank *r, int which) {
  (void)which;
  return r->load > 1 + SHARE_OF_LOAD * r->topology.processors;
}
static bool has_other_time(const heed_doctor_rank *r, int which) {
  (void)which;
  return fabs(r->clock_offset) > CLOCK_LIMIT + r->clock_uncertainty;
}

static void judge_ranks(heed_judge *judge) {
  static const char *const files[HEED_DOCTOR_FILES] = {"training data", "validation data", "vocabulary"};
  const heed_doctor_rank *first = mark_where(judge, is_refused_level, 0);
  if (first)
    heed_judge_add(judge, HEED_WRONG, true, "unset HEED_ISA, or set it to the one of v2, v3, v4, v4-bf16, v4-amx that all processors have",
                   "HEED_ISA=%s names a level that is unknown or that the processor (%s) lacks", first->pinned, first->level);
  for (int k = 0; k < HEED_DOCTOR_FILES; k++)
    if ((first = mark_where(judge, has_unreadable_files, k)))
      heed_judge_add(
          judge, HEED_WRONG, true,
          "a file that is not there yet is made with `heed tokenizer train` and `heed prepare`; one that others read goes where all "
          "ranks find it under the same name: in a folder that all machines share",
          "the %s cannot be read: %s", files[k], first->files[k].error);
  if ((first = mark_where(judge, has_refused_data, 0)))
    heed_judge_add(judge, HEED_WRONG, true,
                   "name shards and the vocabulary that they were made with (data.train, data.validation, data.vocabulary), or make them "
                   "again with `heed prepare`",
                   "training would refuse the data: %s", first->data_error);
  if ((first = mark_where(judge, cannot_be_planned, 0)))
    heed_judge_add(judge, HEED_WRONG, true, "change the configuration", "the run cannot be planned: %s", first->plan_error);
  if ((first = mark_where(judge, is_busy, 0)))
    heed_judge_add(judge, HEED_DOUBTFUL, true,
                   "see with top what runs there beside this job: it slows each step of all ranks, and what is measured here",
                   "the machine is busy: a load of %.1f on its %d processors in the last minute", first->load, first->topology.processors);
  if ((first = mark_where(judge, has_other_time, 0)))
    heed_judge_add(judge, HEED_DOUBTFUL, true, "have the machines' clocks set by NTP or chrony",
                   "the clock is %.1f s %s that of rank 0: times of files and log lines will mislead", fabs(first->clock_offset),
                   first->clock_offset > 0 ? "ahead of" : "behind");
}

/* ---- of a machine ---- */

static bool is_on(const heed_judge *judge, int r, int machine) {
  return rank_at(judge, r)->machine == machine;
}

/* Threads of the ranks that may run on nothing but processors of `set`. */
static int threads_within(const heed_judge *judge, int machine, const heed_processors *set) {
  int threads = 0;
  for (int r = machine; r < judge->job->count; r++)
    if (is_on(judge, r, machine) && heed_processors_within(&rank_at(judge, r)->topology.may_run, set))
      threads += rank_at(judge, r)->threads;
  return threads;
}

/** A machine, or processors of one, with too many threads. */
typedef struct crowd {
  int places, threads, processors; /* how many; of the first */
  char where[64];
} crowd;

static void add_crowd(heed_judge *judge, crowd *c, int machine, const heed_processors *set, int threads, int processors) {
  if (c->places++ == 0) {
    c->threads = threads;
    c->processors = processors;
    heed_processors_text(set, c->where, sizeof c->where);
  }
  for (int r = machine; r < judge->job->count; r++)
    if (is_on(judge, r, machine) && heed_processors_within(&rank_at(judge, r)->topology.may_run, set))
      judge->about[r] = true;
}

/* Processors that ranks are bound to with more threads than processors: two ranks on the same cores, or one with more threads than it was
 * given cores.  Where there are none, the machine as a whole. */
static void find_crowds(heed_judge *judge, crowd *c, int machine) {
  const heed_judge *j = judge;
  heed_processors all = {0};
  bool is_crowded = false;
  int threads = 0;
  double processors;
  for (int r = machine; r < j->job->count; r++) {
    if (!is_on(j, r, machine))
      continue;
    const heed_processors *mine = &rank_at(j, r)->topology.may_run;
    heed_processors_add(&all, mine);
    threads += rank_at(j, r)->threads;
    const int load = judge->about[r] ? 0 : threads_within(j, machine, mine), room = heed_processors_count(mine);
    if (load > room) {
      add_crowd(judge, c, machine, mine, load, room);
      is_crowded = true;
    }
  }
  processors = heed_processors_count(&all);
  const double limit = rank_at(j, machine)->processor_limit;
  if (limit > 0 && limit < processors)
    processors = limit;
  if (!is_crowded && threads > processors + 0.5)
    add_crowd(judge, c, machine, &all, threads, (int)(processors + 0.5));
}

static void judge_threads(heed_judge *judge) {
  crowd c = {0};
  char more[64] = "";
  for (int m = 0; m < judge->job->count; m++)
    if (is_on(judge, m, m))
      find_crowds(judge, &c, m);
  if (c.places > 1)
    snprintf(more, sizeof more, ", and too many in %d more place%s", c.places - 1, c.places > 2 ? "s" : "");
  if (c.places > 0)
    heed_judge_add(
        judge, HEED_DOUBTFUL, true,
        "take fewer ranks, or fewer threads (OMP_NUM_THREADS); ranks that crowd where there is room beside are bound to processors "
        "of their own by mpirun --map-by slot:PE=N --bind-to core, N threads each, or left unbound by --bind-to none",
        "oversubscribed: %d threads on %d processor%s (%s)%s", c.threads, c.processors, c.processors == 1 ? "" : "s", c.where, more);
}

/** What the ranks of a machine take together, against what there is. */
typedef struct need {
  uint64_t needed, there;
} need;

/* Marks the ranks of machines where less is there than needed; `first` is of the first of them. */
static bool mark_machines(heed_judge *judge, need *first, need (*of)(const heed_judge *judge, int machine)) {
  bool any = false;
  for (int m = 0; m < judge->job->count; m++) {
    if (!is_on(judge, m, m))
      continue;
    const need n = of(judge, m);
    if (n.there >= n.needed)
      continue;
    if (!any)
      *first = n;
    any = true;
    for (int r = m; r < judge->job->count; r++)
      judge->about[r] = judge->about[r] || is_on(judge, r, m);
  }
  return any;
}

static need memory_of(const heed_judge *judge, int machine) {
  need n = {0, SIZE_MAX};
  for (int r = machine; r < judge->job->count; r++) {
    const heed_doctor_rank *one = rank_at(judge, r);
    if (one->machine != machine)
      continue;
    n.needed += one->plan_bytes > LEAST_MEMORY ? one->plan_bytes : LEAST_MEMORY;
    n.there = one->memory_free < n.there ? one->memory_free : n.there;
    n.there = one->memory_limit < n.there ? one->memory_limit : n.there;
  }
  return n;
}

static need shared_of(const heed_judge *judge, int machine) {
  need n = {0, rank_at(judge, machine)->shared_free};
  int ranks = 0;
  for (int r = machine; r < judge->job->count; r++)
    if (is_on(judge, r, machine)) {
      n.needed += LEAST_SHARED + rank_at(judge, r)->plan_shared;
      ranks++;
    }
  n.needed += SPARE_SHARED;
  return ranks > 1 ? n : (need){0, n.there};
}

static void judge_memory(heed_judge *judge) {
  need n;
  char needed[24], there[24];
  if (mark_machines(judge, &n, memory_of)) {
    heed_doctor_name_bytes(needed, n.needed);
    heed_doctor_name_bytes(there, n.there);
    heed_judge_add(judge, HEED_DOUBTFUL, true,
                   "use more machines, fewer ranks of each, or a smaller batch, sequence or model; `heed plan` tells more",
                   "low memory: the ranks of a machine want %s, and %s are free", needed, there);
  }
  if (mark_machines(judge, &n, shared_of)) {
    heed_doctor_name_bytes(needed, n.needed);
    heed_doctor_name_bytes(there, n.there);
    heed_judge_add(
        judge, HEED_DOUBTFUL, true,
        "remove what earlier jobs left in /dev/shm; a container is given more with --shm-size; without it the ranks of a machine "
        "send each other messages, which takes longer",
        "little room in /dev/shm, where ranks of a machine share memory: %s free, %s wanted", there, needed);
  }
}

/* ---- of links ---- */

static bool is_between(const heed_doctor_job *job, int r) {
  return job->ranks[r].machine != job->ranks[r + 1].machine;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int heed_doctor_slowest_link(const heed_doctor_job *job, bool between, double *median) {
  int count = 0, slowest = -1;
  double *rates = malloc((size_t)job->count * sizeof *rates);
  *median = 0;
  for (int r = 0; r + 1 < job->count; r++) {
    const double rate = job->ranks[r].link_rate;
    if (rate <= 0 || is_between(job, r) != between)
      continue;
    if (slowest < 0 || rate < job->ranks[slowest].link_rate)
      slowest = r;
    if (rates)
      rates[count++] = rate;
  }
  if (count > 0) {
    qsort(rates, (size_t)count, sizeof *rates, by_size);
    *median = rates[count / 2];
  }
  free(rates);
  return slowest;
}

static void judge_links(heed_judge *judge, bool between) {
  const heed_doctor_job *job = judge->job;
  double median;
  const int slowest = heed_doctor_slowest_link(job, between, &median);
  if (slowest < 0)
    return;
  const double limit = fmax(LEAST_RATE, SHARE_OF_MEDIAN * median);
  int slow = 0;
  char more[64] = "";
  for (int r = 0; r + 1 < job->count; r++)
    if (job->ranks[r].link_rate > 0 && is_between(job, r) == between && job->ranks[r].link_rate < limit) {
      judge->about[r] = judge->about[r + 1] = true;
      slow++;
    }
  if (slow > 1)
    snprintf(more, sizeof more, "; %d links are slow", slow);
  const heed_doctor_rank *from = &job->ranks[slowest], *to = from + 1;
  if (slow > 0)
    heed_judge_add(judge, HEED_DOUBTFUL, false,
                   between ? "see that MPI takes the fast network (OMPI_MCA_btl_tcp_if_include=NET/BITS), and look at cables and switches"
                           : "see that ranks of a machine share memory (btl vader, /dev/shm) and that each has a processor of its own",
                   "slow link: rank %d (%s) to rank %d (%s), %.3f GB/s and %.1f µs; the median %s is %.3f GB/s%s", from->rank, from->host,
                   to->rank, to->host, from->link_rate / 1e9, 1e6 * from->link_seconds, between ? "between machines" : "within machines",
                   median / 1e9, more);
}

/* ---- of the run folder ---- */

static void judge_room(heed_judge *judge, const heed_doctor_run *run) {
  const uint64_t wanted = run->checkpoint_bytes * (uint64_t)(run->keep + 1);
  char free_bytes[24], one[24];
  if (run->error[0] || run->checkpoint_bytes == 0 || run->free_bytes >= wanted)
    return;
  heed_doctor_name_bytes(free_bytes, run->free_bytes);
  heed_doctor_name_bytes(one, run->checkpoint_bytes);
  heed_judge_add(judge, run->free_bytes < run->checkpoint_bytes ? HEED_WRONG : HEED_DOUBTFUL, false,
                 "make room there, choose another run.output, or lower checkpoint.keep",
                 "little room for checkpoints: %s free at %s, and %lld of %s each may lie there at once (checkpoint.keep + 1)", free_bytes,
                 run->folder, (long long)run->keep + 1, one);
}

static void judge_folder(heed_judge *judge, const heed_doctor_run *run) {
  if (run->error[0])
    heed_judge_add(judge, HEED_WRONG, false, "choose another run.output, or get the right to write there",
                   "the run folder cannot be used: %s", run->error);
  if (mark_where(judge, sees_nothing, 0))
    heed_judge_add(judge, HEED_DOUBTFUL, true,
                   "set run.output to a folder that all machines share (NFS, Lustre), as an absolute path: a job that goes on with rank 0 "
                   "on another machine would not find its checkpoints",
                   "the run folder %s is not shared: what rank 0 writes there is not seen", run->folder);
  if (run->lock != HEED_LOCK_HELD)
    heed_judge_add(judge, HEED_DOUBTFUL, false,
                   "mount it with locks (Lustre: flock); else see yourself that no two jobs use one run folder at once",
                   run->lock == HEED_LOCK_NONE
                       ? "the file system of %s (%s) has no locks: a heartbeat stands in, and a restart after a kill waits half a minute"
                       : "the file system of %s (%s) gives one lock twice: a second job would not be refused",
                   run->folder, run->file_system);
  if (mark_where(judge, has_own_lock, 0))
    heed_judge_add(judge, HEED_DOUBTFUL, true, "mount it with locks that hold across machines (NFS: without nolock and local_lock)",
                   "the lock of %s, which rank 0 holds, is given here too: a second job from another machine would not be refused",
                   run->folder);
  if (strcmp(run->file_system, "tmpfs") == 0 || strcmp(run->file_system, "ramfs") == 0)
    heed_judge_add(judge, HEED_DOUBTFUL, false, "set run.output to a folder on a disk",
                   "the run folder %s is in memory (%s): checkpoints take it from training, and a restart of the machine loses them",
                   run->folder, run->file_system);
  judge_room(judge, run);
}

void heed_judge_limits(heed_judge *judge) {
  judge_ranks(judge);
  if (judge->job->ranks_refused)
    heed_judge_add(judge, HEED_WRONG, false, "launch on one of the numbers named, or change train.slices", "%s", judge->job->ranks_refused);
  if (judge->job->run)
    judge_folder(judge, judge->job->run);
  judge_threads(judge);
  judge_memory(judge);
  judge_links(judge, false);
  judge_links(judge, true);
}

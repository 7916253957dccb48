/** What `heed doctor` knows of the ranks of a job, and what it makes of it.
 *
 *  Facts are gathered by each rank into a record of fixed size (doctor_machine.c, doctor_files.c, doctor_folder.c), brought to rank 0, and
 *  judged there.  Judging (doctor_judge.c, doctor_checks.c) and the table (doctor_table.c) are pure: they see records and nothing else. */
#ifndef HEED_MEASURE_DOCTOR_H
#define HEED_MEASURE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/topology.h"
#include "checkpoint/lock.h"
#include "heed/communication.h"
#include "heed/config.h"

enum { HEED_DOCTOR_TEXT = 256, HEED_DOCTOR_PATH = 1024 };

/** The files that a configuration names, by what they are for. */
enum { HEED_DOCTOR_TRAIN, HEED_DOCTOR_VALIDATION, HEED_DOCTOR_VOCABULARY, HEED_DOCTOR_FILES };

typedef struct heed_doctor_files {
  int64_t count; /**< files; 0: none is named, or `error` */
  uint64_t bytes;
  uint64_t hash;                /**< of names, sizes and contents; of files above 256 MiB 256 parts of 1 MiB stand for the content */
  char error[HEED_DOCTOR_TEXT]; /**< why they cannot be read; empty: they can */
} heed_doctor_files;

/** Whether a rank sees what rank 0 wrote in the run folder. */
typedef enum heed_doctor_sight { HEED_UNTRIED, HEED_SEEN, HEED_UNSEEN } heed_doctor_sight;

/** A rank.  Plain memory of a fixed size: it travels as bytes.  Sizes of SIZE_MAX mean "no limit" or "unknown". */
typedef struct heed_doctor_rank {
  int rank;
  int machine; /**< the lowest rank on the same machine */
  char host[65];
  /* the program */
  char version[32], compiler[64], build_type[32];
  uint64_t build; /**< hash of the program's file; 0: unknown */
  char mpi[128];
  char level[24];  /**< the best instruction level of this processor */
  char pinned[24]; /**< HEED_ISA, empty where it is not set */
  char runs[24];   /**< the level that follows; empty: HEED_ISA names one that cannot be */
  char blas_core[32], blas_config[128];
  /* where it runs */
  int threads;
  heed_topology topology;
  double load;            /**< processes that ran on the machine at once, the mean of the last minute, before this job */
  double processor_limit; /**< a container's, in processors; 0: none */
  uint64_t memory_free, memory_limit;
  uint64_t shared_bytes, shared_free;     /**< of /dev/shm; both 0: there is none */
  double clock_offset, clock_uncertainty; /**< against rank 0, seconds */
  double link_seconds, link_rate;         /**< to the next rank: latency, and bytes a second; 0 for the last */
  /* with a configuration */
  uint64_t config; /**< hash of the resolved configuration */
  heed_doctor_files files[HEED_DOCTOR_FILES];
  char data_error[2 * HEED_DOCTOR_TEXT]; /**< why training would refuse what can be read; empty: it would not */
  heed_doctor_sight sight;
  bool lock_is_its_own;              /**< it got the lock that rank 0 holds */
  uint64_t plan_bytes;               /**< of this rank at its peak, without its neighbours'; 0: not planned */
  uint64_t plan_shared;              /**< of these, what it shares with its neighbours through /dev/shm */
  char plan_error[HEED_DOCTOR_TEXT]; /**< why it cannot be planned */
} heed_doctor_rank;

/** The run folder, as rank 0 finds it. */
typedef struct heed_doctor_run {
  char folder[HEED_DOCTOR_PATH];    /**< run.output */
  bool is_there;                    /**< else it is made when training starts; what follows is of the folder above */
  char file_system[64];             /**< its type, as the system names it */
  uint64_t free_bytes;              /**< SIZE_MAX: unknown */
  char error[2 * HEED_DOCTOR_TEXT]; /**< what went wrong in it; empty: it can be written, renamed in and made durable */
  heed_lock_answer lock;            /**< what the second who asks for a lock gets: HEED_LOCK_HELD is as it should be */
  uint64_t checkpoint_bytes;        /**< 0: not planned */
  int64_t keep;
} heed_doctor_run;

/** All that is judged. */
typedef struct heed_doctor_job {
  const heed_doctor_rank *ranks; /**< [count], in the order of ranks */
  int count;
  const heed_doctor_run *run; /**< NULL without a configuration */
  const char *ranks_refused;  /**< why this number of ranks cannot train; NULL: it can */
} heed_doctor_job;

/* ---- facts, rank-local but for the folder ---- */

/** Fills in the program and where it runs, but for what is told by MPI (machine, mpi, clock, link) and for threads.  Before the first
 *  parallel region.  Errors: HEED_FAILED when the system does not tell its processors. */
heed_status heed_doctor_look(heed_doctor_rank *rank);

/** Fills in `config` and `files`.  What cannot be read is a fact, not an error.  Errors: HEED_FAILED when memory is short. */
heed_status heed_doctor_read_files(heed_doctor_rank *rank, const heed_config *config);

/** Opens the data as training does, every token of them, and fills in `data_error`.  After heed_doctor_read_files: where a file cannot be
 *  read, which is told already, none is opened. */
void heed_doctor_open_data(heed_doctor_rank *rank, const heed_config *config);

/** Plans the run as `heed plan` does: fills in `plan_bytes` and `plan_shared`, or `plan_error`.  \param[in] communication  bytes, as in
 * measure/plan.h \param[out] checkpoint  bytes of a checkpoint */
void heed_doctor_plan(heed_doctor_rank *rank, const heed_config *config, int ranks, int ranks_on_node, int near, size_t communication,
                      uint64_t *checkpoint);

/** Tries the run folder: rank 0 writes below it, in a folder of its own that it removes again, and all look there.  Collective.
 *  Fills in `sight` and `lock_is_its_own` of each rank, and on rank 0 `run` but for checkpoint_bytes.  */
void heed_doctor_try_folder(heed_doctor_run *run, heed_doctor_rank *rank, const heed_config *config, heed_communication *communication);

/* ---- what follows from them; pure ---- */

typedef enum heed_severity { HEED_WRONG, HEED_DOUBTFUL } heed_severity;

typedef struct heed_finding {
  heed_severity severity;
  char what[2048], advice[512];
  int *ranks; /**< [count] those that it is about, ascending; none: the job as a whole */
  int count;
} heed_finding;

typedef struct heed_findings {
  heed_finding *items; /**< [count] what is wrong first */
  int count, wrong;
} heed_findings;

/** Judges.  \param[out] findings  to be freed with heed_findings_free, after an error too.  Errors: HEED_FAILED when memory is short. */
heed_status heed_doctor_judge(heed_findings *findings, const heed_doctor_job *job);
void heed_findings_free(heed_findings *findings);

/** The slowest link of those between ranks of one machine (`between` false) or of two; the rank that it begins at, −1 where there is none.
 *  \param[out] median  the median rate of its kind, bytes a second */
int heed_doctor_slowest_link(const heed_doctor_job *job, bool between, double *median);

enum { HEED_DOCTOR_COLUMNS = 10, HEED_DOCTOR_CELL = 160 };
extern const char *const heed_doctor_heads[HEED_DOCTOR_COLUMNS];

/** Ranks that are alike, as one row: same program, level, library, threads, and as many processors of the same kind.  Memory and room are
 *  the least of them, the clock's offset the largest. */
typedef struct heed_doctor_row {
  int first, count;                                  /**< the lowest of the ranks, and how many */
  char cells[HEED_DOCTOR_COLUMNS][HEED_DOCTOR_CELL]; /**< under heed_doctor_heads */
} heed_doctor_row;

/** Folds.  \param[out] rows  allocated, by their first ranks.  Errors: HEED_FAILED when memory is short. */
heed_status heed_doctor_fold(heed_doctor_row **rows, int *count, const heed_doctor_job *job);

/** "rank 3" or "ranks 0–3, 7"; what there is no room for becomes "…". */
void heed_doctor_name_ranks(char *text, size_t bytes, const int *ranks, int count);

/** The hosts of these ranks, each once: "alpha, beta", or "alpha … omega (16)" of more than three. */
void heed_doctor_name_hosts(char *text, size_t bytes, const heed_doctor_job *job, const int *ranks, int count);

/** "1.5 GiB" in 24 bytes at most; "?" for SIZE_MAX */
void heed_doctor_name_bytes(char text[24], uint64_t bytes);

#endif

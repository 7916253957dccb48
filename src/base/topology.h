/** The processors of this machine, and those among them that this process may run on (hwloc).
 *
 *  A processor is what the system schedules on: a hardware thread.  Its number is the system's. */
#ifndef HEED_BASE_TOPOLOGY_H
#define HEED_BASE_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_MOST_PROCESSORS = 8192, HEED_PROCESSOR_WORDS = HEED_MOST_PROCESSORS / 64 };

/** A set: processor p is bit p mod 64 of word p / 64. */
typedef struct heed_processors {
  uint64_t words[HEED_PROCESSOR_WORDS];
} heed_processors;

typedef struct heed_topology {
  heed_processors may_run;         /**< of the calling thread, and so of threads that it makes and does not bind */
  int processors;                  /**< of the machine; in a container, those that it may use */
  int cores, packages, numa_nodes; /**< that may_run has a part in */
} heed_topology;

/** Reads it.  Before OpenMP binds this thread (its first parallel region does).  Errors: HEED_FAILED when the system does not tell. */
heed_status heed_topology_read(heed_topology *topology);

int heed_processors_count(const heed_processors *set);

/** Whether all of `inner` is in `outer`. */
bool heed_processors_within(const heed_processors *inner, const heed_processors *outer);

/** sum = sum ∪ set */
void heed_processors_add(heed_processors *sum, const heed_processors *set);

/** "0-3,8", "none" for the empty set; what `bytes` (at least 16) have no room for becomes "…". */
void heed_processors_text(const heed_processors *set, char *text, size_t bytes);

#endif

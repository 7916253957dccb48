/** What only the ranks of a job can tell of each other: machines, clocks, and the links between neighbours.  For `heed doctor`.
 *
 *  All are collective.  Of a process by itself they tell that it is alone. */
#ifndef HEED_COMM_NEIGHBOURS_H
#define HEED_COMM_NEIGHBOURS_H

#include <stddef.h>

#include "heed/communication.h"

/** The link from a rank to the next. */
typedef struct heed_link {
  double seconds;          /**< half a round trip of 8 bytes, the shortest of many */
  double bytes_per_second; /**< one way, of 4 MiB; the highest of several */
} heed_link;

/** A machine's clock against that of rank 0's machine. */
typedef struct heed_clock_offset {
  double seconds;     /**< ahead, if positive */
  double uncertainty; /**< ±: half the shortest round trip */
} heed_clock_offset;

/** The lowest rank of this rank's machine, which names the machine. */
int heed_world_machine(heed_communication *world);

/** Measures the link to rank + 1; the last rank has none and gets zeros.  Every second link is measured at the same time, first those of
 * the tree's distance 1 (0–1, 2–3, …), so that ranks of one machine share its network as they do in a step.  A second or two, up to
 *  twelve where ranks crowd on processors or links are slow.
 *  Errors: HEED_FAILED when memory is short on any rank. */
heed_status heed_world_measure_link(heed_communication *world, heed_link *link);

/** Compares the clocks of the machines, rank 0's with each in turn, by messages there and back (Cristian 1989). */
void heed_world_compare_clocks(heed_communication *world, heed_clock_offset *clock);

/** Brings each rank's `bytes` bytes to rank 0: all[size][bytes], in the order of ranks; `all` is ignored elsewhere. */
void heed_world_gather(heed_communication *world, void *all, const void *mine, size_t bytes);

/** What the MPI library says of itself, its first line.  Rank-local, needs no world. */
void heed_world_library(char *text, size_t bytes);

#endif

/** What this machine can do at most, measured: the figures that others are held against.
 *
 *  A ceiling is measured in the same run as what it judges, before, between and after, and the highest counts.  Where a result lies above
 *  it, other programs kept it down: it is measured HEED_CEILING_MORE times more, and a result that still lies above it is an error of the
 *  measurement. */
#ifndef HEED_MEASURE_CEILING_H
#define HEED_MEASURE_CEILING_H

#include "heed/communication.h"
#include "heed/config.h"

/** Seconds of one count: long enough that ranks or threads that share a processor all have their turns.  The best of several counts. */
#define HEED_CEILING_WINDOW 0.02

enum { HEED_CEILING_MORE = 16 };

/** The highest rate of multiply-adds in a precision, in floating-point operations a second, of all threads of all ranks at once: chains of
 *  instructions whose operands are registers, enough of them to hide their latency (chains.h).  bf16 on a processor without products of
 *  bf16 is held against fp32, in which it is multiplied there.  Collective; about 0.2 s.
 *  \param[in,out] flops  raised to what is measured; 0 before the first time */
void heed_ceiling_raise_flops(double *flops, heed_precision precision, heed_communication *communication);

/** The highest rate of memory, in bytes a second, of all threads of all ranks: a[i] = b[i] + s · c[i] over blocks larger than the
 *  caches, counted as 12 bytes an element (STREAM triad, McCalpin 1995).  Collective; about 0.2 s.
 *  \param[in,out] bytes_per_second  raised to what is measured; 0 before the first time
 *  \param[in] ranks_on_node  that share this machine's memory
 *  Errors: HEED_FAILED when memory is short. */
heed_status heed_ceiling_raise_bandwidth(double *bytes_per_second, heed_communication *communication, int64_t ranks_on_node);

/** Σ over ranks of each one's value, on all.  Collective. */
double heed_ceiling_sum(double value, heed_communication *communication);

#endif

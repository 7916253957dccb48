/** What this machine can do at most, measured: the figures that others are held against.
 *
 *  A ceiling is measured in the same run as what it judges, before, between and after, and the highest counts; a result above it is an
 *  error of the measurement. */
#ifndef HEED_MEASURE_CEILING_H
#define HEED_MEASURE_CEILING_H

#include "heed/communication.h"
#include "heed/config.h"

/** Seconds of one count: long enough that ranks or threads that share a processor all have their turns.  The best of several counts. */
#define HEED_CEILING_WINDOW 0.02

/** The highest rate of multiply-adds in a precision, in floating-point operations a second, of all threads of all ranks at once: chains of
 *  instructions whose operands are registers, enough of them to hide their latency (chains.h).  bf16 on a processor without products of
 *  bf16 is held against fp32, in which it is multiplied there.  Collective; about 0.2 s. */
double heed_ceiling_flops(heed_precision precision, heed_communication *communication);

/** The highest rate of memory, in bytes a second, of all threads of all ranks: a[i] = b[i] + s · c[i] over blocks larger than the
 *  caches, counted as 12 bytes an element (STREAM triad, McCalpin 1995).  Collective; about 0.2 s.
 *  \param[in] ranks_on_node  that share this machine's memory
 *  Errors: HEED_FAILED when memory is short. */
heed_status heed_ceiling_bandwidth(double *bytes_per_second, heed_communication *communication, int64_t ranks_on_node);

/** Σ over ranks of each one's value, on all.  Collective. */
double heed_ceiling_sum(double value, heed_communication *communication);

#endif

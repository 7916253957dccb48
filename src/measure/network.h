/** What an exchange between ranks takes, by latency α and bandwidth β (Hockney 1994).
 *
 *  The sum goes by halving and the return by doubling (Rabenseifner 2004), each in log₂P messages a rank, of n(P − 1)/P bytes together:
 *
 *      log₂P · α + (P − 1)/P · n/β        and both, an allreduce:  2 log₂P · α + 2(P − 1)/P · n/β */
#ifndef HEED_MEASURE_NETWORK_H
#define HEED_MEASURE_NETWORK_H

#include <stdint.h>

typedef struct heed_network {
  double latency;   /**< α, seconds of a message */
  double bandwidth; /**< β, bytes a second of a rank, in each direction */
} heed_network;

/** Seconds of one half, the sum or the return, of n bytes; 0 for one rank.  Pure. */
double heed_network_half(const heed_network *network, int64_t ranks, double bytes);

/** Fits α and β to allreduces of `bytes[count]` that took `seconds[count]`, by the least Σ |t′ − t|/√(t·t′), t′ the formula's: small sizes
 *  count as large ones do, twice as long as half as long, and a time that was disturbed does not carry the others with it.  A latency that
 *  would come out negative is 0.  ranks ≥ 2, count ≥ 1.  Pure. */
heed_network heed_network_fit(const double *bytes, const double *seconds, int64_t count, int64_t ranks);

#endif

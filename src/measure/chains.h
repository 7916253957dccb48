/** Multiply-adds in registers, as many as a processor can do: the loops that ceilings are counted with. */
#ifndef HEED_MEASURE_CHAINS_H
#define HEED_MEASURE_CHAINS_H

#include "heed/config.h"

/** Rounds of a loop between two looks at the clock: some 50 to 200 microseconds. */
enum { HEED_CHAIN_ROUNDS = 16384 };

/** A loop: accumulators enough to hide the latency of an instruction, all their operands in registers. */
typedef struct heed_chains {
  double (*run)(void); /**< one thread's; gives the sum of all lanes, so that nothing is left out.  NULL: not on this processor */
  double flops;        /**< of one run: two a multiply-add */
} heed_chains;

/** The widest loop of this processor, by its flags: AVX-512, AVX2 with FMA, SSE; other processors: what the compiler makes of it. */
heed_chains heed_chains_fp32(void);

/** TDPBF16PS, tiles of 16 × 32 by 32 × 16: four of sums, two of each factor, as a product has them.  A run gives flops / 2.
 *  The first call asks the operating system for the tiles, for the whole process. */
heed_chains heed_chains_amx(void);

/** VDPBF16PS, two multiply-adds a lane.  A run gives flops / 2. */
heed_chains heed_chains_avx512_bf16(void);

/** What a precision may be held against: for bf16 the first of AMX, AVX512-BF16 and fp32 that runs here. */
heed_chains heed_chains_of(heed_precision precision);

#endif

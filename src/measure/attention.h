/** Attention alone, forward and backward, through the kernels, held against this machine's ceiling of multiply-adds. */
#ifndef HEED_MEASURE_ATTENTION_H
#define HEED_MEASURE_ATTENTION_H

#include "heed/communication.h"
#include "heed/config.h"
#include "kernels/kernels.h"

/** Heads as BERT-base and GPT-2 small have them, with dropout of 0.1; batch · sequence length is about HEED_ATTENTION_TOKENS. */
enum { HEED_ATTENTION_LENGTHS = 3, HEED_ATTENTION_TOKENS = 4096, HEED_ATTENTION_HEADS = 12, HEED_ATTENTION_HEAD_WIDTH = 64 };
extern const int64_t heed_attention_lengths[HEED_ATTENTION_LENGTHS];

typedef struct heed_attention_result {
  int64_t sequence_length, batch;
  double seconds_forward, seconds_backward; /**< the best of several windows, of this rank */
  double flops_per_second; /**< of all ranks: 4·D a pair of query and key that sees it forward, 10·D backward, heads and batch */
  double ceiling;          /**< multiply-adds, floating-point operations a second */
} heed_attention_result;

/** Measures each length, on all threads of all ranks at once: each rank works for itself.  Collective.
 *  \param[out] results  [HEED_ATTENTION_LENGTHS]
 *  Errors: HEED_FAILED when memory is short, or when attention was faster than the ceiling: then the ceiling was disturbed. */
heed_status heed_attention_measure(heed_attention_result *results, heed_precision precision, bool causal, const heed_kernels *kernels,
                                   heed_communication *communication);

#endif

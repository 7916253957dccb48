/** The speed of tokenizing and of preparing, on all threads. */
#ifndef HEED_MEASURE_TOKENIZER_H
#define HEED_MEASURE_TOKENIZER_H

#include "heed/tokenizer.h"

typedef struct heed_tokenizer_speed {
  int64_t bytes, tokens;  /**< of the text, and what preparing makes of it */
  double encode_seconds;  /**< all lines, in memory, to ids */
  double prepare_seconds; /**< the files to a token shard that is on the disk */
  double read_seconds;    /**< reading the files, finding their lines and hashing them: on one thread, no preparing is faster */
} heed_tokenizer_speed;

/** Whether all inputs can be read several times.  Errors: HEED_INVALID for standard input and pipes. */
heed_status heed_tokenizer_check_inputs(const char *const *inputs, int count);

/** Passes all text through `tokenizer` several times; the medians.  Rank-local; all threads.
 *  \param[in] inputs  [count] text files
 *  \param[in] output  where to make shards; the last one stays there
 *  Errors: as heed_prepare and heed_tokenizer_check_inputs. */
heed_status heed_tokenizer_measure(heed_tokenizer_speed *speed, const heed_tokenizer *tokenizer, const char *const *inputs, int count,
                                   const char *output);

#endif

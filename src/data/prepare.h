/** Text to a token shard: a paragraph a line, a blank line between documents; each file begins a new one.
 *
 *  Paragraphs are cut into sentences (sentences.h) and encoded by all threads, a batch of lines at a time; the shard depends on the text
 *  alone, not on the number of threads.  Memory is bounded whatever the input (text.h).  A line longer than a batch is a paragraph all
 *  the same; where its parts meet a sentence ends. */
#ifndef HEED_DATA_PREPARE_H
#define HEED_DATA_PREPARE_H

#include "data/shard_writer.h"
#include "heed/tokenizer.h"

typedef struct heed_prepare_report {
  heed_shard_counts counts;
  int64_t bytes;    /**< of text read */
  int64_t replaced; /**< ill-formed UTF-8 sequences */
  int64_t unknown;  /**< [UNK] among the tokens */
} heed_prepare_report;

/** Encodes `inputs` ("-" = standard input) into the shard `output`, which is replaced only when all is well.
 *  Errors: as heed_text_open, heed_text_next and heed_shard_writer_finish. */
heed_status heed_prepare(const heed_tokenizer *tokenizer, const char *output, const char *const *inputs, int input_count,
                         heed_prepare_report *report);

#endif

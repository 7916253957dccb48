/** Text to a token shard: a paragraph a line, a blank line between documents; each file begins a new one.
 *
 *  For WordPiece paragraphs are cut into sentences (sentences.h).  For BPE a paragraph is one, with its newline, so that a document's
 * tokens stand for its lines just as they are.  All threads encode, a batch of lines at a time; the shard depends on the text alone, not on
 *  the number of threads.  Memory is bounded whatever the input (text.h).  A line longer than a batch is a paragraph all the same; where
 *  its parts meet a sentence ends, and only there, where 8 MiB hold no place to cut (pretokens.h), a BPE word may be cut. */
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

/** Trains a byte-level BPE vocabulary, the way Hugging Face's ByteLevelBPETokenizer.train does with <|endoftext|> as its special token.
 *
 *  Pre-tokens (pretokens.h) are cut into bytes; then the most frequent pair of neighbours is joined, again and again, each time adding a
 *  merge and its token, until the vocabulary is full or no pair stands twice.  Ids: <|endoftext|> is 0, the 256 bytes follow in the order
 * of their characters (byte_alphabet.h), then the joined tokens as they were made.  The result depends on the text alone, not on threads.
 */
#ifndef HEED_DATA_BPE_TRAINER_H
#define HEED_DATA_BPE_TRAINER_H

#include "data/trained_vocabulary.h"

/** Reads the files and trains; the text is as heed_bpe_print prints it.  To be freed with heed_trained_vocabulary_free.
 *  Errors: as heed_text_open and heed_text_next; HEED_INVALID for a text without words, or a size below 257. */
heed_status heed_bpe_train(heed_trained_vocabulary *vocabulary, const char *const *inputs, int input_count, int64_t size);

#endif

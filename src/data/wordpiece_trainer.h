/** Trains a WordPiece vocabulary, the way Hugging Face's BertWordPieceTokenizer.train does.
 *
 *  Words are cut into characters, all but the first with ## before it; then the most frequent pair of neighbours is joined, again and
 *  again, each time adding a token, until the vocabulary is full or no pair stands twice.  The 1,000 most frequent characters are the
 *  alphabet; a word with another one is left out.  Of equals the earlier one wins (characters by code point, pairs by their pieces'
 *  ids), so the result depends on the text alone, not on threads.
 *  Source: Schuster & Nakajima 2012; Sennrich et al. 2016, alg. 1; tokenizers, WordPieceTrainer. */
#ifndef HEED_DATA_WORDPIECE_TRAINER_H
#define HEED_DATA_WORDPIECE_TRAINER_H

#include <stdbool.h>

#include "data/trained_vocabulary.h"

/** Reads the files and trains; the text is a vocab.txt: [PAD] [UNK] [CLS] [SEP] [MASK], characters, ##characters, joined pieces in the
 * order they were made.  To be freed with heed_trained_vocabulary_free. Errors: as heed_text_open and heed_text_next; HEED_INVALID for a
 * text without words, or a size too small for its alphabet. */
heed_status heed_wordpiece_train(heed_trained_vocabulary *vocabulary, const char *const *inputs, int input_count, bool cased, int64_t size);

#endif

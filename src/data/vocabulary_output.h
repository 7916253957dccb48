/** Where a trained vocabulary goes: a file for WordPiece, a folder with two files for BPE. */
#ifndef HEED_DATA_VOCABULARY_OUTPUT_H
#define HEED_DATA_VOCABULARY_OUTPUT_H

#include "heed/tokenizer.h"

/** Before the work, and lest a slip of the command line costs someone's text: what would be replaced at `path` must be an earlier
 *  vocabulary of this kind, alone in its folder, and none of the inputs.  Errors: HEED_INVALID; HEED_IO when nothing can be written there.
 */
heed_status heed_vocabulary_check_output(const char *path, heed_vocabulary_kind kind, const char *const *inputs, int input_count);

/** Writes a vocabulary in one piece; a folder that is not there is made.  Errors: HEED_INVALID, HEED_IO. */
heed_status heed_vocabulary_write(const char *path, const heed_tokenizer *tokenizer);

#endif

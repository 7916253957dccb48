/** Text made fit to be looked at. */
#ifndef HEED_INSPECT_SHOWN_H
#define HEED_INSPECT_SHOWN_H

#include "heed/tokenizer.h"

/** A token as people read it: of a WordPiece vocabulary its name; of a byte-level one its bytes, spaces as ␣, ends of lines as ↵, and
 *  bytes that are no whole character as ⟨E2⟩.  Allocated; NULL when memory is short. */
char *heed_shown_token(const heed_tokenizer *tokenizer, int32_t id);

/** The bytes of a byte-level token, likewise. */
char *heed_shown_bytes(const char *text);

/** A text in which U+FFFD stands for what is not UTF-8.  Allocated; NULL when memory is short. */
char *heed_shown_text(const char *text);

#endif

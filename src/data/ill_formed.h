/** Where a text is not UTF-8.  WordPiece drops such bytes, BPE has U+FFFD for them; that is said once, with the first place. */
#ifndef HEED_DATA_ILL_FORMED_H
#define HEED_DATA_ILL_FORMED_H

#include "data/text.h"

typedef struct heed_ill_formed {
  int64_t count;    /**< ill-formed sequences */
  const char *path; /**< of the first: its file, not owned, and its line there */
  int64_t line;
  bool kept; /**< not dropped but replaced, as by BPE: said in the warning */
} heed_ill_formed;

/** Counts those of a line. */
void heed_ill_formed_look(heed_ill_formed *found, const heed_line *line);

/** Adds what was found behind it. */
void heed_ill_formed_add(heed_ill_formed *all, const heed_ill_formed *more);

/** Warns, when there is any.  Before the text is closed, to which the path belongs. */
void heed_ill_formed_warn(const heed_ill_formed *found);

#endif

/** The name that was meant by one that is not known. */
#ifndef HEED_BASE_SPELLING_H
#define HEED_BASE_SPELLING_H

/** How many changes lead from a to b: a letter inserted, left out, replaced, or swapped with its neighbour (optimal string alignment).
 *  64 when one of them is longer than that. */
int heed_spelling_distance(const char *a, const char *b);

/** The one of `names` that `word` is most like: at most a third of its letters away, or begun by it.  NULL when there is none. */
const char *heed_spelling_nearest(const char *word, const char *const *names, int count);

#endif

/** Where a paragraph is cut into sentences.
 *
 *  The rule.  A sentence ends after one or more of . ! ? … and any closing quotes or brackets, if white space follows and then an
 *  upper-case letter, a digit or an opening quote (an opening bracket counts if one of these follows it).  It does not end
 *    – after a full stop that belongs to a title or abbreviation (Mr. Dr. vs. e.g. …), to one letter (J. Smith; but not "I."), to letters
 *      with stops between them (U.S. i.e.), or, when a digit follows, to a word like No. p. Fig. Jan.;
 *    – when it would be a number alone (the "1." of a list).
 *  The full stops of Chinese and Japanese text, 。！？, end a sentence whatever follows.  Cuts lie at white space or behind one of these
 *  three, so never inside a word, and the tokens of a paragraph are those of its sentences. */
#ifndef HEED_DATA_SENTENCES_H
#define HEED_DATA_SENTENCES_H

#include <stddef.h>

/** The end of the sentence that begins at byte `from` < `bytes`: where the next one begins, or `bytes`.  White space between two belongs
 *  to the first. */
size_t heed_sentence_end(const char *text, size_t bytes, size_t from);

#endif

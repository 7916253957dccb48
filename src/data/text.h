/** Text files as batches of lines, in order, in bounded memory.  A line longer than a batch (8 MiB) comes in parts, cut
 *  where the rule given says: words.h and pretokens.h have rules that change no token. */
#ifndef HEED_DATA_TEXT_H
#define HEED_DATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_TEXT_PIECES = 64 };

typedef struct heed_line {
  const char *text; /**< without its newline, which stands behind it if it ends here, also that of a file without a last one */
  size_t bytes;
  bool begins, ends; /**< whether the line's first and last characters are here */
  bool new_file;     /**< first line of a file */
  const char *path;  /**< its file, for messages; valid until the text is closed */
  int64_t number;    /**< its number there, from 1 */
} heed_line;

typedef struct heed_text heed_text;

/** Where to cut text that is too long: a place in (0, bytes]. */
typedef size_t heed_text_cut(const char *text, size_t bytes);

/** Takes the files in this order; "-" is standard input.
 *  Errors: HEED_INVALID when one is missing, unreadable, a folder or a device: said before any is read. */
heed_status heed_text_open(heed_text **text, const char *const *paths, int count, heed_text_cut *cut);

/** The name of an input in messages.  \param[in] path  as heed_text_open takes it */
const char *heed_text_shown(const char *path);

/** The next lines; valid until the next call.  \param[out] count  0 at the end.
 *  Errors: HEED_IO for a failed read; HEED_INVALID for a file that is compressed or UTF-16 and not text, and for a named pipe into which
 *  no program writes. */
heed_status heed_text_next(heed_text *text, const heed_line **lines, int64_t *count);

/** Hashes of the files read to their ends, in order.  \param[out] count  their number. */
const uint64_t *heed_text_hashes(const heed_text *text, int64_t *count);

/** Bytes read so far, and bytes of all files (0 when one is not a regular file). */
int64_t heed_text_read_bytes(const heed_text *text);
int64_t heed_text_all_bytes(const heed_text *text);

/** Whether the opened files hold the file at this path. */
bool heed_text_holds(const heed_text *text, const char *path);

void heed_text_close(heed_text *text);

/** Cuts lines into HEED_TEXT_PIECES runs of about the same number of bytes: piece i is lines [starts[i], starts[i + 1]).  What threads
 *  take in turn; it depends on the lines alone. */
void heed_text_pieces(const heed_line *lines, int64_t count, int64_t starts[HEED_TEXT_PIECES + 1]);

#endif

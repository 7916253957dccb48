/** Messages for people, on standard error.  Standard output belongs to results.
 *
 *  A message is one line: control characters in it (of a file's name) are shown as ?.
 *
 *  heed_info, heed_warn (what goes on all the same) and heed_complain (the error that ends the program) speak once for the whole job
 *  (rank 0); heed_rank_warn speaks for the rank that calls it, with its number. */
#ifndef HEED_LOG_H
#define HEED_LOG_H

#include <stdbool.h>

/** Tells the log who speaks.  Called once after the world is known; before that the process is rank 0 of 1. */
void heed_log_set_rank(int rank, int size);

/** Silences heed_info (warnings stay). */
void heed_log_set_quiet(bool quiet);

void heed_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void heed_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void heed_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void heed_rank_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A line as it is, from any thread and whichever rank: for one that watches the others, and may end the process next.  It waits for no
 *  lock, and for at most a second where nobody reads standard error. */
void heed_alarm(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same behind `prefix` and, in a job of several, the rank. */
void heed_rank_alarm(const char *prefix, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Whether this rank speaks for the job: rank 0. */
bool heed_log_speaks(void);

/** The same from a signal handler, on rank 0: `line` ends in a newline. */
void heed_log_from_handler(const char *line);

/** A progress line: on a terminal it is drawn over the one before; elsewhere it is a plain line.  Rank 0 only. */
void heed_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Ends the progress line on a terminal, so that other output starts on a fresh line. */
void heed_progress_end(void);

/** Whether heed_progress draws on a terminal. */
bool heed_log_is_terminal(void);

/** Width of that terminal, 80 where it is not known. */
int heed_log_columns(void);

#endif

/** Signals that ask a run to save and stop: USR1, TERM and INT. */
#ifndef HEED_TRAIN_SIGNALS_H
#define HEED_TRAIN_SIGNALS_H

/** Installs the handlers; before MPI_Init, which would let USR1 kill.  A handler only sets a flag; a first INT says
 *  what a second one does: it ends the process at once (exit code 130), without saving, and so the launcher the job.  XFSZ and PIPE are
 *  ignored: a write over the limit of file sizes, or to a log that nobody reads, then fails as an ordinary write does. */
void heed_signals_install(void);

/** The signal that came last, or 0. */
int heed_signals_pending(void);

#endif

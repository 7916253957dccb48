/** Another program, run to its end by a command of ours; neither outlives the other. */
#ifndef HEED_MEASURE_CHILD_H
#define HEED_MEASURE_CHILD_H

#include <signal.h>

#include "heed/status.h"

/** Holds back the signals that end a program (INT, TERM, HUP) until heed_child_release, so that what was made can be removed first.
 *  \param[out] before  to be given back */
void heed_child_hold(sigset_t *before);

/** Lets them through again: one that came meanwhile takes effect here. */
void heed_child_release(const sigset_t *before);

/** Runs `arguments[0]` (searched in PATH) and waits for its end.  Between hold and release.  Both its output streams go to the file
 *  `output`; it has nothing to read.  A signal held back asks it to end (TERM, after ten seconds KILL) and stays pending; should this
 *  process be killed, it is asked too.
 *  \param[in]  before  the signals that the program starts with
 *  \param[out] code  its exit code, or 128 + the signal that ended it
 *  Errors: HEED_FAILED when no process can be made, HEED_STOPPED when a signal came. */
heed_status heed_child_run(char *const arguments[], const char *output, const sigset_t *before, int *code);

#endif

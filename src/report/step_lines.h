/** Files of JSON objects, a line each, that belong to steps: metrics.jsonl and samples.jsonl. */
#ifndef HEED_REPORT_STEP_LINES_H
#define HEED_REPORT_STEP_LINES_H

#include <jansson.h>
#include <stdint.h>

#include "heed/status.h"

/** Takes one line's object, which has a step; it keeps a reference if it keeps the object.  Any status but HEED_OK ends the reading. */
typedef heed_status heed_step_line_taker(void *context, json_t *object, int64_t step);

/** Gives every line to `take`, in their order.  Passed over: a last line that a kill left unfinished, and lines that are no objects with
 *  a step (a file system may leave zeros after a crash).  A file that is not there has no lines.
 *  Errors: HEED_IO; HEED_INVALID for a pipe or device; what `take` returns. */
heed_status heed_step_lines_read(const char *path, heed_step_line_taker *take, void *context);

/** The same up to `step`: lines of later steps are cut away (a run resumed at `step` makes them anew), and so are those passed over.  The
 *  file is replaced at once by one without them. */
heed_status heed_step_lines_cut(const char *path, int64_t step, heed_step_line_taker *take, void *context);

#endif

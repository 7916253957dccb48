/** A file that grows by whole pieces while a run goes on: metrics, samples, events. */
#ifndef HEED_REPORT_APPEND_H
#define HEED_REPORT_APPEND_H

#include <stddef.h>

#include "heed/status.h"

typedef struct heed_append heed_append;

/** Opens a file for appending; one that is not there is made, but not where a link leads.  Errors: HEED_IO. */
heed_status heed_append_open(heed_append **file, const char *path);

/** Appends with one write.  Errors: HEED_IO, and then nothing of the piece stays in the file, so that the next does not run on from it. */
heed_status heed_append_write(heed_append *file, const void *piece, size_t bytes);

void heed_append_close(heed_append *file);

#endif

/** The page of an inspection.  Its HTML, CSS and JavaScript are the files of src/inspect/page/, which the build turns into C. */
#ifndef HEED_INSPECT_PAGE_H
#define HEED_INSPECT_PAGE_H

#include "heed/inspection.h"

/** Prints it.  Errors: HEED_FAILED when memory is short; a failure of the stream is left for the caller to see. */
heed_status heed_page_print(const heed_inspection *inspection, FILE *out);

/** Text with a zero behind it; the HTML with @style@, @script@, @facts@, @weights@ and @rollout@ where these belong. */
extern const char heed_page_html[], heed_page_style[], heed_page_script[];

#endif

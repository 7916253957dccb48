/** What no single value shows: whether the values of a configuration fit each other. */
#ifndef HEED_BASE_CONFIG_CHECK_H
#define HEED_BASE_CONFIG_CHECK_H

#include "base/config_document.h"

/** Works out what was not given from what was: run.name or run.output, feed_forward, slices. */
heed_status heed_config_derive(heed_config *config, const heed_config_document *document);

/** Errors: HEED_INVALID naming both keys, with the place of the first of them that was given. */
heed_status heed_config_check(const heed_config *config, const heed_config_document *document);

#endif

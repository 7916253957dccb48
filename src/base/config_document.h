/** The configuration's values as texts, each with the place it comes from: what YAML and --set gave, before it is converted. */
#ifndef HEED_BASE_CONFIG_DOCUMENT_H
#define HEED_BASE_CONFIG_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/config_fields.h"

typedef struct heed_config_value {
  char **items; /**< one text, or the entries of a list; NULL: not given */
  int64_t count;
  int line;            /**< in the file */
  const char *setting; /**< the --set that gave it; NULL: the file.  Not owned */
} heed_config_value;

typedef struct heed_config_document {
  const char *name;                                 /**< the file, for messages.  Not owned */
  heed_config_value values[HEED_CONFIG_MAX_FIELDS]; /**< in the order of heed_config_fields */
} heed_config_document;

/** Reads YAML: sections of keys, each key known, given once, and of a value that its field takes. */
heed_status heed_config_document_read(heed_config_document *document, const char *text, size_t bytes);

/** Replaces a value by "KEY=VALUE".  `setting` must outlive the document. */
heed_status heed_config_document_set(heed_config_document *document, const char *setting);

/** Gives a value that nobody gave (a default). */
heed_status heed_config_document_fall_back(heed_config_document *document, int field, const char *text);

/** Puts the place of a value ("FILE:LINE: " or "--set KEY=VALUE: ") before the error text; the name alone where it was not given. */
heed_status heed_config_document_at(const heed_config_document *document, const heed_config_value *value, heed_status status);

void heed_config_document_free(heed_config_document *document);

#endif

/** The configuration's fields: one table that drives reading, defaults, checks, printing and the comparison at resume. */
#ifndef HEED_BASE_CONFIG_FIELDS_H
#define HEED_BASE_CONFIG_FIELDS_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

#include "heed/config.h"
#include "heed/status.h"

/** One key.  `schema` is libcyaml's: the dotted path ("model.layers"), the type, and the place in heed_config. */
typedef struct heed_config_field {
  cyaml_schema_field_t schema;
  double low, high;         /**< numbers: what is possible */
  bool low_open, high_open; /**< whether the end itself is impossible */
  bool required;
  const char *fallback;  /**< the default, as it would stand in YAML (heed_config_fallback); NULL: none, or worked out from others */
  const char *possible;  /**< texts: the words that are possible, separated by commas; NULL: any */
  const char *not_built; /**< words that are understood but not built yet, likewise */
  bool may_change;       /**< whether a resumed run may give it another value */
  bool any_weights;      /**< of the model section: whether weights mean the same whatever its value (dropouts, initialisation) */
} heed_config_field;

enum { HEED_CONFIG_MAX_FIELDS = 96, HEED_CONFIG_MAX_TEXT = 4096, HEED_CONFIG_MAX_LIST = 65536 };

extern const heed_config_field heed_config_fields[];
extern const int heed_config_field_count;

/** The default of a field in a model of that family; NULL: none. */
const char *heed_config_fallback(const heed_config_field *field, const char *family);

/** The index of a dotted path, or −1. */
int heed_config_find(const char *path);

/** Whether `name`, `length` bytes long, is a section. */
bool heed_config_is_section(const char *name, size_t length);

/** Keeps the error text for a key that no field has, with the nearest ones.  `path`: dotted, or a section's name alone. */
heed_status heed_config_unknown_key(const char *path);

/** Checks the text of a value (`items`: one, or the entries of a list) against its field.
 *  Errors: HEED_INVALID with what is expected or possible; the caller puts the place before it. */
heed_status heed_config_check_value(const heed_config_field *field, char *const *items, int64_t count);

/** The field's value as it stands in YAML: numbers shortest, texts quoted, lists in brackets.
 *  \param[out] text  allocated; NULL when the field is empty (no text, no list). */
heed_status heed_config_value_text(const heed_config *config, const heed_config_field *field, char **text);

/** `items` as YAML: quoted; with `list`, in brackets.  Allocated; NULL when memory is short. */
char *heed_config_quote(char *const *items, int64_t count, bool list);

#endif

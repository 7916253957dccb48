/* The configuration: YAML and --set → texts with places (config_document.c) → checked by the table (config_fields.c, config_values.c)
 * → struct, by libcyaml → what follows from other values, and whether they fit (config_check.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_check.h"
#include "base/config_document.h"
#include "base/config_fields.h"
#include "base/file.h"
#include "heed/log.h"

enum { MAX_BYTES = 1 << 20 };

static const cyaml_config_t cyaml = {.mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};

/* libcyaml's schema of the whole: the table's rows and its end mark. */
static cyaml_schema_value_t whole_schema(cyaml_schema_field_t *fields) {
  for (int i = 0; i < heed_config_field_count; i++)
    fields[i] = heed_config_fields[i].schema;
  fields[heed_config_field_count] = (cyaml_schema_field_t)CYAML_FIELD_END;
  return (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, heed_config, fields)};
}

/* Defaults where nothing was given; some depend on the family, which stands before them. */
static heed_status fill_defaults(heed_config_document *document) {
  const heed_config_value *family = &document->values[heed_config_find("model.family")];
  for (int i = 0; i < heed_config_field_count; i++) {
    const heed_config_field *field = &heed_config_fields[i];
    if (document->values[i].count == 0 && field->required)
      return heed_error(HEED_INVALID, "%s: %s is missing", document->name, field->schema.key);
    const char *fallback = family->count > 0 ? heed_config_fallback(field, family->items[0]) : field->fallback;
    if (document->values[i].count == 0 && fallback)
      HEED_TRY(heed_config_document_fall_back(document, i, fallback));
  }
  return HEED_OK;
}

/* One line a field, dotted path and quoted value: what libcyaml reads into the struct. */
static heed_status flatten(const heed_config_document *document, char **text, size_t *bytes) {
  FILE *out = open_memstream(text, bytes);
  bool good = out != NULL;
  for (int i = 0; i < heed_config_field_count && good; i++) {
    const heed_config_value *value = &document->values[i];
    const cyaml_schema_field_t *schema = &heed_config_fields[i].schema;
    if (value->count == 0)
      continue;
    char *quoted = heed_config_quote(value->items, value->count, schema->value.type == CYAML_SEQUENCE);
    good = quoted && fprintf(out, "%s: %s\n", schema->key, quoted) > 0;
    free(quoted);
  }
  if (out && fclose(out) != 0)
    good = false;
  return good ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the configuration");
}

static heed_status convert(heed_config *config, const heed_config_document *document) {
  cyaml_schema_field_t fields[HEED_CONFIG_MAX_FIELDS + 1];
  cyaml_schema_value_t schema = whole_schema(fields);
  char *text = NULL;
  size_t bytes = 0;
  heed_config *loaded = NULL;
  heed_status status = flatten(document, &text, &bytes);
  if (status == HEED_OK) {
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, bytes, &cyaml, &schema, (cyaml_data_t **)&loaded, NULL);
    if (error != CYAML_OK)
      status = heed_error(error == CYAML_ERR_OOM ? HEED_FAILED : HEED_INVALID, "%s: %s", document->name, cyaml_strerror(error));
  }
  if (status == HEED_OK)
    *config = *loaded;
  free(loaded); /* its texts belong to config now */
  free(text);
  return status;
}

static heed_status parse(heed_config *config, const char *text, size_t bytes, const char *name, const char *const *settings,
                         int setting_count) {
  heed_config_document document = {.name = name};
  *config = (heed_config){0};
  heed_status status = heed_config_document_read(&document, text, bytes);
  for (int i = 0; i < setting_count && status == HEED_OK; i++)
    status = heed_config_document_set(&document, settings[i]);
  if (status == HEED_OK)
    status = fill_defaults(&document);
  if (status == HEED_OK)
    status = convert(config, &document);
  if (status == HEED_OK)
    status = heed_config_derive(config, &document);
  if (status == HEED_OK)
    status = heed_config_check(config, &document);
  if (status != HEED_OK)
    heed_config_free(config);
  heed_config_document_free(&document);
  return status;
}

heed_status heed_config_parse(heed_config *config, const char *text, const char *name, const char *const *settings, int setting_count) {
  return parse(config, text, strlen(text), name, settings, setting_count);
}

heed_status heed_config_read(heed_config *config, const char *path, const char *const *settings, int setting_count) {
  char *text = NULL;
  size_t bytes = 0;
  *config = (heed_config){0};
  heed_status status = heed_file_take(path, "a YAML configuration", MAX_BYTES, &text, &bytes);
  if (status == HEED_OK && memchr(text, 0, bytes))
    status = heed_error(HEED_INVALID, "%s is no text file: it holds zero bytes", path);
  if (status == HEED_OK)
    status = parse(config, text, bytes, path, settings, setting_count);
  free(text);
  return status;
}

heed_status heed_config_print(const heed_config *config, char **text) {
  size_t bytes;
  FILE *out = open_memstream(text, &bytes);
  heed_status status = out ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the configuration");
  const char *section = "";
  for (int i = 0; i < heed_config_field_count && status == HEED_OK; i++) {
    const char *path = heed_config_fields[i].schema.key, *key = strchr(path, '.') + 1;
    char *value;
    status = heed_config_value_text(config, &heed_config_fields[i], &value);
    if (status != HEED_OK || !value)
      continue;
    if (strncmp(section, path, (size_t)(key - path)) != 0)
      fprintf(out, "%.*s:\n", (int)(key - path - 1), section = path);
    fprintf(out, "  %s: %s\n", key, value);
    free(value);
  }
  if (out && fclose(out) != 0 && status == HEED_OK)
    status = heed_error(HEED_FAILED, "out of memory for the configuration");
  if (status != HEED_OK && out) {
    free(*text);
    *text = NULL;
  }
  return status;
}

/* Compares one field.  A difference is refused, or told: not before all have been compared. */
static heed_status check_field(const heed_config_field *field, const char *saved, const char *now, bool tell) {
  const char *before = saved ? saved : "(none)", *after = now ? now : "(none)";
  if (strcmp(before, after) == 0)
    return HEED_OK;
  if (!field->may_change)
    return heed_error(HEED_INVALID,
                      "%s was %.300s when the run was saved and is %.300s now; a run goes on with the same value (train.start_from takes "
                      "the weights only)",
                      field->schema.key, before, after);
  if (tell)
    heed_info("resume: %s is %.300s now, was %.300s", field->schema.key, after, before);
  return HEED_OK;
}

/* A field's value in two configurations.  \param[out] before, after  allocated, also to be freed on failure */
static heed_status value_texts(const heed_config_field *field, const heed_config *saved, const heed_config *now, char **before,
                               char **after) {
  *before = *after = NULL;
  HEED_TRY(heed_config_value_text(saved, field, before));
  return heed_config_value_text(now, field, after);
}

heed_status heed_config_check_resume(const heed_config *saved, const heed_config *now) {
  heed_status status = HEED_OK;
  for (int i = 0; i < 2 * heed_config_field_count && status == HEED_OK; i++) {
    const heed_config_field *field = &heed_config_fields[i % heed_config_field_count];
    char *before, *after;
    status = value_texts(field, saved, now, &before, &after);
    if (status == HEED_OK)
      status = check_field(field, before, after, i >= heed_config_field_count);
    free(before);
    free(after);
  }
  return status;
}

heed_status heed_config_check_model(const heed_config *saved, const heed_config *now) {
  char list[1024] = "";
  heed_status status = HEED_OK;
  for (int i = 0; i < heed_config_field_count && status == HEED_OK; i++) {
    const heed_config_field *field = &heed_config_fields[i];
    if (strncmp(field->schema.key, "model.", 6) != 0 || field->any_weights)
      continue;
    char *before, *after;
    status = value_texts(field, saved, now, &before, &after);
    size_t used = strlen(list);
    if (status == HEED_OK && before && after && strcmp(before, after) != 0)
      snprintf(list + used, sizeof list - used, " --set %s=%.80s", field->schema.key, before);
    free(before);
    free(after);
  }
  if (status != HEED_OK || !*list)
    return status;
  return heed_error(HEED_INVALID, "its model is another; to start from its weights:%s", list);
}

void heed_config_free(heed_config *config) {
  for (int i = 0; i < heed_config_field_count; i++) {
    const cyaml_schema_field_t *schema = &heed_config_fields[i].schema;
    char *at = (char *)config + schema->data_offset;
    if (schema->value.type == CYAML_STRING)
      free(*(char **)at);
    if (schema->value.type == CYAML_SEQUENCE) {
      unsigned count = *(unsigned *)((char *)config + schema->count_offset);
      for (unsigned j = 0; j < count; j++)
        free((*(char ***)at)[j]);
      free(*(char ***)at);
    }
  }
  *config = (heed_config){0};
}

/* YAML, event by event (libyaml), so that every refusal knows its line and nothing is built that will be refused: no anchors, no tags,
 * no nesting below section.key, each key once. */
#include "base/config_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define QUOTE_HINT "a pattern that begins with * or & needs quotes"

typedef struct reader {
  heed_config_document *document;
  const char *setting; /* the --set that is read; NULL: the file */
  const char *text;
  size_t bytes;
  yaml_parser_t parser;
  yaml_event_t event; /* the current one */
} reader;

static int line_of(const reader *r) {
  return (int)r->event.start_mark.line + 1;
}

static heed_status at_line(const reader *r, int line, heed_status status) {
  return heed_config_document_at(r->document, &(heed_config_value){.line = line, .setting = r->setting}, status);
}

/* Puts the place of the current event before the text of an error. */
static heed_status here(const reader *r, heed_status status) {
  return at_line(r, line_of(r), status);
}

/* libyaml's own words, with the line; and the cause that people meet most. */
static heed_status syntax_error(const reader *r) {
  const yaml_parser_t *p = &r->parser;
  const char *problem = p->problem ? p->problem : "syntax error", *context = p->context ? p->context : "";
  size_t start = 0, line = 0, stop = p->error == YAML_READER_ERROR ? p->problem_offset : r->bytes;
  if (p->error == YAML_MEMORY_ERROR)
    return heed_error(HEED_FAILED, "%s: out of memory", r->document->name);
  for (size_t i = 0; i < stop && i < r->bytes && (p->error == YAML_READER_ERROR || line < p->problem_mark.line); i++)
    if (r->text[i] == '\n')
      line++, start = i + 1;
  if (p->error == YAML_READER_ERROR)
    return at_line(r, (int)line + 1, heed_error(HEED_INVALID, "not a text in UTF-8: %s", problem));
  size_t blank = strspn(r->text + start, " \t");
  const char *hint = "";
  if (memchr(r->text + start, '\t', blank))
    hint = "; YAML is indented with spaces, never with tabs";
  if (strstr(context, "alias") || strstr(context, "anchor"))
    hint = "; " QUOTE_HINT;
  return at_line(r, (int)p->problem_mark.line + 1,
                 heed_error(HEED_INVALID, "not YAML: %s%s%s%s", problem, *context ? " " : "", context, hint));
}

static heed_status next(reader *r) {
  yaml_event_delete(&r->event);
  if (!yaml_parser_parse(&r->parser, &r->event))
    return syntax_error(r);
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (r->event.type == YAML_SCALAR_EVENT)
    anchor = r->event.data.scalar.anchor, tag = r->event.data.scalar.tag;
  if (r->event.type == YAML_SEQUENCE_START_EVENT)
    anchor = r->event.data.sequence_start.anchor, tag = r->event.data.sequence_start.tag;
  if (r->event.type == YAML_MAPPING_START_EVENT)
    anchor = r->event.data.mapping_start.anchor, tag = r->event.data.mapping_start.tag;
  if (r->event.type == YAML_ALIAS_EVENT || anchor)
    return here(r, heed_error(HEED_INVALID, "anchors (&) and aliases (*) are not taken; " QUOTE_HINT));
  if (tag)
    return here(r, heed_error(HEED_INVALID, "tags (!) are not taken; a text that begins with ! needs quotes"));
  return HEED_OK;
}

/* Adds the scalar of the current event to a value. */
static heed_status take_scalar(reader *r, const char *path, heed_config_value *value) {
  const char *text = (const char *)r->event.data.scalar.value;
  size_t length = r->event.data.scalar.length;
  bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (memchr(text, 0, length))
    return here(r, heed_error(HEED_INVALID, "%s: the value holds the control character U+0000", path));
  if (plain && (!*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0))
    return here(r, heed_error(HEED_INVALID, "%s has no value; leave the key out for its default", path));
  if (value->count >= HEED_CONFIG_MAX_LIST)
    return here(r, heed_error(HEED_INVALID, "%s: more than %d entries; use a glob", path, HEED_CONFIG_MAX_LIST));
  if ((value->count & (value->count - 1)) == 0) { /* a power of two: full */
    char **items = realloc(value->items, (value->count ? 2 * (size_t)value->count : 1) * sizeof *items);
    if (!items)
      return heed_error(HEED_FAILED, "out of memory for the configuration");
    value->items = items;
  }
  value->items[value->count] = strdup(text);
  return value->items[value->count] ? (value->count++, HEED_OK) : heed_error(HEED_FAILED, "out of memory for the configuration");
}

/* The current event begins the value of a field: a scalar, or for lists a sequence of scalars. */
static heed_status read_value(reader *r, const heed_config_field *field, heed_config_value *value) {
  const char *path = field->schema.key;
  bool list = field->schema.value.type == CYAML_SEQUENCE;
  value->line = line_of(r);
  if (r->event.type == YAML_SCALAR_EVENT) {
    HEED_TRY(take_scalar(r, path, value));
  } else if (r->event.type == YAML_SEQUENCE_START_EVENT && list) {
    HEED_TRY(next(r));
    while (r->event.type != YAML_SEQUENCE_END_EVENT) {
      if (r->event.type != YAML_SCALAR_EVENT)
        return here(r, heed_error(HEED_INVALID, "%s: expected a list of texts, found a list or a mapping inside it", path));
      HEED_TRY(take_scalar(r, path, value));
      HEED_TRY(next(r));
    }
  } else {
    return here(r, heed_error(HEED_INVALID, "%s: expected %s, found %s", path, list ? "a text or a list of texts" : "one value",
                              r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping"));
  }
  heed_status status = heed_config_check_value(field, value->items, value->count);
  return status == HEED_OK ? status : heed_config_document_at(r->document, value, status);
}

/* The current event must be a key: its text goes to `key`, cut where no key of ours is as long. */
static heed_status read_key(reader *r, char *key, size_t bytes) {
  if (r->event.type != YAML_SCALAR_EVENT)
    return here(r,
                heed_error(HEED_INVALID, "expected a key, found %s", r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping"));
  snprintf(key, bytes, "%s", (const char *)r->event.data.scalar.value);
  for (char *c = key; *c; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c > '~' || *c == '.')
      *c = '?'; /* it is unknown all the same, and the message stays one clean line */
  return HEED_OK;
}

static heed_status read_section(reader *r, const char *section) {
  if (r->event.type != YAML_MAPPING_START_EVENT)
    return here(r, heed_error(HEED_INVALID, "%s: expected keys and values below it, found %s", section,
                              r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a single value"));
  HEED_TRY(next(r));
  while (r->event.type != YAML_MAPPING_END_EVENT) {
    char key[80], path[176];
    HEED_TRY(read_key(r, key, sizeof key));
    snprintf(path, sizeof path, "%s.%s", section, key);
    int field = heed_config_find(path);
    if (field < 0)
      return here(r, heed_config_unknown_key(path));
    heed_config_value *value = &r->document->values[field];
    if (value->items)
      return here(r, heed_error(HEED_INVALID, "%s is given twice; the first is on line %d", path, value->line));
    HEED_TRY(next(r));
    HEED_TRY(read_value(r, &heed_config_fields[field], value));
    HEED_TRY(next(r));
  }
  return HEED_OK;
}

static heed_status read_sections(reader *r) {
  char seen[16][32];
  int sections = 0;
  HEED_TRY(next(r));
  while (r->event.type != YAML_MAPPING_END_EVENT) {
    char section[80];
    HEED_TRY(read_key(r, section, sizeof section));
    if (!heed_config_is_section(section, strlen(section)))
      return here(r, heed_config_unknown_key(section));
    for (int i = 0; i < sections; i++)
      if (strcmp(seen[i], section) == 0)
        return here(r, heed_error(HEED_INVALID, "section %s is given twice; put its keys together", section));
    snprintf(seen[sections++], sizeof seen[0], "%.31s", section);
    HEED_TRY(next(r));
    HEED_TRY(read_section(r, section));
    HEED_TRY(next(r));
  }
  return HEED_OK;
}

static heed_status read_document(reader *r) {
  HEED_TRY(next(r)); /* stream start */
  HEED_TRY(next(r));
  if (r->event.type == YAML_DOCUMENT_START_EVENT)
    HEED_TRY(next(r));
  if (r->event.type == YAML_STREAM_END_EVENT || (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0))
    return heed_error(HEED_INVALID, "%s is empty; a configuration has the sections run, model, data, train …", r->document->name);
  if (r->event.type != YAML_MAPPING_START_EVENT)
    return here(r, heed_error(HEED_INVALID, "expected sections (run:, model:, data: …), found %s",
                              r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a single value"));
  HEED_TRY(read_sections(r));
  HEED_TRY(next(r)); /* document end */
  HEED_TRY(next(r));
  if (r->event.type != YAML_STREAM_END_EVENT)
    return here(r, heed_error(HEED_INVALID, "a second document (---) begins here; one is expected"));
  return HEED_OK;
}

heed_status heed_config_document_read(heed_config_document *document, const char *text, size_t bytes) {
  reader r = {.document = document, .text = text, .bytes = bytes};
  if (!yaml_parser_initialize(&r.parser))
    return heed_error(HEED_FAILED, "%s: out of memory", document->name);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes);
  heed_status status = read_document(&r);
  yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  return status;
}

static void clear(heed_config_value *value) {
  for (int64_t i = 0; i < value->count; i++)
    free(value->items[i]);
  free(value->items);
  *value = (heed_config_value){0};
}

/* A list in brackets is YAML; all else is taken as it is, so that a glob or a path needs no quotes within the shell's quotes. */
static heed_status read_setting(heed_config_document *document, int field, const char *setting, const char *text) {
  reader r = {.document = document, .setting = setting, .text = text, .bytes = strlen(text)};
  heed_config_value *value = &document->values[field];
  if (!yaml_parser_initialize(&r.parser))
    return heed_error(HEED_FAILED, "out of memory for the configuration");
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, r.bytes);
  heed_status status = HEED_OK;
  for (int i = 0; i < 3 && status == HEED_OK; i++) /* stream, document, the list */
    status = next(&r);
  if (status == HEED_OK)
    status = read_value(&r, &heed_config_fields[field], value);
  for (int i = 0; i < 2 && status == HEED_OK; i++) /* the ends of document and stream */
    status = next(&r);
  if (status == HEED_OK && r.event.type != YAML_STREAM_END_EVENT)
    status = here(&r, heed_error(HEED_INVALID, "%s: there is more behind the list", heed_config_fields[field].schema.key));
  yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  return status;
}

heed_status heed_config_document_set(heed_config_document *document, const char *setting) {
  char path[128];
  heed_config_value place = {.setting = setting};
  const char *equals = strchr(setting, '=');
  if (!equals || equals == setting || equals - setting >= (ptrdiff_t)sizeof path)
    return heed_config_document_at(document, &place, heed_error(HEED_INVALID, "expected KEY=VALUE, for example train.steps=100"));
  snprintf(path, sizeof path, "%.*s", (int)(equals - setting), setting);
  int field = heed_config_find(path);
  if (field < 0 && heed_config_is_section(path, strlen(path)))
    return heed_config_document_at(document, &place, heed_error(HEED_INVALID, "%s is a section: set a key in it, SECTION.KEY=VALUE", path));
  if (field < 0)
    return heed_config_document_at(document, &place, heed_config_unknown_key(path));
  heed_config_value *value = &document->values[field];
  clear(value);
  value->setting = setting;
  if (heed_config_fields[field].schema.value.type == CYAML_SEQUENCE && equals[1] == '[')
    return read_setting(document, field, setting, equals + 1);
  HEED_TRY(heed_config_document_fall_back(document, field, equals + 1));
  return heed_config_document_at(document, value, heed_config_check_value(&heed_config_fields[field], value->items, 1));
}

heed_status heed_config_document_fall_back(heed_config_document *document, int field, const char *text) {
  heed_config_value *value = &document->values[field];
  value->items = malloc(sizeof *value->items);
  if (!value->items)
    return heed_error(HEED_FAILED, "out of memory for the configuration");
  value->items[0] = strdup(text);
  value->count = value->items[0] != NULL;
  return value->count ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the configuration");
}

heed_status heed_config_document_at(const heed_config_document *document, const heed_config_value *value, heed_status status) {
  if (status == HEED_OK)
    return status;
  if (value->setting)
    return heed_error_in(status, "--set %.160s", value->setting);
  if (value->line > 0)
    return heed_error_in(status, "%s:%d", document->name, value->line);
  return heed_error_in(status, "%s", document->name);
}

void heed_config_document_free(heed_config_document *document) {
  for (int i = 0; i < heed_config_field_count; i++)
    clear(&document->values[i]);
}

/* One value of the configuration: its text checked against the table on the way in, and made on the way out. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/config_fields.h"

/* libcyaml reads whole numbers as C does, so that 010 would be 8: only plain decimals pass. */
static bool is_whole(const char *text) {
  size_t digits = strspn(text + (*text == '-'), "0123456789");
  const char *first = text + (*text == '-');
  return digits > 0 && first[digits] == 0 && (digits == 1 || *first != '0');
}

/* Neither hexadecimal nor nan nor inf. */
static bool is_real(const char *text) {
  char *end;
  strtod(text, &end);
  return *text && *end == 0 && strspn(text, "0123456789+-.eE") == strlen(text);
}

static heed_status check_number(const heed_config_field *field, const char *text) {
  bool whole = field->schema.value.type != CYAML_FLOAT;
  if (whole ? !is_whole(text) : !is_real(text))
    return heed_error(HEED_INVALID, "%s: expected a %s, found '%.80s'", field->schema.key, whole ? "whole number" : "number", text);
  double value = strtod(text, NULL);
  bool low = field->low_open ? value > field->low : value >= field->low,
       high = field->high_open ? value < field->high : value <= field->high;
  if (low && high)
    return HEED_OK;
  return heed_error(HEED_INVALID, "%s: %.80s is impossible; it must be %s %.10g %s %.10g", field->schema.key, text,
                    field->low_open ? "above" : "from", field->low, field->high_open ? "to below" : "to", field->high);
}

static heed_status check_word(const heed_config_field *field, const char *text) {
  const cyaml_schema_value_t *schema = &field->schema.value;
  char list[256] = "";
  size_t used = 0;
  for (uint32_t i = 0; i < schema->enumeration.count; i++) {
    if (strcmp(schema->enumeration.strings[i].str, text) == 0)
      return HEED_OK;
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", schema->enumeration.strings[i].str);
  }
  return heed_error(HEED_INVALID, "%s: '%.80s' is not one of: %s", field->schema.key, text, list);
}

/* Texts are names and paths.  Control characters in them would be drawn on terminals and cut messages in two. */
static heed_status check_text(const heed_config_field *field, const char *text) {
  const char *key = field->schema.key;
  size_t bytes = strlen(text);
  if (bytes == 0 || bytes > HEED_CONFIG_MAX_TEXT)
    return heed_error(HEED_INVALID, "%s: expected a text of 1 to %d bytes, found %zu", key, HEED_CONFIG_MAX_TEXT, bytes);
  for (size_t i = 0; i < bytes;) {
    utf8proc_int32_t code;
    utf8proc_ssize_t taken = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &code);
    if (taken < 1)
      return heed_error(HEED_INVALID, "%s: expected a text in UTF-8; byte %zu of the value is none", key, i + 1);
    utf8proc_category_t category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_CC || code == 0xFEFF || (code & 0xFFFE) == 0xFFFE)
      return heed_error(HEED_INVALID, "%s: the value holds the control character U+%04X", key, (unsigned)code);
    i += (size_t)taken;
  }
  return HEED_OK;
}

/* Whether `text` is one of the words in a list separated by spaces. */
static bool is_among(const char *words, const char *text) {
  size_t length = strlen(text);
  for (const char *word = words; *word; word += strcspn(word, ","), word += strspn(word, ", "))
    if (strcspn(word, ",") == length && memcmp(word, text, length) == 0)
      return true;
  return false;
}

static heed_status check_built(const heed_config_field *field, const char *text) {
  if (field->not_built && is_among(field->not_built, text))
    return heed_error(HEED_INVALID, "%s: %s is not built yet", field->schema.key, text);
  if (field->possible && !is_among(field->possible, text))
    return heed_error(HEED_INVALID, "%s: '%.80s' is not one of: %s", field->schema.key, text, field->possible);
  return HEED_OK;
}

heed_status heed_config_check_value(const heed_config_field *field, char *const *items, int64_t count) {
  if (count < 1 || count > HEED_CONFIG_MAX_LIST)
    return heed_error(HEED_INVALID, "%s: expected a list of 1 to %d entries, found %lld", field->schema.key, HEED_CONFIG_MAX_LIST,
                      (long long)count);
  for (int64_t i = 0; i < count; i++) {
    switch (field->schema.value.type) {
    case CYAML_INT:
    case CYAML_UINT:
    case CYAML_FLOAT:
      HEED_TRY(check_number(field, items[i]));
      break;
    case CYAML_ENUM:
      HEED_TRY(check_word(field, items[i]));
      break;
    default:
      HEED_TRY(check_text(field, items[i]));
    }
    HEED_TRY(check_built(field, items[i]));
  }
  return HEED_OK;
}

char *heed_config_quote(char *const *items, int64_t count, bool list) {
  size_t bytes = 4;
  for (int64_t i = 0; i < count; i++)
    bytes += 2 * strlen(items[i]) + 4;
  char *text = malloc(bytes), *to = text;
  if (!text)
    return NULL;
  if (list)
    *to++ = '[';
  for (int64_t i = 0; i < count; i++) {
    if (i > 0)
      *to++ = ',', *to++ = ' ';
    *to++ = '"';
    for (const char *from = items[i]; *from; from++) {
      if (*from == '"' || *from == '\\')
        *to++ = '\\';
      *to++ = *from;
    }
    *to++ = '"';
  }
  if (list)
    *to++ = ']';
  *to = 0;
  return text;
}

/* The shortest decimal that reads back as the same double; 1e-12 becomes 1.0e-12, which YAML 1.1 takes for a number too. */
static void print_real(char *text, size_t bytes, double value) {
  char shortest[32];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(shortest, sizeof shortest, "%.*g", digits, value);
    if (strtod(shortest, NULL) == value)
      break;
  }
  int mantissa = (int)strcspn(shortest, "e");
  bool bare = shortest[mantissa] && !strchr(shortest, '.');
  snprintf(text, bytes, "%.*s%s%s", mantissa, shortest, bare ? ".0" : "", shortest + mantissa);
}

static const char *word_of(const cyaml_schema_value_t *schema, const void *at) {
  unsigned value = schema->data_size == sizeof(bool) ? *(const bool *)at : *(const unsigned *)at;
  for (uint32_t i = 0; i < schema->enumeration.count; i++)
    if (schema->enumeration.strings[i].val == (int64_t)value)
      return schema->enumeration.strings[i].str;
  return "";
}

heed_status heed_config_value_text(const heed_config *config, const heed_config_field *field, char **text) {
  const cyaml_schema_value_t *schema = &field->schema.value;
  const char *at = (const char *)config + field->schema.data_offset;
  char number[64] = "", *const *items = NULL;
  int64_t count = 0;
  *text = NULL;
  switch (schema->type) {
  case CYAML_INT:
    snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)at);
    break;
  case CYAML_UINT:
    snprintf(number, sizeof number, "%lu", (unsigned long)*(const uint32_t *)at);
    break;
  case CYAML_FLOAT:
    print_real(number, sizeof number, *(const double *)at);
    break;
  case CYAML_ENUM:
    snprintf(number, sizeof number, "%s", word_of(schema, at));
    break;
  case CYAML_STRING:
    items = (char *const *)at;
    count = *items != NULL;
    break;
  default: /* CYAML_SEQUENCE */
    items = *(char *const *const *)at;
    count = *(const unsigned *)((const char *)config + field->schema.count_offset);
  }
  if (!number[0] && count == 0)
    return HEED_OK;
  *text = number[0] ? strdup(number) : heed_config_quote(items, count, schema->type == CYAML_SEQUENCE);
  return *text ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the configuration");
}

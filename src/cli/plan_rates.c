#include "cli/plan_rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { LARGEST_FILE = 1 << 20, MOST = 65536 };

/* Which rates there are: none may be negative, and some not 0. */
#define RATES 5
static const struct {
  const char *key;
  bool may_be_0;
} keys[RATES] = {{"layer_seconds_per_token", false},
                 {"rest_seconds_per_token", true},
                 {"optimizer_seconds_per_parameter", false},
                 {"add_seconds_per_float", false},
                 {"copy_seconds_per_byte", false}};

/* What the rates of a model depend on: its widths, and how long its rows are, not how many layers and rows it has. */
typedef struct width {
  const char *key;
  int64_t value;
} width;
enum { WIDTHS = 5 };

static void list_widths(width widths[WIDTHS], const heed_config *config) {
  const heed_model_config *m = &config->model;
  const width list[WIDTHS] = {{"vocabulary_size", m->vocabulary_size},
                              {"hidden", m->hidden},
                              {"heads", m->heads},
                              {"feed_forward", m->feed_forward},
                              {"sequence_length", config->train.sequence_length}};
  memcpy(widths, list, sizeof list);
}

json_t *plan_rates_print(const heed_rates *rates, const heed_config *config) {
  const double values[RATES] = {rates->layer, rates->rest, rates->optimizer, rates->add, rates->copy};
  width widths[WIDTHS];
  json_t *object = json_pack("{s:i, s:i, s:s, s:s}", "threads", rates->threads, "ranks_on_node", rates->ranks, "family",
                             config->model.family, "precision", heed_precision_name(config->train.precision));
  list_widths(widths, config);
  for (int i = 0; object && i < WIDTHS; i++)
    json_object_set_new(object, widths[i].key, json_integer((json_int_t)widths[i].value));
  for (int i = 0; object && i < RATES; i++)
    json_object_set_new(object, keys[i].key, json_real(values[i]));
  return object;
}

static heed_status differs(const char *path, const char *key, const char *theirs, const char *ours) {
  return heed_error(HEED_INVALID, "%s: rates of a model whose %s is %s; the configuration's is %s: measure it with --rates measure", path,
                    key, theirs, ours);
}

static heed_status check_model(const json_t *object, const char *path, const heed_config *config) {
  const char *const names[][2] = {{"family", config->model.family}, {"precision", heed_precision_name(config->train.precision)}};
  width widths[WIDTHS];
  char theirs[24], ours[24];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *text = json_string_value(json_object_get(object, names[i][0]));
    if (!text || strcmp(text, names[i][1]) != 0)
      return differs(path, names[i][0], text ? text : "not told", names[i][1]);
  }
  list_widths(widths, config);
  for (int i = 0; i < WIDTHS; i++) {
    const json_t *value = json_object_get(object, widths[i].key);
    snprintf(theirs, sizeof theirs, "%lld", (long long)json_integer_value(value));
    snprintf(ours, sizeof ours, "%lld", (long long)widths[i].value);
    if (!json_is_integer(value) || json_integer_value(value) != widths[i].value)
      return differs(path, widths[i].key, json_is_integer(value) ? theirs : "not told", ours);
  }
  return HEED_OK;
}

static heed_status take(const json_t *object, const char *path, const heed_config *config, heed_rates *rates) {
  double values[RATES];
  int64_t counts[2];
  static const char *const of_ranks[] = {"threads", "ranks_on_node"};
  for (int i = 0; i < RATES; i++) {
    const json_t *value = json_object_get(object, keys[i].key);
    values[i] = json_number_value(value);
    if (!json_is_number(value) || !(values[i] >= 0) || values[i] > 1 || (values[i] == 0 && !keys[i].may_be_0))
      return heed_error(HEED_INVALID, "%s: rates.%s is missing or no number of seconds; `heed plan CONFIG --json` writes such a file", path,
                        keys[i].key);
  }
  for (int i = 0; i < 2; i++) {
    counts[i] = json_integer_value(json_object_get(object, of_ranks[i]));
    if (counts[i] < 1 || counts[i] > MOST)
      return heed_error(HEED_INVALID, "%s: rates.%s is missing or no number from 1 to %d", path, of_ranks[i], MOST);
  }
  *rates = (heed_rates){values[0], values[1], values[2], values[3], values[4], (int)counts[0], (int)counts[1], 1};
  return check_model(object, path, config);
}

heed_status plan_rates_read(heed_rates *rates, const char *path, const heed_config *config) {
  char *text;
  size_t bytes;
  json_error_t error;
  HEED_TRY(heed_file_take(path, "rates as `heed plan --json` prints them", LARGEST_FILE, &text, &bytes));
  json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
  free(text);
  if (!root)
    return heed_error(HEED_INVALID, "%s:%d: not JSON: %s", path, error.line, error.text);
  const json_t *object = json_object_get(root, "rates");
  heed_status status = json_is_object(object) ? take(object, path, config, rates)
                                              : heed_error(HEED_INVALID,
                                                           "%s: no rates in it; `heed plan CONFIG --json`, without --no-time, writes such "
                                                           "a file",
                                                           path);
  json_decref(root);
  return status;
}

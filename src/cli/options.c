#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_parse_options(const struct argp *argp, int argc, char **argv, void *input) {
  argp_err_exit_status = HEED_USAGE;
  error_t error = argp_parse(argp, argc, argv, 0, NULL, input);
  return error ? heed_error(HEED_USAGE, "%s: %s", argv[0], strerror(error)) : HEED_OK;
}

error_t heed_option_count(struct argp_state *state, const char *name, const char *text, int64_t *count) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || value < 1)
    argp_error(state, "%s takes a whole number from 1 on, not '%s'", name, text);
  *count = value;
  return 0;
}

error_t heed_option_argument(const struct argp_state *state, const char *value, const char **argument) {
  if (state->arg_num > 0)
    return ARGP_ERR_UNKNOWN;
  *argument = value;
  return 0;
}

error_t heed_option_set(struct argp_state *state, const char *text, heed_settings *settings) {
  if (!strchr(text, '='))
    argp_error(state, "--set takes KEY=VALUE, for example model.layers=2, not '%s'", text);
  const char **items = realloc(settings->items, (size_t)(settings->count + 1) * sizeof *items);
  if (!items)
    return ENOMEM;
  settings->items = items;
  items[settings->count++] = text;
  return 0;
}

void heed_settings_free(heed_settings *settings) {
  free(settings->items);
  *settings = (heed_settings){0};
}

heed_status heed_print_json(json_t *object) {
  if (!object)
    return heed_error(HEED_FAILED, "out of memory for the result, or a text in it is not UTF-8");
  int failed = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
  json_decref(object);
  if (failed || putchar('\n') == EOF || fflush(stdout) != 0)
    return heed_error(HEED_IO, "the result could not be written: %s", strerror(errno));
  return HEED_OK;
}

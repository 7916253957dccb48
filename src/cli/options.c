#include "cli/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/log.h"

enum { HELP = '?', USAGE = 0x1000 };

/* --help in the place of argp's own, which would go on parsing when errors do not end the program. */
static error_t parse_help(int key, char *value, struct argp_state *state) {
  (void)value;
  if (key != HELP && key != USAGE)
    return ARGP_ERR_UNKNOWN;
  argp_state_help(state, stdout, key == HELP ? ARGP_HELP_STD_HELP : ARGP_HELP_USAGE);
  return ECANCELED; /* nothing else counts */
}

/* The error text of what argp said, its first line. */
static heed_status not_understood(const char *command, const char *said, error_t error) {
  int length = (int)strcspn(said, "\n");
  if (length > 0)
    return heed_error(HEED_USAGE, "%.*s; `%s --help` tells more", length, said, command);
  return heed_error(error == ENOMEM ? HEED_FAILED : HEED_USAGE, "%s: %s", command, strerror(error));
}

heed_status heed_parse_options(const struct argp *argp, int argc, char **argv, void *input) {
  static const struct argp_option help_options[] = {
      {"help", HELP, NULL, 0, "give this help", -1}, {"usage", USAGE, NULL, 0, "give a short one", 0}, {0}};
  static const struct argp help = {.options = help_options, .parser = parse_help};
  const struct argp_child children[] = {{&help, 0, NULL, 0}, {0}};
  struct argp whole = *argp;
  char *said = NULL;
  size_t bytes = 0;
  whole.children = children;
  for (int i = 1; i < argc; i++)
    if (!*argv[i])
      return heed_error(HEED_USAGE, "%s: argument %d is empty; is a variable of the shell not set?", argv[0], i);
  /* argp and getopt print several lines, in each rank: they are caught, and the first becomes the error that main tells once. */
  FILE *errors = stderr, *caught = open_memstream(&said, &bytes);
  if (!caught)
    return heed_error(HEED_FAILED, "out of memory for the command line");
  stderr = caught;
  error_t error = argp_parse(&whole, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, input);
  stderr = errors;
  bool whole_text = fclose(caught) == 0 && said;
  if (error == ECANCELED) {
    heed_status shown = heed_end_output();
    if (shown != HEED_OK)
      heed_complain("%s", heed_error_text());
    exit(shown);
  }
  heed_status status = error || bytes > 0 || !whole_text ? not_understood(argv[0], whole_text ? said : "", error) : HEED_OK;
  free(said);
  return status;
}

heed_status heed_end_output(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return HEED_OK;
  return heed_error(HEED_IO, "standard output could not be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
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

error_t heed_option_counts(struct argp_state *state, const char *name, const char *text, heed_counts *counts) {
  for (const char *at = text;; at++) {
    char *end;
    errno = 0;
    long long value = strtoll(at, &end, 10);
    if (errno || end == at || (*end && *end != ',') || value < 1) {
      argp_error(state, "%s takes whole numbers from 1 on with commas between them, not '%s'", name, text);
      return 0;
    }
    int64_t *values = realloc(counts->values, (size_t)(counts->count + 1) * sizeof *values);
    if (!values)
      return ENOMEM;
    counts->values = values;
    values[counts->count++] = value;
    if (!*end)
      return 0;
    at = end;
  }
}

error_t heed_option_argument(const struct argp_state *state, const char *value, const char **argument) {
  if (state->arg_num > 0)
    argp_error(state, "'%s' is one argument too many", value);
  else
    *argument = value;
  return 0;
}

error_t heed_option_add(const char *text, heed_settings *settings) {
  const char **items = realloc(settings->items, (size_t)(settings->count + 1) * sizeof *items);
  if (!items)
    return ENOMEM;
  settings->items = items;
  items[settings->count++] = text;
  return 0;
}

error_t heed_option_set(struct argp_state *state, const char *text, heed_settings *settings) {
  if (!strchr(text, '='))
    argp_error(state, "--set takes KEY=VALUE, for example model.layers=2, not '%s'", text);
  return heed_option_add(text, settings);
}

void heed_settings_free(heed_settings *settings) {
  free(settings->items);
  *settings = (heed_settings){0};
}

heed_status heed_open_vocabulary(heed_tokenizer **tokenizer, const char *path, bool cased) {
  HEED_TRY(heed_tokenizer_open(tokenizer, path, cased));
  if (!cased || heed_tokenizer_kind(*tokenizer) == HEED_WORDPIECE)
    return HEED_OK;
  heed_tokenizer_free(*tokenizer);
  return heed_error(HEED_INVALID, "%s: --cased goes with a WordPiece vocabulary; BPE always keeps upper case and accents: leave it away",
                    path);
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

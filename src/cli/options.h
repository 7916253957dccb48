/** What the commands' option parsers and printers share. */
#ifndef HEED_CLI_OPTIONS_H
#define HEED_CLI_OPTIONS_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "heed/tokenizer.h"

/** Threads of a process at most: libgomp crashes on very many. */
enum { HEED_MOST_THREADS = 4096 };

/** What an option that may be given as often as wanted was given: --set KEY=VALUE, --text FILE. */
typedef struct heed_settings {
  const char **items;
  int count;
} heed_settings;

/** Parses a command's arguments; --help prints the help and ends the program.
 *  What the parser says with argp_error does not end the program: the first of it becomes the error text, one line.
 *  Errors: HEED_USAGE when an argument is not understood or empty, HEED_FAILED when memory is short. */
heed_status heed_parse_options(const struct argp *argp, int argc, char **argv, void *input);

/** Hands on what is still to be written on standard output.  Errors: HEED_IO when that fails, or failed before. */
heed_status heed_end_output(void);

/** Reads a whole number ≥ 1 given to option `name`; argp's error otherwise. */
error_t heed_option_count(struct argp_state *state, const char *name, const char *text, int64_t *count);

/** Numbers from a list on the command line; `values` is the caller's to free. */
typedef struct heed_counts {
  int64_t *values; /**< [count] */
  int64_t count;
} heed_counts;

/** Reads whole numbers ≥ 1 with commas between them, given to option `name`, behind those that are there; argp's error otherwise. */
error_t heed_option_counts(struct argp_state *state, const char *name, const char *text, heed_counts *counts);

/** Keeps the only argument of a command that takes one; a second one is not understood. */
error_t heed_option_argument(const struct argp_state *state, const char *value, const char **argument);

/** Opens the vocabulary that a command was given with or without --cased.
 *  Errors: as heed_tokenizer_open; HEED_INVALID for --cased with BPE, which has no other way. */
heed_status heed_open_vocabulary(heed_tokenizer **tokenizer, const char *path, bool cased);

/** Keeps one --set; to be freed, also when what follows it on the command line is not understood. */
error_t heed_option_set(struct argp_state *state, const char *text, heed_settings *settings);
error_t heed_option_add(const char *text, heed_settings *settings); /**< any text */
void heed_settings_free(heed_settings *settings);

/** Prints the object on standard output and frees it.  Errors: HEED_FAILED when memory is short, HEED_IO when the write fails. */
heed_status heed_print_json(json_t *object);

#endif

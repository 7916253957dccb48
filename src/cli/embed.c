/* heed embed: one vector a line of text, from a checkpoint alone. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "data/ill_formed.h"
#include "heed/inference.h"
#include "heed/log.h"

enum { LONGEST_LINE = 4 << 20 };

typedef struct embed_options {
  const char *checkpoint;
  heed_pooling pooling;
  bool normalize, json;
} embed_options;

static const struct argp_option options[] = {
    {"pool", 'p', "mean|cls", 0, "average over all tokens (mean, the default), or the state at [CLS]", 0},
    {"normalize", 'n', NULL, 0, "scale each vector to length 1, for cosines by a dot product", 0},
    {"json", 'j', NULL, 0, "print one JSON object: {\"embeddings\": [[…], …]}", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  embed_options *o = state->input;
  switch (key) {
  case 'p':
    if (strcmp(value, "mean") != 0 && strcmp(value, "cls") != 0)
      argp_error(state, "--pool takes mean or cls, not '%s'", value);
    o->pooling = strcmp(value, "cls") == 0 ? HEED_POOL_CLS : HEED_POOL_MEAN;
    return 0;
  case 'n':
    o->normalize = true;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->checkpoint);
  case ARGP_KEY_END:
    if (!o->checkpoint)
      argp_error(state, "a checkpoint (or run folder) is needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void normalize(float *embedding, int64_t width) {
  double sum = 0;
  for (int64_t c = 0; c < width; c++)
    sum += (double)embedding[c] * embedding[c];
  double scale = sum > 0 ? 1 / sqrt(sum) : 0;
  for (int64_t c = 0; c < width; c++)
    embedding[c] = (float)(embedding[c] * scale);
}

/* One embedding: appended to `all`, or printed as numbers separated by spaces. */
static void put(json_t *all, const float *embedding, int64_t width) {
  json_t *list = all ? json_array() : NULL;
  for (int64_t c = 0; c < width; c++) {
    if (list)
      json_array_append_new(list, json_real(embedding[c]));
    else
      printf("%s%.9g", c ? " " : "", embedding[c]);
  }
  if (list)
    json_array_append_new(all, list);
  else
    putchar('\n');
}

/* A line of standard input, without its end nor zero bytes, which encode to nothing.  Of one that is longer than any model takes the
 * rest is passed over.  False when there is none. */
static bool read_line(char line[LONGEST_LINE + 1], size_t *bytes, bool *cut) {
  size_t used = 0;
  int byte, any = 0;
  *cut = false;
  while ((byte = getc_unlocked(stdin)) != EOF && byte != '\n') {
    any = 1;
    if (used == LONGEST_LINE)
      *cut = true;
    else if (byte)
      line[used++] = (char)byte;
  }
  for (bool inside = *cut; inside && used > 0 && (line[used - 1] & 0x80);) /* the last character may not be whole */
    inside = (line[--used] & 0xC0) != 0xC0;
  line[used] = 0;
  *bytes = used;
  return byte == '\n' || any;
}

/* What was read so far. */
typedef struct progress {
  int64_t lines, cut, first_cut; /* lines; those longer than the model takes, and the first of them */
  heed_ill_formed ill_formed;
} progress;

static heed_status embed_line(heed_inference *inference, const embed_options *o, const char *line, size_t bytes, bool cut, progress *p,
                              float *embedding) {
  bool longer = false;
  p->lines++;
  heed_ill_formed_look(&p->ill_formed, &(heed_line){.text = line, .bytes = bytes, .path = heed_text_shown("-"), .number = p->lines});
  HEED_TRY(heed_inference_embed(inference, line, o->pooling, embedding, &longer));
  if ((cut || longer) && p->cut++ == 0)
    p->first_cut = p->lines;
  if (o->normalize)
    normalize(embedding, heed_inference_width(inference));
  return HEED_OK;
}

static heed_status embed_lines(heed_inference *inference, const embed_options *o, json_t *all) {
  int64_t width = heed_inference_width(inference);
  heed_status status = HEED_OK;
  progress p = {.ill_formed.kept = heed_tokenizer_kind(heed_inference_tokenizer(inference)) == HEED_BPE};
  size_t bytes;
  bool cut;
  char *line = malloc(LONGEST_LINE + 1);
  float *embedding = malloc((size_t)width * sizeof *embedding);
  if (!line || !embedding)
    status = heed_error(HEED_FAILED, "out of memory for a line and its embedding");
  while (status == HEED_OK && read_line(line, &bytes, &cut)) {
    status = embed_line(inference, o, line, bytes, cut, &p, embedding);
    if (status == HEED_OK)
      put(all, embedding, width);
  }
  if (status == HEED_OK && ferror(stdin))
    status = heed_error(HEED_IO, "standard input could not be read after line %lld: %s", (long long)p.lines, strerror(errno));
  if (p.cut == 1)
    heed_warn("line %lld is longer than the model takes; its end was cut", (long long)p.first_cut);
  else if (p.cut > 1)
    heed_warn("%lld of %lld lines, line %lld the first, are longer than the model takes; their ends were cut", (long long)p.cut,
              (long long)p.lines, (long long)p.first_cut);
  heed_ill_formed_warn(&p.ill_formed);
  free(line);
  free(embedding);
  return status;
}

heed_status heed_command_embed(int argc, char **argv) {
  static const struct argp argp = {
      options, parse, "CHECKPOINT|RUN", "Reads a text a line from standard input and prints its embedding: numbers, a text a line.", 0,
      0,       0};
  embed_options o = {.pooling = HEED_POOL_MEAN};
  heed_inference *inference = NULL;
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  HEED_TRY(heed_inference_open(&inference, o.checkpoint));
  json_t *all = o.json ? json_array() : NULL;
  heed_status status = embed_lines(inference, &o, all);
  if (status == HEED_OK && all)
    status = heed_print_json(json_pack("{s:O}", "embeddings", all));
  json_decref(all);
  heed_inference_free(inference);
  return status;
}

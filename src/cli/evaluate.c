/* heed evaluate: scores of a checkpoint on a token shard, under mpirun or alone. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "comm/watchdog.h"
#include "comm/world.h"
#include "evaluate/run.h"

typedef struct evaluate_options {
  const char *checkpoint, *data;
  bool json;
} evaluate_options;

static const struct argp_option options[] = {
    {"data", 'd', "FILE.h5", 0, "token shard to evaluate on (default: data.validation of the run's configuration)", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  evaluate_options *o = state->input;
  switch (key) {
  case 'd':
    o->data = value;
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

/* A diverged model's numbers may be infinite, which JSON cannot say: null then. */
static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static heed_status print_json(const heed_token_scores *scores, int64_t step) {
  json_t *object = json_pack("{s:o, s:o, s:f, s:f, s:o, s:f, s:I, s:I, s:o, s:I}", "loss", number(scores->loss), "perplexity",
                             number(scores->perplexity), "accuracy", scores->accuracy, "accuracy_top5", scores->accuracy_top5,
                             "accuracy_masked", number(scores->accuracy_masked), "unigram_accuracy", scores->unigram_accuracy, "targets",
                             (json_int_t)scores->targets, "masked_targets", (json_int_t)scores->masked_targets, "bits_per_byte",
                             number(scores->bits_per_byte), "step", (json_int_t)step);
  if (object && isfinite(scores->next_sentence_accuracy))
    json_object_set_new(object, "next_sentence_accuracy", json_real(scores->next_sentence_accuracy));
  return heed_print_json(object);
}

static heed_status print_text(const heed_token_scores *scores, int64_t step) {
  printf("step              %lld\n", (long long)step);
  printf("loss              %.4f\n", scores->loss);
  printf("perplexity        %.2f\n", scores->perplexity);
  printf("accuracy          %6.2f%%  of %lld targets\n", 100 * scores->accuracy, (long long)scores->targets);
  printf("accuracy_top5     %6.2f%%\n", 100 * scores->accuracy_top5);
  if (isfinite(scores->bits_per_byte))
    printf("bits_per_byte     %.4f  of the text that the targets stand for\n", scores->bits_per_byte);
  if (isfinite(scores->accuracy_masked))
    printf("accuracy_masked   %6.2f%%  of the %lld shown as [MASK]\n", 100 * scores->accuracy_masked, (long long)scores->masked_targets);
  printf("unigram_accuracy  %6.2f%%  by always guessing the most frequent token\n", 100 * scores->unigram_accuracy);
  if (isfinite(scores->next_sentence_accuracy))
    printf("next_sentence     %6.2f%%\n", 100 * scores->next_sentence_accuracy);
  return fflush(stdout) == 0 ? HEED_OK : heed_error(HEED_IO, "the scores could not be written: %s", strerror(errno));
}

heed_status heed_command_evaluate(int argc, char **argv) {
  static const struct argp argp = {options,
                                   parse,
                                   "CHECKPOINT|RUN",
                                   "Scores a checkpoint on text it was not trained on.  The masks do not depend on run.seed nor on the "
                                   "number of ranks, so two runs compare.",
                                   0,
                                   0,
                                   0};
  evaluate_options o = {0};
  heed_communication *world;
  heed_token_scores scores;
  int64_t step = 0;
  int threads;
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  HEED_TRY(heed_world_open(&world));
  HEED_TRY(world->agree(world, heed_world_threads(world, &threads)));
  heed_watchdog_start(world);
  HEED_TRY(heed_evaluate_checkpoint(o.checkpoint, o.data, world, &scores, &step));
  heed_status status = HEED_OK;
  if (world->rank == 0)
    status = o.json ? print_json(&scores, step) : print_text(&scores, step);
  return world->agree(world, status);
}

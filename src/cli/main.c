/* heed COMMAND …: finds the command, runs it, and turns its status into the exit code. */
#include <fcntl.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/mapping.h"
#include "base/pulse.h"
#include "base/spelling.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "comm/watchdog.h"
#include "comm/world.h"
#include "heed/log.h"

typedef struct command {
  const char *name;
  heed_status (*run)(int argc, char **argv);
  const char *summary;
  bool parallel; /* whether it runs under mpirun, its ranks together */
} command;

static const command commands[] = {
    {"tokenizer", heed_command_tokenizer, "trains a vocabulary; encodes text with one", false},
    {"prepare", heed_command_prepare, "encodes text into token shards", false},
    {"train", heed_command_train, "trains a model, or goes on with --resume", true},
    {"evaluate", heed_command_evaluate, "scores a checkpoint on text it was not trained on", true},
    {"fill", heed_command_fill, "predicts each [MASK] of a text", false},
    {"generate", heed_command_generate, "continues a text with a model that predicts next tokens", false},
    {"embed", heed_command_embed, "turns texts into vectors, a line each", false},
    {"inspect", heed_command_inspect, "shows where attention looks, as a page or as numbers", false},
    {"checkpoint", heed_command_checkpoint, "lists, shows and verifies saved checkpoints", false},
    {"import", heed_command_import, "makes a checkpoint of a model that Hugging Face transformers saved", false},
    {"export", heed_command_export, "writes a checkpoint for Hugging Face transformers", false},
    {"plan", heed_command_plan, "tells what a training run will take, before it is launched", false},
    {"doctor", heed_command_doctor, "tells before a job whether its ranks are alike and what would go wrong", true},
    {"verify", heed_command_verify, "checks that ranks and threads do not change the result", false},
    {"bench", heed_command_bench, "measures speed, held against what this machine can do", true},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void) {
  fputs("Usage: heed COMMAND …\n\nTrains, evaluates and inspects attention models on CPU clusters.\n\nCommands:\n", stdout);
  for (int i = 0; i < COMMANDS; i++)
    printf("  %-12s %s\n", commands[i].name, commands[i].summary);
  fputs("\n`heed COMMAND --help` tells what each takes.  Under mpirun: train, evaluate, doctor, bench.\n"
        "Exit codes: 0 done; 64 command line; 65 something named is missing or invalid; 74 read or write failed;\n"
        "75 stopped after saving, run again with --resume; 124 ended by the watchdog, since nothing moved; 130 by a second Ctrl-C;\n"
        "1 anything else.\n",
        stdout);
}

static heed_status not_a_command(const char *word) {
  const char *names[COMMANDS];
  for (int i = 0; i < COMMANDS; i++)
    names[i] = commands[i].name;
  const char *nearest = heed_spelling_nearest(word, names, COMMANDS);
  if (nearest)
    return heed_error(HEED_USAGE, "there is no command '%s'; did you mean '%s'?", word, nearest);
  return heed_error(HEED_USAGE, "there is no command '%s'; `heed --help` lists them", word);
}

static heed_status run_command(const command *c, int argc, char **argv) {
  char name[64];
  if (!c->parallel && heed_world_launched() > 1)
    return heed_error(HEED_INVALID, "heed %s runs in one process: run it without mpirun", c->name);
  if (omp_get_max_threads() > HEED_MOST_THREADS) /* libgomp would crash */
    return heed_error(HEED_INVALID, "OMP_NUM_THREADS asks for %d threads; %d are the most, and as many as there are processors the best",
                      omp_get_max_threads(), HEED_MOST_THREADS);
  (void)heed_blas_core(); /* chosen now, before MPI has threads */
  heed_mapping_guard();   /* before MPI has a handler, which would print a stack */
  snprintf(name, sizeof name, "heed %s", c->name);
  argv[0] = name;
  return c->run(argc, argv);
}

static heed_status run(int argc, char **argv) {
  if (argc < 2)
    return heed_error(HEED_USAGE, "a command is needed; `heed --help` lists them");
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0) {
    print_help();
    return HEED_OK;
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
    puts("heed " HEED_VERSION);
    return HEED_OK;
  }
  for (int i = 0; i < COMMANDS; i++)
    if (strcmp(word, commands[i].name) == 0)
      return run_command(&commands[i], argc - 1, argv + 1);
  return not_a_command(word);
}

/* A standard file that the caller closed is taken up by nothing: else the next file that is opened would get its number, and what is
 * printed.  Reading and writing it fail as they did. */
static void hold_standard_files(void) {
  static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
    if (fcntl(file, F_GETFD) < 0 && open("/dev/null", modes[file]) < 0)
      return;
}

/* Ranks that fail before the world is open meet now, so that one speaks for all before any of them leaves and mpirun ends the others. */
static heed_status meet(heed_status status) {
  char text[2048];
  heed_communication *world;
  if (heed_world_launched() == 0 || heed_world_is_open())
    return status;
  snprintf(text, sizeof text, "%s", heed_error_text());
  return heed_world_open(&world) == HEED_OK ? world->agree(world, heed_error(status, "%s", text)) : heed_error(status, "%s", text);
}

int main(int argc, char **argv) {
  hold_standard_files();
  heed_status status = run(argc, argv);
  if (status == HEED_OK)
    status = heed_end_output();
  else
    status = meet(status);
  if (status == HEED_STOPPED)
    heed_info("%s", heed_error_text());
  else if (status != HEED_OK && heed_error_text()[0])
    heed_complain("%s", heed_error_text()); /* ranks agreed on it: rank 0 speaks for all, before any of them leaves */
  heed_pulse_enter(HEED_PHASE_ENDING);
  heed_world_close();
  heed_watchdog_stop();
  return status;
}

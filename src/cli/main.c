/* heed COMMAND …: finds the command, runs it, and turns its status into the exit code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "comm/world.h"
#include "heed/log.h"

typedef struct command {
  const char *name;
  heed_status (*run)(int argc, char **argv);
  const char *summary;
} command;

static const command commands[] = {
    {"tokenizer", heed_command_tokenizer, "trains a vocabulary; encodes text with one"},
    {"prepare", heed_command_prepare, "encodes text into token shards"},
    {"train", heed_command_train, "trains a model, or goes on with --resume"},
    {"evaluate", heed_command_evaluate, "scores a checkpoint on text it was not trained on"},
    {"fill", heed_command_fill, "predicts each [MASK] of a text"},
    {"embed", heed_command_embed, "turns texts into vectors, a line each"},
    {"checkpoint", heed_command_checkpoint, "lists, shows and verifies saved checkpoints"},
    {"import", heed_command_import, "makes a checkpoint of a model that Hugging Face transformers saved"},
    {"export", heed_command_export, "writes a checkpoint for Hugging Face transformers"},
    {"verify", heed_command_verify, "checks that ranks and threads do not change the result"},
    {"bench", heed_command_bench, "measures speed, held against what this machine can do"},
    {NULL, NULL, NULL},
};

static void print_help(FILE *out) {
  fputs("Usage: heed COMMAND …\n\nTrains, evaluates and inspects attention models on CPU clusters.\n\nCommands:\n", out);
  for (const command *c = commands; c->name; c++)
    fprintf(out, "  %-12s %s\n", c->name, c->summary);
  fputs("\n`heed COMMAND --help` tells what each takes.  Under mpirun: train, evaluate, bench.\n"
        "Exit codes: 0 done; 64 command line; 65 something named is missing or invalid; 74 read or write failed;\n"
        "75 stopped after saving, run again with --resume; 124 watchdog; 1 anything else.\n",
        out);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_help(stderr);
    return HEED_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
    print_help(stdout);
    return HEED_OK;
  }
  if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
    puts("heed " HEED_VERSION);
    return HEED_OK;
  }
  for (const command *c = commands; c->name; c++) {
    if (strcmp(argv[1], c->name) != 0)
      continue;
    char name[64];
    snprintf(name, sizeof name, "heed %s", c->name);
    argv[1] = name;
    heed_status status = c->run(argc - 1, argv + 1);
    if (status == HEED_OK && (fflush(stdout) != 0 || ferror(stdout)))
      status = heed_error(HEED_IO, "standard output could not be written: %s", strerror(errno));
    if (status == HEED_STOPPED)
      heed_info("%s", heed_error_text());
    else if (status != HEED_OK && heed_error_text()[0])
      heed_complain("%s", heed_error_text()); /* ranks agreed on it: rank 0 speaks for all, before any of them leaves */
    heed_world_close();
    return status;
  }
  fprintf(stderr, "heed: there is no command '%s'; `heed --help` lists them\n", argv[1]);
  return HEED_USAGE;
}

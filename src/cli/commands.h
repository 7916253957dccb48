/** The commands: a file each; main.c holds their table.
 *
 *  A command gets the arguments after its name's place (argv[0] is "heed NAME"), prints results on standard output, and returns a
 *  status, which main turns into the exit code; main prints the error text, once, and closes the world. */
#ifndef HEED_CLI_COMMANDS_H
#define HEED_CLI_COMMANDS_H

#include "heed/status.h"

heed_status heed_command_tokenizer(int argc, char **argv);
heed_status heed_command_prepare(int argc, char **argv);
heed_status heed_command_train(int argc, char **argv);
heed_status heed_command_evaluate(int argc, char **argv);
heed_status heed_command_fill(int argc, char **argv);
heed_status heed_command_generate(int argc, char **argv);
heed_status heed_command_embed(int argc, char **argv);
heed_status heed_command_inspect(int argc, char **argv);
heed_status heed_command_checkpoint(int argc, char **argv);
heed_status heed_command_import(int argc, char **argv);
heed_status heed_command_export(int argc, char **argv);
heed_status heed_command_plan(int argc, char **argv);
heed_status heed_command_doctor(int argc, char **argv);
heed_status heed_command_verify(int argc, char **argv);
heed_status heed_command_bench(int argc, char **argv);

#endif

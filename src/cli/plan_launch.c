/* The command line that launches a planned run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_report.h"

/* Most partitions give a day; jobs/slurm.sbatch queues itself again until the run is done. */
enum { MOST_MINUTES = 24 * 60, SPARE_MINUTES = 10 };
static const double SPARE = 1.2;

/* As the shell reads it back. */
static void quote(FILE *to, const char *text) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,=%@";
  if (*text && text[strspn(text, plain)] == 0) {
    fputs(text, to);
    return;
  }
  fputc('\'', to);
  for (; *text; text++)
    fputs(*text == '\'' ? "'\\''" : (char[]){*text, 0}, to);
  fputc('\'', to);
}

static void print_limit(FILE *to, double seconds) {
  double minutes = SPARE * seconds / 60 + SPARE_MINUTES;
  int limit = minutes < MOST_MINUTES ? (int)minutes : MOST_MINUTES;
  fprintf(to, " --time=%02d:%02d:00", limit / 60, limit % 60);
}

char *plan_launch(const plan_report *report) {
  const plan_row *row = &report->row;
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  if (!to)
    return NULL;
  fprintf(to, "sbatch --nodes=%d --ntasks-per-node=%d", row->nodes, row->ranks_on_node);
  if (row->nodes * row->ranks_on_node != row->ranks)
    fprintf(to, " --ntasks=%d", row->ranks);
  fprintf(to, " --cpus-per-task=%d", report->threads);
  if (report->timed)
    print_limit(to, row->forecast.run);
  fputs(" jobs/slurm.sbatch ", to);
  quote(to, report->config_path);
  for (int i = 0; i < report->settings->count; i++) {
    fputs(" --set ", to);
    quote(to, report->settings->items[i]);
  }
  if (fclose(to) == 0)
    return text;
  free(text);
  return NULL;
}

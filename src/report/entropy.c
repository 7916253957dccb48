#include <math.h>
#include <stdlib.h>

#include "report/chart.h"
#include "report/parts.h"

/* A page stays small and readable: so many heads, so many points of all curves together, levels of the map's colour. */
enum { MOST_HEADS = 4096, MOST_POINTS = 16000, FEWEST_OF_A_CURVE = 8, MOST_OF_A_CURVE = 200, LEVELS = 10, COLOURS = 16 };

/* The evaluations that the curves are drawn through. */
typedef struct looks {
  const heed_metrics_line **lines;
  int64_t count, layers, heads;
  double highest;
} looks;

/* All that looked at as many heads as the newest did. */
static heed_status find(looks *found, const heed_metrics_history *history) {
  *found = (looks){.lines = malloc((size_t)(history->count + 1) * sizeof *found->lines)};
  if (!found->lines)
    return heed_error(HEED_FAILED, "out of memory for the run's page");
  for (int64_t i = history->count - 1; i >= 0 && found->layers == 0; i--)
    if (history->lines[i].head_entropy)
      found->layers = history->lines[i].layers, found->heads = history->lines[i].heads;
  for (int64_t i = 0; i < history->count; i++) {
    const heed_metrics_line *line = &history->lines[i];
    if (line->head_entropy && line->layers == found->layers && line->heads == found->heads)
      found->lines[found->count++] = line;
  }
  return HEED_OK;
}

/* Of many evaluations some, evenly chosen, with the first and the last. */
static void thin(looks *l) {
  int64_t most = MOST_POINTS / (l->layers * l->heads);
  most = most < FEWEST_OF_A_CURVE ? FEWEST_OF_A_CURVE : most > MOST_OF_A_CURVE ? MOST_OF_A_CURVE : most;
  if (l->count > most) {
    for (int64_t i = 0; i < most; i++)
      l->lines[i] = l->lines[i * (l->count - 1) / (most - 1)];
    l->count = most;
  }
  for (int64_t i = 0; i < l->count; i++)
    for (int64_t h = 0; h < l->layers * l->heads; h++)
      l->highest = fmax(l->highest, isfinite(l->lines[i]->head_entropy[h]) ? l->lines[i]->head_entropy[h] : 0);
}

static void print_map(FILE *out, const looks *l) {
  char value[HEED_CHART_VALUE];
  const double *newest = l->lines[l->count - 1]->head_entropy;
  fprintf(out,
          "<div class='scroll' tabindex='0' role='group' aria-label='entropy of each head'>\n<table id='heads' data-highest='%.9g'>\n<tr>"
          "<th scope='col'>head</th>",
          l->highest);
  for (int64_t h = 0; h < l->heads; h++)
    fprintf(out, "<th scope='col'>%lld</th>", (long long)h);
  fputs("</tr>\n", out);
  for (int64_t layer = 0; layer < l->layers; layer++) {
    fprintf(out, "<tr><th scope='row'>layer %lld</th>", (long long)layer);
    for (int64_t h = 0; h < l->heads; h++) {
      double entropy = newest[layer * l->heads + h];
      int level = l->highest > 0 && entropy > 0 ? (int)fmin(LEVELS * entropy / l->highest, LEVELS - 1) : 0;
      fprintf(out, "<td class='e%d'>%s</td>", level, heed_chart_value(value, entropy, 2, ""));
    }
    fputs("</tr>\n", out);
  }
  fputs("</table>\n</div>\n", out);
}

static heed_status print_layer(FILE *out, const looks *l, int64_t layer) {
  char id[32], title[32], (*texts)[2][24] = malloc((size_t)l->heads * sizeof *texts);
  heed_chart_series *series = calloc((size_t)l->heads, sizeof *series);
  heed_point *points = malloc((size_t)(l->heads * l->count) * sizeof *points);
  bool room = texts && series && points;
  for (int64_t h = 0; h < l->heads && room; h++) {
    heed_curve curve = {.points = points + h * l->count, .count = l->count};
    for (int64_t i = 0; i < l->count; i++)
      curve.points[i] = (heed_point){(double)l->lines[i]->step, l->lines[i]->head_entropy[layer * l->heads + h]};
    snprintf(texts[h][0], sizeof texts[h][0], "h%lld", (long long)(h % COLOURS));
    snprintf(texts[h][1], sizeof texts[h][1], "h%lld", (long long)h);
    series[h] = (heed_chart_series){.kind = texts[h][0], .name = texts[h][1], .curve = curve};
  }
  if (room) {
    snprintf(id, sizeof id, "layer-%lld", (long long)layer);
    snprintf(title, sizeof title, "Layer %lld", (long long)layer);
    heed_chart_print(out, &(heed_chart){.id = id,
                                        .title = title,
                                        .small = true,
                                        .series = series,
                                        .count = (int)l->heads,
                                        .digits = 2,
                                        .from_zero = true,
                                        .at_least = l->highest,
                                        .x_high = (double)l->lines[l->count - 1]->step});
  }
  free(texts);
  free(series);
  free(points);
  return room ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the run's page");
}

heed_status heed_report_entropy(FILE *out, const heed_metrics_history *history) {
  looks l;
  char step[48];
  heed_status status = find(&l, history);
  if (status == HEED_OK && l.count > 0 && l.layers <= MOST_HEADS / l.heads) {
    thin(&l);
    fprintf(out,
            "<section id='entropy'>\n<h2>Attention entropy <small id='entropy-step'>step %s</small></h2>\n"
            "<p class='about'>In nats, the mean over the queries of each head: 0 when a query looks at one key alone, ln n when it looks "
            "at n alike.</p>\n",
            heed_print_count(step, (double)l.lines[l.count - 1]->step));
    print_map(out, &l);
    fputs("<div class='charts small'>\n", out);
    for (int64_t layer = 0; layer < l.layers && status == HEED_OK; layer++)
      status = print_layer(out, &l, layer);
    fputs("</div>\n</section>\n", out);
  }
  free(l.lines);
  return status;
}

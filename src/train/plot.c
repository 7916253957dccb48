#include "train/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "train/metrics.h"

enum { WIDTH = 760, LEFT = 64, RIGHT = 740, MOST_POINTS = 1500 };

/* A panel: the part of the plane that its axes show, and where on the page. */
typedef struct panel {
  double x_low, x_high, y_low, y_high;
  double top, bottom;
} panel;

typedef double field(const heed_metrics_line *line);

static double loss_of(const heed_metrics_line *line) {
  return line->loss;
}
static double validation_loss_of(const heed_metrics_line *line) {
  return line->validation_loss;
}
static double accuracy_of(const heed_metrics_line *line) {
  return 100 * line->validation_accuracy;
}

static double x_at(const panel *p, double x) {
  return LEFT + (x - p->x_low) / (p->x_high - p->x_low) * (RIGHT - LEFT);
}
static double y_at(const panel *p, double y) {
  return p->bottom - (y - p->y_low) / (p->y_high - p->y_low) * (p->bottom - p->top);
}

/* A step of 1, 2 or 5 times a power of ten that gives about `wanted` ticks. */
static double tick_step(double span, int wanted) {
  double raw = span / wanted, power = pow(10, floor(log10(raw))), share = raw / power;
  return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
}

static void widen(panel *p, field *value, const heed_metrics_line *lines, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    double y = value(&lines[i]);
    if (!isfinite(y))
      continue;
    p->y_low = fmin(p->y_low, y);
    p->y_high = fmax(p->y_high, y);
  }
}

/* Rounds the vertical range outwards to ticks; an empty or flat range gets some height. */
static void round_range(panel *p) {
  if (!(p->y_low <= p->y_high))
    p->y_low = 0, p->y_high = 1;
  if (p->y_high - p->y_low < 1e-6 * fmax(1, fabs(p->y_high)))
    p->y_low -= 0.5, p->y_high += 0.5;
  double step = tick_step(p->y_high - p->y_low, 5);
  p->y_low = floor(p->y_low / step) * step;
  p->y_high = ceil(p->y_high / step) * step;
}

static void draw_axes(FILE *out, const panel *p, const char *label, bool steps_below) {
  double step = tick_step(p->y_high - p->y_low, 5);
  for (double y = p->y_low; y < p->y_high + 0.5 * step; y += step)
    fprintf(out, "<path class='grid' d='M%d %.1fH%d'/><text x='%d' y='%.1f' text-anchor='end'>%g</text>\n", LEFT, y_at(p, y), RIGHT,
            LEFT - 8, y_at(p, y) + 4, fabs(y) < 1e-9 * step ? 0 : round(y / step) * step);
  step = fmax(1, tick_step(p->x_high - p->x_low, 8));
  for (double x = ceil(p->x_low / step) * step; x <= p->x_high; x += step) {
    fprintf(out, "<path class='axis' d='M%.1f %.1fv4'/>", x_at(p, x), p->bottom);
    if (steps_below)
      fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%.0f</text>", x_at(p, x), p->bottom + 18, x);
    fputc('\n', out);
  }
  fprintf(out, "<path class='axis' d='M%d %.1fV%.1fH%d'/>\n", LEFT, p->top, p->bottom, RIGHT);
  fprintf(out, "<text transform='translate(16 %.1f) rotate(-90)' text-anchor='middle'>%s</text>\n", (p->top + p->bottom) / 2, label);
}

/* The curve of a field, `width` lines averaged at a point; long ones are thinned to MOST_POINTS. */
static void draw_curve(FILE *out, const panel *p, const char *kind, field *value, const heed_metrics_line *lines, int64_t count,
                       int64_t width) {
  int64_t every = count / MOST_POINTS + 1;
  bool begun = false;
  fprintf(out, "<path class='%s' d='", kind);
  for (int64_t i = 0; i < count; i += every) {
    double sum = 0, points = 0;
    for (int64_t j = i - width / 2; j <= i + (every > width ? every : width) / 2; j++) {
      if (j < 0 || j >= count || !isfinite(value(&lines[j])))
        continue;
      sum += value(&lines[j]);
      points++;
    }
    if (points > 0)
      fprintf(out, "%s%.1f %.1f", begun ? "L" : "M", x_at(p, (double)lines[i].step), y_at(p, sum / points));
    begun = begun || points > 0;
  }
  fputs("'/>\n", out);
}

static void draw_points(FILE *out, const panel *p, const char *kind, field *value, const heed_metrics_line *lines, int64_t count) {
  if (count > 200)
    return;
  for (int64_t i = 0; i < count; i++)
    if (isfinite(value(&lines[i])))
      fprintf(out, "<circle class='%s' r='3.2' cx='%.1f' cy='%.1f'/>\n", kind, x_at(p, (double)lines[i].step), y_at(p, value(&lines[i])));
}

/* Lines that have a value of this field, moved to the front of `kept`. */
static int64_t keep(heed_metrics_line *kept, field *value, const heed_metrics_line *lines, int64_t count) {
  int64_t n = 0;
  for (int64_t i = 0; i < count; i++)
    if (isfinite(value(&lines[i])))
      kept[n++] = lines[i];
  return n;
}

static void put_text(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<' || *text == '&')
      fprintf(out, "&#%d;", *text);
    else
      fputc(*text, out);
  }
}

static void draw_frame(FILE *out, int height, const char *title) {
  fprintf(
      out,
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' font-family='system-ui, sans-serif' "
      "font-size='12'>\n"
      "<style>svg{background:#fff;color:#222}text{fill:#444}path{fill:none}.title{font-size:15px;font-weight:600;fill:#111}"
      ".grid{stroke:#e6e6e6}.axis{stroke:#888}.raw{stroke:#9dbbe0;stroke-width:1}.loss{stroke:#2563b0;stroke-width:2}"
      ".check{stroke:#d9622b;stroke-width:1.5}circle.check{fill:#d9622b}.right{stroke:#2a8a57;stroke-width:1.5}circle.right{fill:#2a8a57}"
      "@media(prefers-color-scheme:dark){svg{background:#15181c}text{fill:#b8bec6}.title{fill:#f0f2f4}.grid{stroke:#2a2f36}"
      ".axis{stroke:#6b737d}.raw{stroke:#35557d}.loss{stroke:#6aa5f0}}</style>\n"
      "<rect width='%d' height='%d' fill='none'/>\n<text class='title' x='%d' y='24'>",
      WIDTH, height, WIDTH, height, WIDTH, height, LEFT);
  put_text(out, title);
  fputs("</text>\n", out);
}

static void draw_legend(FILE *out) {
  fprintf(out,
          "<path class='loss' d='M%d 44h22'/><text x='%d' y='48'>training loss</text>"
          "<path class='check' d='M%d 44h22'/><circle class='check' r='3.2' cx='%d' cy='44'/><text x='%d' y='48'>validation loss</text>\n",
          LEFT, LEFT + 28, LEFT + 130, LEFT + 141, LEFT + 158);
}

static void draw(FILE *out, const char *title, const heed_metrics_line *lines, heed_metrics_line *kept, int64_t count) {
  panel losses = {.y_low = INFINITY, .y_high = -INFINITY, .top = 64, .bottom = 330};
  panel shares = {.y_low = 0, .y_high = 0, .top = 370, .bottom = 490};
  int64_t evaluations = keep(kept, validation_loss_of, lines, count);
  bool two = evaluations > 0;
  for (int64_t i = 0; i < count; i++)
    losses.x_high = fmax(losses.x_high, (double)lines[i].step);
  losses.x_high = fmax(losses.x_high, 1);
  shares.x_high = losses.x_high;
  widen(&losses, loss_of, lines, count);
  widen(&losses, validation_loss_of, lines, count);
  widen(&shares, accuracy_of, lines, count);
  round_range(&losses);
  round_range(&shares);

  draw_frame(out, two ? 540 : 380, title);
  draw_legend(out);
  draw_axes(out, &losses, "loss", !two);
  int64_t logged = keep(kept, loss_of, lines, count);
  draw_curve(out, &losses, "raw", loss_of, kept, logged, 1);
  draw_curve(out, &losses, "loss", loss_of, kept, logged, logged / 40 + 1);
  evaluations = keep(kept, validation_loss_of, lines, count);
  draw_curve(out, &losses, "check", validation_loss_of, kept, evaluations, 1);
  draw_points(out, &losses, "check", validation_loss_of, kept, evaluations);
  if (two) {
    draw_axes(out, &shares, "accuracy, %", true);
    draw_curve(out, &shares, "right", accuracy_of, kept, evaluations, 1);
    draw_points(out, &shares, "right", accuracy_of, kept, evaluations);
  }
  fprintf(out, "<text x='%d' y='%d' text-anchor='end'>step</text>\n</svg>\n", RIGHT, two ? 530 : 370);
}

heed_status heed_plot_write(const char *svg_path, const char *metrics_path, const char *title) {
  heed_metrics_line *lines;
  int64_t count;
  char *text = NULL;
  size_t bytes = 0;
  HEED_TRY(heed_metrics_read(metrics_path, &lines, &count));
  heed_metrics_line *kept = malloc((size_t)(count + 1) * sizeof *kept);
  FILE *out = kept ? open_memstream(&text, &bytes) : NULL;
  if (out)
    draw(out, title, lines, kept, count);
  heed_status status =
      out && fclose(out) == 0 ? heed_file_replace(svg_path, text, bytes) : heed_error(HEED_FAILED, "%s: out of memory", svg_path);
  free(text);
  free(kept);
  free(lines);
  return status;
}

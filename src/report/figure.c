#include "report/figure.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 780, LEFT = 62, RIGHT = 724, LEGEND = 50, TICK_WIDTH = 110 };

const char heed_figure_style[] =
    ".page{fill:#ffffff}text{fill:#4a4f57}.title{font-size:16px;font-weight:600;fill:#15181c}.name{fill:#2b2f36}\n"
    "path{stroke-linejoin:round;stroke-linecap:round}.grid{stroke:#e9ebee}.axis{stroke:#8b929c}\n"
    "path.raw{stroke:#a9c4e6;stroke-width:1}path.train{stroke:#2463b4;stroke-width:2.2}path.check{stroke:#d4571f;stroke-width:1.8}\n"
    "path.share{stroke:#23875a;stroke-width:1.8}path.rate{stroke:#7a5fb0;stroke-width:1.8}\n"
    ".raw{fill:#a9c4e6}.train{fill:#2463b4}.check{fill:#d4571f}.share{fill:#23875a}.rate{fill:#7a5fb0}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".page{fill:#14171b}text{fill:#a9b0ba}.title{fill:#f1f3f5}.name{fill:#d5dae0}.grid{stroke:#272c33}.axis{stroke:#666e79}\n"
    "path.raw{stroke:#37577f}path.train{stroke:#6ea8f2}path.check{stroke:#f08a55}path.share{stroke:#58c08f}path.rate{stroke:#ad96de}\n"
    ".raw{fill:#37577f}.train{fill:#6ea8f2}.check{fill:#f08a55}.share{fill:#58c08f}.rate{fill:#ad96de}}\n"
    "path,path[class]{fill:none}\n";

heed_panel heed_panel_between(double top, double bottom, double x_high) {
  return (heed_panel){
      .x_high = fmax(x_high, 1), .y_low = INFINITY, .y_high = -INFINITY, .top = top, .bottom = bottom, .left = LEFT, .right = RIGHT};
}

void heed_panel_include(heed_panel *panel, const heed_point *points, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (!isfinite(points[i].y))
      continue;
    panel->y_low = fmin(panel->y_low, points[i].y);
    panel->y_high = fmax(panel->y_high, points[i].y);
  }
}

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them make `span`. */
static double round_tick(double span, int wanted) {
  double raw = span / wanted, power = pow(10, floor(log10(raw))), share = raw / power;
  return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
}

double heed_panel_round(heed_panel *panel, int ticks) {
  if (!(panel->y_low <= panel->y_high))
    panel->y_low = 0, panel->y_high = 1;
  double size = fmax(fabs(panel->y_low), fabs(panel->y_high));
  if (panel->y_high - panel->y_low <= 1e-6 * size || size == 0) {
    double room = size == 0 ? 1 : 0.1 * size;
    panel->y_high += room;
    panel->y_low = panel->y_low == 0 ? 0 : panel->y_low - room;
  }
  double tick = round_tick(panel->y_high - panel->y_low, ticks);
  panel->y_low = floor(panel->y_low / tick + 1e-9) * tick;
  panel->y_high = ceil(panel->y_high / tick - 1e-9) * tick;
  return tick;
}

static double x_at(const heed_panel *panel, double x) {
  return panel->left + x / panel->x_high * (panel->right - panel->left);
}

static double y_at(const heed_panel *panel, double y) {
  return panel->bottom - (y - panel->y_low) / (panel->y_high - panel->y_low) * (panel->bottom - panel->top);
}

double heed_panel_height(const heed_panel *panel, double y) {
  return fmin(fmax(y_at(panel, y), panel->top), panel->bottom);
}

const char *heed_print_count(char text[48], double count) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%.0f", fmin(count, 1e15)), at = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0)
      text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = 0;
  return text;
}

/* A step as 12,000, or 12M where that says all of it. */
static const char *print_step(char text[48], double step) {
  if (step < 1e6 || fmod(step, 1e5) != 0)
    return heed_print_count(text, step);
  snprintf(text, 48, "%gM", step / 1e6);
  return text;
}

void heed_panel_axes(FILE *out, const heed_panel *panel, double tick, const char *unit, const char *label, bool numbered) {
  char text[48];
  int64_t first = llround(panel->y_low / tick), last = llround(panel->y_high / tick);
  for (int64_t i = first; i <= last && i < first + 100; i++) {
    double y = y_at(panel, (double)i * tick);
    if (tick >= 1 && tick < 1e7 && i >= 0)
      heed_print_count(text, (double)i * tick);
    else if (tick > 1e-7 && tick < 1e7)
      snprintf(text, sizeof text, "%.*f", tick < 1 ? (int)ceil(-log10(tick) - 1e-9) : 0, (double)i * tick);
    else
      snprintf(text, sizeof text, "%.6g", (double)i * tick);
    fprintf(out, "<path class='grid' d='M%g %.1fH%g'/><text x='%g' y='%.1f' text-anchor='end'>%s%s</text>\n", panel->left, y, panel->right,
            panel->left - 9, y + 4, text, unit);
  }
  double step = fmax(1, round_tick(panel->x_high, (int)((panel->right - panel->left) / TICK_WIDTH)));
  for (double x = 0; x <= panel->x_high; x += step) {
    fprintf(out, "<path class='axis' d='M%.1f %.1fv5'/>", x_at(panel, x), panel->bottom);
    if (numbered)
      fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>", x_at(panel, x), panel->bottom + 20, print_step(text, x));
    fputc('\n', out);
  }
  fprintf(out, "<path class='axis' d='M%g %.1fH%g'/>\n", panel->left, panel->bottom, panel->right);
  if (label)
    fprintf(out, "<text class='name' x='%g' y='%.1f'>%s</text>\n", panel->left, panel->top - 12, label);
  if (numbered)
    fprintf(out, "<text class='name' x='%.1f' y='%.1f' text-anchor='middle'>step</text>\n", 0.5 * (panel->left + panel->right),
            panel->bottom + 40);
}

void heed_panel_line(FILE *out, const heed_panel *panel, const char *kind, const heed_point *points, int64_t count) {
  int64_t i = 0;
  while (i < count) {
    int64_t end = i;
    while (end < count && isfinite(points[end].y))
      end++;
    if (end - i == 1)
      heed_panel_dots(out, panel, kind, &points[i], 1);
    if (end - i > 1) {
      fprintf(out, "<path class='%s' d='", kind);
      for (int64_t j = i; j < end; j++)
        fprintf(out, "%s%.1f %.1f", j == i ? "M" : "L", x_at(panel, points[j].x), heed_panel_height(panel, points[j].y));
      fputs("'/>\n", out);
    }
    i = end + 1;
  }
}

void heed_panel_dots(FILE *out, const heed_panel *panel, const char *kind, const heed_point *points, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (isfinite(points[i].y))
      fprintf(out, "<circle class='%s' r='3' cx='%.1f' cy='%.1f'/>\n", kind, x_at(panel, points[i].x),
              heed_panel_height(panel, points[i].y));
}

void heed_panel_value(FILE *out, const char *kind, double height, const char *text) {
  fprintf(out, "<text class='%s' x='%d' y='%.1f'>%s</text>\n", kind, RIGHT + 8, height + 4, text);
}

void heed_figure_legend(FILE *out, double x, const char *kind, bool dotted, const char *name) {
  fprintf(out, "<path class='%s' d='M%.1f %dh22'/>", kind, LEFT + x, LEGEND);
  if (dotted)
    fprintf(out, "<circle class='%s' r='3' cx='%.1f' cy='%d'/>", kind, LEFT + x + 11, LEGEND);
  fprintf(out, "<text class='name' x='%.1f' y='%d'>%s</text>\n", LEFT + x + 29, LEGEND + 4, name);
}

void heed_print_escaped(FILE *out, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (strchr("<>&'\"", byte))
      fprintf(out, "&#%d;", byte);
    else
      fputc((byte < 32 && byte != '\n' && byte != '\t') || byte == 127 ? ' ' : byte, out);
  }
}

void heed_figure_begin(FILE *out, int height, const char *title) {
  fprintf(out,
          "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' role='img' font-size='12' "
          "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n<title>",
          WIDTH, height, WIDTH, height);
  heed_print_escaped(out, title);
  fprintf(out,
          ": training and validation</title>\n<style>\n%s</style>\n<rect class='page' width='%d' height='%d'/>\n<text class='title' x='%d' "
          "y='28'>",
          heed_figure_style, WIDTH, height, LEFT);
  heed_print_escaped(out, title);
  fputs("</text>\n", out);
}

void heed_figure_open(FILE *out, const char *kind, int width, int height, const char *name, const heed_panel *p) {
  fprintf(out, "<svg class='%s' viewBox='0 0 %d %d' font-size='13' data-panel='%g %g %g %g %.9g %.9g %.9g' role='img' aria-label='", kind,
          width, height, p->left, p->right, p->top, p->bottom, p->x_high, p->y_low, p->y_high);
  heed_print_escaped(out, name);
  fputs("'>\n", out);
}

void heed_figure_end(FILE *out) {
  fputs("</svg>\n", out);
}

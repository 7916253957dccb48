#include "report/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_status allocate(heed_curve *curve, int64_t points) {
  *curve = (heed_curve){.points = malloc((size_t)(points + 1) * sizeof *curve->points)};
  return curve->points ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the picture of a run");
}

heed_status heed_curve_take(heed_curve *curve, const heed_metrics_history *history, bool evaluations, size_t field, double scale) {
  HEED_TRY(allocate(curve, history->count));
  for (int64_t i = 0; i < history->count; i++) {
    const heed_metrics_line *line = &history->lines[i];
    double value;
    memcpy(&value, (const char *)line + field, sizeof value);
    if (line->evaluation == evaluations)
      curve->points[curve->count++] = (heed_point){(double)line->step, scale * value};
  }
  return HEED_OK;
}

void heed_curve_free(heed_curve *curve) {
  free(curve->points);
  *curve = (heed_curve){0};
}

heed_status heed_curve_smooth(heed_curve *smoothed, const heed_curve *from) {
  int64_t half = from->count / 80, low = 0, high = 0, within = 0;
  double sum = 0;
  HEED_TRY(allocate(smoothed, from->count));
  smoothed->count = from->count;
  for (int64_t i = 0; i < from->count; i++) {
    int64_t reach = half < i ? half : i, end = i + reach + 1 < from->count ? i + reach + 1 : from->count;
    for (; high < end; high++)
      if (isfinite(from->points[high].y))
        sum += from->points[high].y, within++;
    for (; low < i - reach; low++)
      if (isfinite(from->points[low].y))
        sum -= from->points[low].y, within--;
    smoothed->points[i] = (heed_point){from->points[i].x, isfinite(from->points[i].y) ? sum / (double)within : NAN};
  }
  return HEED_OK;
}

heed_status heed_curve_thin(heed_curve *thinned, const heed_curve *from, int64_t most) {
  const int64_t stretches = most / 2, count = from->count;
  const heed_point *p = from->points;
  HEED_TRY(allocate(thinned, count < most ? count : most));
  if (count <= most) {
    memcpy(thinned->points, p, (size_t)count * sizeof *p);
    thinned->count = count;
    return HEED_OK;
  }
  for (int64_t s = 0; s < stretches; s++) {
    int64_t begin = s * count / stretches, end = (s + 1) * count / stretches, lowest = begin, highest = begin;
    for (int64_t i = begin; i < end; i++) {
      if (p[i].y < p[lowest].y || !isfinite(p[lowest].y))
        lowest = i;
      if (p[i].y > p[highest].y || !isfinite(p[highest].y))
        highest = i;
    }
    thinned->points[thinned->count++] = p[lowest < highest ? lowest : highest];
    thinned->points[thinned->count++] = p[lowest < highest ? highest : lowest];
  }
  return HEED_OK;
}

double heed_curve_newest(const heed_curve *c) {
  int64_t i = c->count;
  while (i > 0 && !isfinite(c->points[i - 1].y))
    i--;
  return i > 0 ? c->points[i - 1].y : NAN;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double heed_curve_usual(const heed_curve *c) {
  double *values = malloc((size_t)(c->count + 1) * sizeof *values), usual = INFINITY;
  int64_t count = 0;
  for (int64_t i = 0; values && i < c->count; i++)
    if (isfinite(c->points[i].y))
      values[count++] = c->points[i].y;
  if (values)
    qsort(values, (size_t)count, sizeof *values, by_value);
  if (count > 0)
    usual = values[count - 1 - count / 50];
  free(values);
  return usual;
}

void heed_curve_scale(heed_curve *c, char power[32]) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  double highest = 0;
  for (int64_t i = 0; i < c->count; i++)
    highest = fmax(highest, c->points[i].y);
  int exponent = highest > 0 ? (int)floor(log10(highest)) : 0;
  power[0] = 0;
  if (exponent >= -1 || exponent <= -100)
    return;
  snprintf(power, 32, "10⁻%s%s", exponent <= -10 ? digits[-exponent / 10] : "", digits[-exponent % 10]);
  for (int64_t i = 0; i < c->count; i++)
    c->points[i].y *= pow(10, -exponent);
}

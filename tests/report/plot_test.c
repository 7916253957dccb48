#include "report/plot.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/metrics.h"
#include "test.h"

enum { MOST_BYTES = 200000 };
static char folder[] = "/tmp/heed-plot-XXXXXX", metrics_path[64], svg_path[64], svg[MOST_BYTES + 1];

/* Writes metrics of steps `every`, 2·`every`, …, each with the loss that `loss` gives; an evaluation at each `evaluate`-th line. */
static void put_metrics(int64_t lines, int64_t every, int64_t evaluate, double (*loss)(double share)) {
  unlink(metrics_path);
  FILE *file = fopen(metrics_path, "w");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  for (int64_t i = 1; i <= lines; i++) {
    double value = loss((double)i / (double)lines);
    char text[32] = "null";
    if (isfinite(value))
      snprintf(text, sizeof text, "%.9g", value);
    fprintf(file, "{\"step\": %lld, \"loss\": %s, \"learning_rate\": %g}\n", (long long)(i * every), text,
            1e-4 * (double)i / (double)lines);
    if (evaluate > 0 && i % evaluate == 0)
      fprintf(file, "{\"step\": %lld, \"validation_loss\": %s, \"validation_accuracy\": 0.25}\n", (long long)(i * every), text);
  }
  fclose(file);
}

static heed_status write_picture(const char *path, const char *title) {
  heed_metrics_history history;
  CU_ASSERT_EQUAL_FATAL(heed_metrics_read(metrics_path, &history), HEED_OK);
  heed_status status = heed_plot_write(path, &history, title);
  heed_metrics_history_free(&history);
  return status;
}

static void draw(const char *title) {
  CU_ASSERT_EQUAL_FATAL(write_picture(svg_path, title), HEED_OK);
  FILE *file = fopen(svg_path, "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  size_t bytes = fread(svg, 1, sizeof svg, file);
  fclose(file);
  CU_ASSERT_FATAL(bytes > 0 && bytes < sizeof svg);
  svg[bytes] = 0;
}

/* Reads past an element's attributes, each NAME=QUOTED; NULL where they are not sound. */
static const char *skip_attributes(const char *at) {
  while (*at == ' ') {
    at += strspn(at, " ");
    size_t name = strcspn(at, "= >/");
    if (name == 0 || at[name] != '=' || !strchr("'\"", at[name + 1]))
      return NULL;
    char quote = at[name + 1];
    const char *end = strchr(at + name + 2, quote);
    if (!end || memchr(at + name + 2, '<', (size_t)(end - at - (long)name - 2)))
      return NULL;
    at = end + 1;
  }
  return at;
}

/* Whether a text is well-formed XML, as far as SVG without comments and entities by name goes. */
static bool is_well_formed(const char *at) {
  char open[16][16];
  int depth = 0;
  for (; *at; at++) {
    if (*at == '&' && (at[1] != '#' || !isdigit((unsigned char)at[2])))
      return false;
    if ((unsigned char)*at < 32 && *at != '\n')
      return false;
    if (*at != '<')
      continue;
    bool closing = at[1] == '/';
    at += 1 + closing;
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz");
    if (length == 0 || length > 15 || depth == 16)
      return false;
    if (closing && (depth == 0 || strlen(open[depth - 1]) != length || strncmp(open[depth - 1], at, length) != 0))
      return false;
    snprintf(open[depth], sizeof open[depth], "%.*s", (int)length, at);
    at = skip_attributes(at + length);
    if (!at)
      return false;
    bool empty = *at == '/';
    at += empty;
    if (*at != '>')
      return false;
    depth += closing ? -1 : empty ? 0 : 1;
  }
  return depth == 0;
}

/* The checker is itself checked. */
static void the_checker_sees_faults(void) {
  CU_ASSERT(is_well_formed("<a x='1'><b/>t &#38;</a>"));
  CU_ASSERT(!is_well_formed("<a><b></a>"));
  CU_ASSERT(!is_well_formed("<a x=1/>"));
  CU_ASSERT(!is_well_formed("<a>&</a>"));
  CU_ASSERT(!is_well_formed("<a"));
  CU_ASSERT(!is_well_formed("<a x='<'/>"));
}

/* All coordinates are numbers on the page. */
static void check_picture(void) {
  CU_ASSERT(is_well_formed(svg));
  CU_ASSERT_PTR_NULL(strstr(svg, "nan"));
  CU_ASSERT_PTR_NULL(strstr(svg, "inf"));
  CU_ASSERT_PTR_NULL(strstr(svg, "href")); /* nothing comes from elsewhere */
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, "prefers-color-scheme:dark"));
  double width = 0, height = 0;
  CU_ASSERT_EQUAL(sscanf(strstr(svg, "viewBox"), "viewBox='0 0 %lf %lf'", &width, &height), 2);
  for (const char *path = strstr(svg, " d='M"); path; path = strstr(path + 1, " d='M")) {
    double x, y;
    for (const char *at = path + 4; *at == 'M' || *at == 'L'; at += 1 + strcspn(at + 1, "ML'")) {
      CU_ASSERT_EQUAL_FATAL(sscanf(at + 1, "%lf %lf", &x, &y), 2);
      CU_ASSERT(x >= 0 && x <= width && y >= 0 && y <= height);
    }
  }
}

/* First and last point of the last line of this class; the legend's stroke comes before it. */
static void ends_of(const char *kind, double first[2], double last[2]) {
  char opening[64];
  snprintf(opening, sizeof opening, "<path class='%s' d='M", kind);
  const char *start = NULL;
  for (const char *at = strstr(svg, opening); at; at = strstr(at + 1, opening))
    start = at;
  CU_ASSERT_PTR_NOT_NULL_FATAL(start);
  start += strlen(opening);
  const char *end = strchr(start, '\''), *at = end;
  while (at > start && at[-1] != 'L')
    at--;
  CU_ASSERT_EQUAL(sscanf(start, "%lf %lf", &first[0], &first[1]), 2);
  CU_ASSERT_EQUAL(sscanf(at, "%lf %lf", &last[0], &last[1]), 2);
}

/* Height of the baseline of the first tick number that reads `number`, less the four pixels that centre it. */
static double tick_height(const char *number) {
  char closing[32];
  double height = NAN;
  snprintf(closing, sizeof closing, ">%s</text>", number);
  const char *at = strstr(svg, closing);
  CU_ASSERT_PTR_NOT_NULL_FATAL(at);
  while (strncmp(at, "y='", 3) != 0)
    at--;
  sscanf(at, "y='%lf'", &height);
  return height - 4;
}

static double from_4_to_2(double share) {
  return 4 - 2 * (share - 0.01) / 0.99;
}

/* A straight line from 4 to 2 begins at the height of tick 4.0 and ends at that of 2.0, at the right edge. */
static void points_stand_where_the_axes_say(void) {
  double first[2], last[2];
  put_metrics(100, 10, 0, from_4_to_2);
  draw("run");
  check_picture();
  ends_of("raw", first, last);
  CU_ASSERT_DOUBLE_EQUAL(first[1], tick_height("4.0"), 0.11);
  CU_ASSERT_DOUBLE_EQUAL(last[1], tick_height("2.0"), 0.11);
  CU_ASSERT_DOUBLE_EQUAL(last[0], 724, 0.11);
  CU_ASSERT_DOUBLE_EQUAL((last[0] - 62) / (first[0] - 62), 100, 2); /* steps 1,000 and 10; the axis is at 62 */
  ends_of("train", first, last);
  CU_ASSERT_DOUBLE_EQUAL(first[1], tick_height("4.0"), 0.11); /* the smoothed line keeps the start */
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">1,000</text>"));
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, "learning rate, × 10⁻⁴"));
}

static double with_a_gap(double share) {
  return share > 0.4 && share < 0.5 ? NAN : from_4_to_2(share);
}

static int count_of(const char *text) {
  int count = 0;
  for (const char *at = strstr(svg, text); at; at = strstr(at + 1, text))
    count++;
  return count;
}

/* What is not a number is a gap, not a line across it. */
static void gaps_are_left(void) {
  put_metrics(100, 10, 0, from_4_to_2);
  draw("run");
  int logged = count_of("<path class='raw'"), smooth = count_of("<path class='train'");
  put_metrics(100, 10, 0, with_a_gap);
  draw("run");
  check_picture();
  CU_ASSERT_EQUAL(count_of("<path class='raw'"), logged + 1);
  CU_ASSERT_EQUAL(count_of("<path class='train'"), smooth + 1);
}

static double nowhere(double share) {
  (void)share;
  return NAN;
}

static void short_and_empty_runs(void) {
  for (int64_t lines = 0; lines <= 3; lines++) {
    put_metrics(lines, 10, 1, from_4_to_2);
    draw("run");
    check_picture();
    CU_ASSERT_EQUAL(count_of("<circle class='train'"), lines == 1); /* a single point is a dot */
  }
  put_metrics(50, 10, 5, nowhere);
  draw("run");
  check_picture();
  unlink(metrics_path);
  draw("run");
  check_picture();
}

static double flat(double share) {
  (void)share;
  return 2.5;
}

static void a_flat_curve_has_an_axis(void) {
  double first[2], last[2];
  put_metrics(20, 1, 4, flat);
  draw("run");
  check_picture();
  ends_of("train", first, last);
  CU_ASSERT(first[1] == last[1] && first[1] > 150 && first[1] < 270); /* in the middle of the panel */
  CU_ASSERT(count_of("class='grid'") >= 4);
}

static double noisy(double share) {
  return 3 + 7 * exp(-20 * share) + 0.5 * sin(1e6 * share);
}

static double with_one_point_at_6(double share) {
  return fabs(share - 0.7) < 1e-7 ? 6 : noisy(share);
}

/* 100,000 logged steps stay a small picture that still shows the whole width of the noise. */
static void long_runs_are_thinned(void) {
  put_metrics(100000, 10, 50, noisy);
  draw("run");
  check_picture();
  CU_ASSERT(strlen(svg) < MOST_BYTES);
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, ">1M</text>"));
  const char *raw = strstr(svg, "<path class='raw' d='M"), *end = strchr(raw + 20, '>');
  double lowest = 0, highest = 1e9, x, y;
  for (const char *at = strchr(raw, 'M'); at < end && (*at == 'M' || *at == 'L'); at += 1 + strcspn(at + 1, "ML'"))
    if (sscanf(at + 1, "%lf %lf", &x, &y) == 2 && x > 500) { /* pages count downwards */
      lowest = fmax(lowest, y);
      highest = fmin(highest, y);
    }
  double unit = tick_height("3") - tick_height("4");
  CU_ASSERT_DOUBLE_EQUAL((lowest - highest) / unit, 1.0, 0.1); /* ±0.5 */

  char point[32];
  put_metrics(100000, 10, 50, with_one_point_at_6);
  draw("run");
  snprintf(point, sizeof point, "L%.1f %.1f", 62 + 0.7 * (724 - 62), tick_height("6"));
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, point)); /* one point of 100,000 is still there */
}

static double with_a_spike(double share) {
  return fabs(share - 0.5) < 0.004 ? 1000 : from_4_to_2(share);
}

static void a_spike_does_not_flatten_the_rest(void) {
  put_metrics(100, 10, 0, with_a_spike);
  draw("run");
  check_picture();
  CU_ASSERT(tick_height("2.0") - tick_height("4.0") > 100);
}

static void titles_are_the_users(void) {
  put_metrics(20, 1, 4, from_4_to_2);
  draw("a<b> & 'c' \"d\" \001 é</svg>");
  check_picture();
  CU_ASSERT_PTR_NOT_NULL(strstr(svg, "a&#60;b&#62; &#38; &#39;c&#39; &#34;d&#34;   é&#60;/svg&#62;</text>"));
}

static void failures_are_told(void) {
  put_metrics(20, 1, 4, from_4_to_2);
  CU_ASSERT_EQUAL(write_picture("/no/such/folder/loss.svg", "run"), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/no/such/folder/loss.svg"));
}

static void begin(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  snprintf(metrics_path, sizeof metrics_path, "%s/metrics.jsonl", folder);
  snprintf(svg_path, sizeof svg_path, "%s/loss.svg", folder);
}

static void end(void) {
  unlink(metrics_path);
  unlink(svg_path);
  CU_ASSERT_EQUAL(rmdir(folder), 0); /* and nothing else was left there */
}

HEED_TESTS({"begin", begin}, {"the checker sees faults", the_checker_sees_faults},
           {"points stand where the axes say", points_stand_where_the_axes_say}, {"gaps are left", gaps_are_left},
           {"short and empty runs", short_and_empty_runs}, {"a flat curve has an axis", a_flat_curve_has_an_axis},
           {"long runs are thinned", long_runs_are_thinned}, {"a spike does not flatten the rest", a_spike_does_not_flatten_the_rest},
           {"titles are the user's", titles_are_the_users}, {"failures are told", failures_are_told}, {"end", end})

/* The run's page in a real browser: this makes pages of runs as they may be, report.py opens them.  HEED_SCREENSHOTS=FOLDER keeps pictures.
 */
#include "report/report.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "test.h"

static char folder[] = "/tmp/heed-pages-XXXXXX";

/* Between 0 and 1, the same each time. */
static double noise(int64_t i) {
  double x = sin((double)i * 12.9898) * 43758.5453;
  return x - floor(x);
}

static const heed_sample_part filled[] = {
    {"In the beginning ", HEED_SAMPLE_GIVEN, NULL},
    {"god", HEED_SAMPLE_RIGHT, NULL},
    {" created the heaven and the ", HEED_SAMPLE_GIVEN, NULL},
    {"sea", HEED_SAMPLE_WRONG, "earth"},
    {". And the earth was without form, and ", HEED_SAMPLE_GIVEN, NULL},
    {"void", HEED_SAMPLE_RIGHT, NULL},
    {"; and <script>document.title = 'broken'</script> was upon the face of the ", HEED_SAMPLE_GIVEN, NULL},
    {"<b>water</b>", HEED_SAMPLE_WRONG, "\"deep\" & <i>dark</i>"},
    {".", HEED_SAMPLE_GIVEN, NULL},
};
static const heed_sample_part continued[] = {
    {"The old house", HEED_SAMPLE_GIVEN, NULL},
    {" stood at the end of the road, and nobody\nhad lived in it for a long time. The \xff windows were broken,", HEED_SAMPLE_MADE, NULL},
};
static const heed_sample samples[] = {{filled, sizeof filled / sizeof *filled}, {continued, 2}};

/* The longest texts, each character of which is written as five. */
static char signs[1 << 17];
static const heed_sample_part loud[] = {{signs, HEED_SAMPLE_GIVEN, NULL}, {signs, HEED_SAMPLE_WRONG, signs}};
static const heed_sample loud_samples[] = {{loud, 2}, {loud, 2}, {loud, 2}};

static const char configuration[] =
    "run:\n  name: \"</pre><script>alert(1)</script>\"\n  seed: 1234\nmodel:\n  family: bert\n  layers: 4\n";

typedef struct example {
  const char *name, *title;
  int64_t steps, lines, evaluations, layers, heads, samples;
  bool loud;
} example;

/* What happens in a run: steps are logged, some are evaluated. */
static void play(const example *e, heed_metrics *metrics, heed_report *report) {
  double *entropy = malloc((size_t)(e->layers * e->heads + 1) * sizeof *entropy);
  for (int64_t i = 1; i <= e->lines; i++) {
    double share = (double)i / (double)e->lines, loss = 5.4 + 3.8 * exp(-12 * share) - 0.7 * share;
    int64_t step = i * e->steps / e->lines;
    heed_metrics_record record = {.step = step,
                                  .loss = i == e->lines / 3 ? NAN : loss + 0.25 * (noise(i) - 0.5),
                                  .learning_rate = 6e-4 * fmin(20 * share, 1.05 - share),
                                  .gradient_norm = i == e->lines / 2 ? 40 : 1 + 0.3 * noise(7 * i),
                                  .tokens = 2048 * e->steps / e->lines,
                                  .tokens_per_second = 4400 + 300 * noise(3 * i),
                                  .seconds = 0.4 * (double)step};
    CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
    if (e->evaluations == 0 || i % (e->lines / e->evaluations) != 0)
      continue;
    for (int64_t h = 0; h < e->layers * e->heads; h++)
      entropy[h] = 3.9 - share * 3 * noise(h) + 0.1 * noise(i + h);
    heed_metrics_evaluation_record evaluation = {.step = step,
                                                 .loss = loss + 0.05,
                                                 .accuracy = 0.05 + 0.2 * share,
                                                 .bits_per_byte = 0.4 * loss,
                                                 .head_entropy = e->layers > 0 ? entropy : NULL,
                                                 .layers = e->layers,
                                                 .heads = e->heads};
    CU_ASSERT_EQUAL(heed_metrics_evaluation(metrics, &evaluation), HEED_OK);
    bool loud_now = e->loud && i > e->lines * 9 / 10;
    if (e->samples > 0)
      heed_report_samples(report, step, loud_now ? loud_samples : samples, loud_now || e->samples < 2 ? e->samples : 2);
  }
  free(entropy);
}

static void make(const example *e) {
  char run[128], path[160];
  heed_metrics *metrics;
  snprintf(run, sizeof run, "%s/%s", folder, e->name);
  CU_ASSERT_FATAL(command_ended(command_run("mkdir -p %s", run), 0));
  snprintf(path, sizeof path, "%s/metrics.jsonl", run);
  CU_ASSERT_EQUAL_FATAL(heed_metrics_open(&metrics, path, 0), HEED_OK);
  heed_report *report = heed_report_open(&(heed_report_spec){.folder = run,
                                                             .name = e->title,
                                                             .config_text = e->loud ? signs : configuration,
                                                             .steps = e->steps + e->steps / 10,
                                                             .parameters = 5532416,
                                                             .ranks = 2,
                                                             .threads = 4,
                                                             .metrics = metrics});
  CU_ASSERT_PTR_NOT_NULL_FATAL(report);
  play(e, metrics, report);
  heed_report_write(report);
  heed_report_close(report);
  heed_metrics_close(metrics);
}

static void makes_pages(void) {
  const example examples[] = {
      {"usual", "bert-mini", 2000, 400, 20, 4, 4, 2, false},
      {"short", "short <b>&amp; \"odd\"</b>", 1, 1, 1, 1, 1, 1, false},
      {"empty", "empty", 0, 0, 0, 0, 0, 0, false},
      {"bare", "no evaluations", 500, 50, 0, 0, 0, 0, false},
      {"large", "a large model and a long run", 1000000, 100000, 2000, 24, 16, 2, false},
      {"loud", "loud", 1000000, 5000, 500, 24, 16, 3, true},
  };
  memset(signs, '<', sizeof signs - 1);
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
    make(&examples[i]);
}

static int code;

static void opens_them_in_a_browser(void) {
  code = command_run("command -v python3 >/dev/null || { echo 'no python3, which speaks to the browser'; exit 77; }; python3 " HEED_SOURCE
                     "/tests/pages/report.py %s",
                     folder);
  if (code != 0)
    printf("\n%s", command_output);
  CU_ASSERT(code == 0 || code == 77);
}

int main(void) {
  if (!mkdtemp(folder))
    return 2;
  static const CU_TestInfo tests[] = {
      {"makes pages", makes_pages}, {"opens them in a browser", opens_them_in_a_browser}, CU_TEST_INFO_NULL};
  int failed = heed_tests_run(__FILE__, tests);
  command_run("rm -rf %s", folder);
  return failed ? failed : code;
}

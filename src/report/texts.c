#include <stdbool.h>
#include <string.h>

#include "report/figure.h"
#include "report/parts.h"

/* A page stays small: so many earlier evaluations, so many bytes of each, and of one text. */
enum { MOST_EARLIER = 8, MOST_OF_A_SET = 20000, MOST_OF_A_TEXT = 2000 };

static void print_text(FILE *out, const char *text) {
  char start[MOST_OF_A_TEXT + 1];
  size_t bytes = strlen(text);
  if (bytes <= MOST_OF_A_TEXT) {
    heed_print_escaped(out, text);
    return;
  }
  for (bytes = MOST_OF_A_TEXT; bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80;) /* not within a character */
    bytes--;
  memcpy(start, text, bytes);
  start[bytes] = 0;
  heed_print_escaped(out, start);
  fputs("…", out);
}

static void print_part(FILE *out, const heed_sample_part *part) {
  static const char *const opening[] = {"", "<span class='made'>", "<span class='right'>", "<del>"};
  static const char *const closing[] = {"", "</span>", "</span>", "</del>"};
  fputs(opening[part->kind], out);
  print_text(out, part->text);
  fputs(closing[part->kind], out);
  if (part->kind == HEED_SAMPLE_WRONG && part->actual) {
    fputs(" <ins>", out);
    print_text(out, part->actual);
    fputs("</ins>", out);
  }
}

static void print_set(FILE *out, const heed_sample_set *set) {
  long begun = ftell(out);
  int64_t i = 0;
  fputs("<ol class='samples'>\n", out);
  for (; i < set->count && ftell(out) - begun < MOST_OF_A_SET; i++) {
    const heed_sample *sample = &set->samples[i];
    int64_t j = 0;
    fputs("<li>", out);
    for (; j < sample->count && ftell(out) - begun < MOST_OF_A_SET; j++)
      print_part(out, &sample->parts[j]);
    fputs(j < sample->count ? "…</li>\n" : "</li>\n", out);
  }
  fputs("</ol>\n", out);
  if (i < set->count)
    fprintf(out, "<p class='about'>%lld more in samples.jsonl</p>\n", (long long)(set->count - i));
}

/* What the marks mean, of those kinds that there are. */
static void print_key(FILE *out, const heed_sample_set *set) {
  bool there[HEED_SAMPLE_WRONG + 1] = {false};
  for (int64_t i = 0; i < set->count; i++)
    for (int64_t j = 0; j < set->samples[i].count; j++)
      there[set->samples[i].parts[j].kind] = true;
  fputs("<p class='about'>", out);
  if (there[HEED_SAMPLE_MADE])
    fputs("<span class='made'>made by the model</span> ", out);
  if (there[HEED_SAMPLE_RIGHT])
    fputs("<span class='right'>predicted right</span> ", out);
  if (there[HEED_SAMPLE_WRONG])
    fputs("<del>predicted wrong</del> <ins>what was there</ins>", out);
  fputs("</p>\n", out);
}

void heed_report_texts(FILE *out, const heed_samples *samples) {
  char step[48];
  int64_t count = samples ? heed_samples_count(samples) : 0, earlier = count - 1 < MOST_EARLIER ? count - 1 : MOST_EARLIER;
  if (count == 0)
    return;
  const heed_sample_set *newest = heed_samples_get(samples, count - 1);
  fprintf(out, "<section id='samples'>\n<h2>Samples <small>step %s</small></h2>\n", heed_print_count(step, (double)newest->step));
  print_key(out, newest);
  print_set(out, newest);
  for (int64_t i = earlier - 1; i >= 0; i--) {
    const heed_sample_set *set = heed_samples_get(samples, earlier < count - 1 ? i * (count - 2) / (earlier - 1) : i);
    fprintf(out, "<details><summary>Step %s</summary>\n", heed_print_count(step, (double)set->step));
    print_set(out, set);
    fputs("</details>\n", out);
  }
  fputs("</section>\n", out);
}

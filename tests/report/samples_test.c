#include "report/samples.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char folder[] = "/tmp/heed-samples-XXXXXX", path[64], text[65536];

static const char *get(void) {
  FILE *file = fopen(path, "rb");
  size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file)
    fclose(file);
  text[bytes] = 0;
  return text;
}

static const heed_sample_part filled[] = {{"the \"old\" ", HEED_SAMPLE_GIVEN, NULL},
                                          {"house", HEED_SAMPLE_RIGHT, NULL},
                                          {" was\n", HEED_SAMPLE_GIVEN, NULL},
                                          {"red", HEED_SAMPLE_WRONG, "grün"}},
                              continued[] = {{"Once", HEED_SAMPLE_GIVEN, NULL}, {" upon \xff a time \xe2\x82", HEED_SAMPLE_MADE, NULL}};
static const heed_sample both[] = {{filled, 4}, {continued, 2}};

static heed_samples *open_at(int64_t step) {
  heed_samples *samples = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_samples_open(&samples, path, step), HEED_OK);
  return samples;
}

static void check_both(const heed_sample_set *set) {
  CU_ASSERT_EQUAL_FATAL(set->count, 2);
  CU_ASSERT_EQUAL_FATAL(set->samples[0].count, 4);
  for (int i = 0; i < 4; i++) {
    const heed_sample_part *part = &set->samples[0].parts[i];
    CU_ASSERT_STRING_EQUAL(part->text, filled[i].text);
    CU_ASSERT_EQUAL(part->kind, filled[i].kind);
    CU_ASSERT(filled[i].actual ? part->actual && strcmp(part->actual, "grün") == 0 : part->actual == NULL);
  }
  CU_ASSERT_EQUAL_FATAL(set->samples[1].count, 2);
  CU_ASSERT_EQUAL(set->samples[1].parts[1].kind, HEED_SAMPLE_MADE);
  CU_ASSERT_STRING_EQUAL(set->samples[1].parts[1].text, " upon \xEF\xBF\xBD a time \xEF\xBF\xBD"); /* bytes that are no text */
}

/* jansson is the reference: one JSON object a line. */
static void samples_read_back(void) {
  struct stat about;
  heed_samples *samples = open_at(0);
  CU_ASSERT(stat(path, &about) != 0); /* no file before there are samples */
  CU_ASSERT_EQUAL(heed_samples_add(samples, 10, both, 2), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_samples_count(samples), 1);
  check_both(heed_samples_get(samples, 0)); /* at once */
  heed_samples_close(samples);
  json_t *line = json_loads(get(), 0, NULL);
  CU_ASSERT_EQUAL(json_object_size(line), 2);
  CU_ASSERT_EQUAL(json_array_size(json_object_get(line, "samples")), 2);
  json_decref(line);
  CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
  CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
  samples = open_at(10);
  CU_ASSERT_EQUAL_FATAL(heed_samples_count(samples), 1);
  CU_ASSERT_EQUAL(heed_samples_get(samples, 0)->step, 10);
  check_both(heed_samples_get(samples, 0)); /* and from the file */
  heed_samples_close(samples);
}

static void resume_cuts_back(void) {
  heed_samples *samples = open_at(10);
  CU_ASSERT_EQUAL(heed_samples_add(samples, 20, both, 1), HEED_OK);
  CU_ASSERT_EQUAL(heed_samples_add(samples, 30, both, 0), HEED_OK);
  heed_samples_close(samples);
  samples = open_at(20);
  CU_ASSERT_EQUAL(heed_samples_count(samples), 2);
  CU_ASSERT_PTR_NULL(strstr(get(), "\"step\": 30"));
  heed_samples_close(samples);
  heed_samples_close(open_at(0));
  CU_ASSERT_STRING_EQUAL(get(), "");
}

/* What somebody else wrote there: each strange thing costs itself only. */
static void strange_files(void) {
  FILE *file = fopen(path, "w");
  fputs("{\"step\": 1, \"samples\": 3}\nno json\n{\"step\": 2, \"samples\": [[{\"text\": 5, \"kind\": \"odd\"}], 7, [8]]}\n{\"step\": 3, "
        "\"sam",
        file);
  fclose(file);
  heed_samples *samples = open_at(9);
  CU_ASSERT_EQUAL_FATAL(heed_samples_count(samples), 2);
  CU_ASSERT_EQUAL(heed_samples_get(samples, 0)->count, 0);
  const heed_sample_set *set = heed_samples_get(samples, 1);
  CU_ASSERT_EQUAL_FATAL(set->count, 3);
  CU_ASSERT_EQUAL(set->samples[0].parts[0].kind, HEED_SAMPLE_GIVEN);
  CU_ASSERT_STRING_EQUAL(set->samples[0].parts[0].text, "");
  CU_ASSERT_EQUAL(set->samples[1].count, 0);
  CU_ASSERT_STRING_EQUAL(set->samples[2].parts[0].text, "");
  heed_samples_close(samples);
  heed_samples *none;
  CU_ASSERT_EQUAL(heed_samples_open(&none, folder, 0), HEED_IO);
  CU_ASSERT_EQUAL(heed_samples_open(&none, "/dev/zero", 0), HEED_INVALID);
  CU_ASSERT_PTR_NULL(none);
}

static void begin(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/samples.jsonl", folder);
}

static void end(void) {
  unlink(path);
  CU_ASSERT_EQUAL(rmdir(folder), 0); /* and nothing else was left there */
}

HEED_TESTS({"begin", begin}, {"samples read back", samples_read_back}, {"resume cuts back", resume_cuts_back},
           {"strange files", strange_files}, {"end", end})

#include "heed/parameters.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/random.h"
#include "test.h"

static heed_status add(heed_parameter_table *table, const char *name, int64_t rows, int64_t columns, heed_initialisation kind) {
  heed_parameter spec = {.rank = columns ? 2 : 1, .shape = {rows, columns}, .initialisation = kind, .deviation = 0.02f};
  snprintf(spec.name, sizeof spec.name, "%s", name);
  return heed_parameters_add(table, &spec, NULL);
}

static void lies_without_gaps(void) {
  heed_parameter_table table = {0};
  int64_t offset, end = 0;
  for (int i = 0; i < 200; i++) {
    char name[16];
    snprintf(name, sizeof name, "p%d", i);
    CU_ASSERT_EQUAL_FATAL(add(&table, name, i + 1, i % 3, HEED_INIT_ZEROS), HEED_OK);
  }
  for (int64_t i = 0; i < table.count; i++) {
    CU_ASSERT_EQUAL(table.items[i].offset, end);
    CU_ASSERT_EQUAL(table.items[i].count, (i + 1) * (i % 3 ? i % 3 : 1));
    end += table.items[i].count;
  }
  CU_ASSERT_EQUAL(table.total, end);
  CU_ASSERT_EQUAL(heed_parameters_find(&table, "p123"), 123);
  CU_ASSERT_EQUAL(heed_parameters_find(&table, "p200"), -1);
  CU_ASSERT_EQUAL(heed_parameters_tie(&table, 5, &offset), HEED_OK);
  CU_ASSERT_EQUAL(offset, table.total);
  CU_ASSERT_EQUAL(table.gradient_total, table.total + table.items[5].count);
  CU_ASSERT_EQUAL(table.tied[0].parameter, 5);
  CU_ASSERT_EQUAL(add(&table, "late", 1, 0, HEED_INIT_ZEROS), HEED_INVALID); /* it would lie where the second gradient is */
  heed_parameters_free(&table);
  CU_ASSERT_EQUAL(table.total, 0);
}

static void refuses(void) {
  heed_parameter_table table = {0};
  heed_parameter spec = {.name = "x", .rank = 1, .shape = {4}};
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &spec, NULL), HEED_OK);
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &spec, NULL), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "parameter x is registered twice");
  spec = (heed_parameter){.name = "", .rank = 1, .shape = {4}};
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &spec, NULL), HEED_INVALID);
  memset(spec.name, 'n', sizeof spec.name);
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &spec, NULL), HEED_INVALID);
  static const heed_parameter wrong[] = {{.name = "rank 0", .rank = 0, .shape = {4}},
                                         {.name = "rank 5", .rank = 5, .shape = {4}},
                                         {.name = "empty", .rank = 2, .shape = {4, 0}},
                                         {.name = "negative", .rank = 2, .shape = {-4, -4}},
                                         {.name = "large", .rank = 3, .shape = {INT64_C(1) << 31, INT64_C(1) << 31, 4}},
                                         {.name = "many", .rank = 1, .shape = {INT64_MAX}}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CU_ASSERT_EQUAL(heed_parameters_add(&table, &wrong[i], NULL), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), wrong[i].name));
  }
  CU_ASSERT_EQUAL(table.count, 1);
  CU_ASSERT_EQUAL(table.total, 4);
  heed_parameters_free(&table);
}

/* Tensors of every kind of split, in part `part` of `parts`. */
static void list_part(heed_parameter_table *table, int parts, int part) {
  static const heed_parameter specs[] = {
      {.name = "whole", .rank = 2, .shape = {50, 7}, .shard_axis = -1},
      {.name = "rows", .rank = 2, .shape = {101, 60}, .shard_axis = 0},
      {.name = "columns", .rank = 2, .shape = {90, 101}, .shard_axis = 1},
      {.name = "runs", .rank = 2, .shape = {3 * 40, 50}, .shard_axis = 0, .shard_runs = 3},
      {.name = "bias", .rank = 1, .shape = {3 * 40}, .shard_axis = 0, .shard_runs = 3},
  };
  *table = (heed_parameter_table){.part = part, .parts = parts};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    heed_parameter spec = specs[i];
    spec.initialisation = HEED_INIT_TRUNCATED_NORMAL;
    spec.deviation = 0.02f;
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(table, &spec, NULL), HEED_OK);
  }
}

/* Of tensor i, `own` in this part and `of` in the whole: takes and puts ranges that end anywhere. */
static void take_and_put(const heed_parameter_table *table, int64_t i, const float *own, const float *of, float *made) {
  static float taken[1000];
  const heed_split split = heed_parameters_split(table, i, table->part);
  const int64_t count = heed_parameters_whole_count(table, i);
  CU_ASSERT_EQUAL(table->items[i].count, heed_split_before(&split, count));
  for (int64_t first = 0, end; first < count; first = end) {
    end = first + 1 + (first * 7 + i) % 997 < count ? first + 1 + (first * 7 + i) % 997 : count;
    const int64_t begin = heed_split_before(&split, first), have = heed_split_before(&split, end) - begin;
    heed_split_take(&split, taken, of + first, first, end);
    CU_ASSERT_EQUAL(memcmp(taken, own + begin, (size_t)have * sizeof *own), 0);
    heed_split_put(&split, made + first, own + begin, first, end);
  }
}

/* The parts together are the whole: each has the values that the whole has where it lies. */
static void parts_make_the_whole(void) {
  heed_parameter_table whole, table;
  list_part(&whole, 0, 0);
  const size_t bytes = (size_t)whole.total * sizeof(float);
  float *values = malloc(bytes), *own = malloc(bytes), *made = malloc(bytes);
  heed_parameters_initialise(&whole, values, 7);
  for (int parts = 1; parts <= 5; parts++) {
    int64_t held = 0;
    memset(made, 0, bytes);
    for (int part = 0; part < parts; part++) {
      list_part(&table, parts, part);
      heed_parameters_initialise(&table, own, 7);
      for (int64_t i = 0; i < table.count; i++)
        take_and_put(&table, i, own + table.items[i].offset, values + whole.items[i].offset, made + whole.items[i].offset);
      held += table.total - table.items[0].count;
      heed_parameters_free(&table);
    }
    CU_ASSERT_EQUAL(held, whole.total - whole.items[0].count);
    CU_ASSERT_EQUAL(memcmp(made, values, bytes), 0);
  }
  heed_parameters_free(&whole);
  free(values);
  free(own);
  free(made);
}

static void refuses_what_cannot_be_split(void) {
  heed_parameter_table table = {.parts = 5};
  heed_parameter narrow = {.name = "narrow", .rank = 1, .shape = {4}, .shard_axis = 0},
                 uneven = {.name = "uneven", .rank = 1, .shape = {31}, .shard_axis = 0, .shard_runs = 3};
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &narrow, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "narrow, 4 long, cannot be divided among 5 ranks"));
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &uneven, NULL), HEED_INVALID);
  heed_parameters_free(&table);
}

static void cuts_restart_at_tensors(void) {
  heed_parameter_table table = {0};
  int64_t *cuts, count;
  add(&table, "short", 10, 0, HEED_INIT_ZEROS);
  add(&table, "exact", 2 * HEED_CHUNK, 0, HEED_INIT_ZEROS);
  add(&table, "long", HEED_CHUNK + 1, 0, HEED_INIT_ZEROS);
  static const int64_t expected[] = {
      0, 10, 10 + HEED_CHUNK, 10 + 2 * HEED_CHUNK, 10 + 3 * HEED_CHUNK, 11 + 3 * HEED_CHUNK,
  };
  CU_ASSERT_EQUAL_FATAL(heed_parameters_cuts(&table, &cuts, &count), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 6);
  CU_ASSERT_EQUAL(memcmp(cuts, expected, sizeof expected), 0);
  free(cuts);
  heed_parameters_free(&table);
}

enum { ROWS = 500, COLUMNS = 400, COUNT = ROWS * COLUMNS };

static void four_kinds(heed_parameter_table *table, float **values) {
  add(table, "normal", ROWS, COLUMNS, HEED_INIT_NORMAL);
  add(table, "truncated", ROWS, COLUMNS, HEED_INIT_TRUNCATED_NORMAL);
  add(table, "zeros", 7, 0, HEED_INIT_ZEROS);
  add(table, "ones", 7, 0, HEED_INIT_ONES);
  *values = calloc((size_t)table->total, sizeof **values);
  CU_ASSERT_PTR_NOT_NULL_FATAL(*values);
}

static void moments(const float *x, double *mean, double *deviation, double *largest) {
  double sum = 0, squares = 0;
  *largest = 0;
  for (int i = 0; i < COUNT; i++) {
    sum += x[i];
    squares += (double)x[i] * x[i];
    *largest = fmax(*largest, fabs(x[i]));
  }
  *mean = sum / COUNT;
  *deviation = sqrt(squares / COUNT - *mean * *mean);
}

static void initial_values_have_their_moments(void) {
  heed_parameter_table table = {0};
  float *values;
  double mean, deviation, largest, sigma = 0.02f;
  four_kinds(&table, &values);
  heed_parameters_initialise(&table, values, 1234);
  moments(values, &mean, &deviation, &largest);
  CU_ASSERT(fabs(mean) < 5 * sigma / sqrt(COUNT));
  CU_ASSERT(fabs(deviation / sigma - 1) < 5 / sqrt(2.0 * COUNT));
  CU_ASSERT(largest > 3.5 * sigma);
  moments(values + COUNT, &mean, &deviation, &largest);
  /* cut at ±2: variance 1 − 2·2φ(2)/(2Φ(2) − 1) */
  double cut = sqrt(1 - 4 * exp(-2) / sqrt(2 * M_PI) / erf(M_SQRT2));
  CU_ASSERT(fabs(mean) < 5 * sigma / sqrt(COUNT));
  CU_ASSERT(fabs(deviation / sigma - cut) < 5 / sqrt(2.0 * COUNT));
  CU_ASSERT(largest <= 2 * sigma && largest > 1.99 * sigma);
  for (int i = 0; i < 7; i++)
    CU_ASSERT(values[2 * COUNT + i] == 0.0f && values[2 * COUNT + 7 + i] == 1.0f);
  free(values);
  heed_parameters_free(&table);
}

/* The same formula through the C library: our logarithm and cosine are as good. */
static void initial_values_are_box_muller(void) {
  heed_parameter_table table = {0};
  float *values;
  four_kinds(&table, &values);
  heed_parameters_initialise(&table, values, 99);
  double worst = 0;
  for (uint32_t i = 0; i < COUNT; i++) {
    heed_random4 r = heed_philox(i, 0, 0, 0, 99, HEED_FOR_INITIALISATION);
    double x = 0.02f * sqrt(-2 * log(heed_uniform(r.word[0]))) * cos(2 * M_PI * heed_uniform(r.word[1]));
    worst = fmax(worst, fabs(x - values[i]));
  }
  CU_ASSERT(worst < 0.02 * 6 * 0x1p-24); /* half a unit in the last place of the largest, 6σ */
  free(values);
  heed_parameters_free(&table);
}

/* Chunk by chunk, each to a place of its own. */
static void initial_values_of_parts_are_those_of_the_whole(void) {
  heed_parameter_table table = {0};
  float *values, part[HEED_CHUNK];
  four_kinds(&table, &values);
  heed_parameters_initialise(&table, values, 7);
  for (int64_t i = 0; i < table.count; i++)
    for (int64_t first = 0; first < table.items[i].count; first += HEED_CHUNK) {
      const int64_t rest = table.items[i].count - first, count = rest < HEED_CHUNK ? rest : HEED_CHUNK;
      heed_parameters_initialise_part(&table, i, part, first, count, 7);
      CU_ASSERT_EQUAL(memcmp(part, values + table.items[i].offset + first, (size_t)count * sizeof *part), 0);
    }
  free(values);
  heed_parameters_free(&table);
}

static void initial_values_ignore_threads(void) {
  heed_parameter_table table = {0};
  float *first, *second;
  int threads = omp_get_max_threads();
  four_kinds(&table, &first);
  second = calloc((size_t)table.total, sizeof *second);
  CU_ASSERT_PTR_NOT_NULL_FATAL(second);
  size_t bytes = (size_t)table.total * sizeof *first;
  omp_set_num_threads(1);
  heed_parameters_initialise(&table, first, 7);
  for (int count = 2; count <= 7; count += 5) {
    omp_set_num_threads(count);
    memset(second, 0, bytes);
    heed_parameters_initialise(&table, second, 7);
    CU_ASSERT_EQUAL(memcmp(first, second, bytes), 0);
  }
  omp_set_num_threads(threads);
  heed_parameters_initialise(&table, second, 8);
  CU_ASSERT_NOT_EQUAL(memcmp(first, second, bytes), 0);                        /* another seed */
  CU_ASSERT_NOT_EQUAL(memcmp(first, first + COUNT, COUNT * sizeof *first), 0); /* another tensor */
  free(first);
  free(second);
  heed_parameters_free(&table);
}

HEED_TESTS({"lies without gaps", lies_without_gaps}, {"refuses", refuses}, {"cuts restart at tensors", cuts_restart_at_tensors},
           {"parts make the whole", parts_make_the_whole}, {"refuses what cannot be split", refuses_what_cannot_be_split},
           {"initial values have their moments", initial_values_have_their_moments},
           {"initial values are Box–Muller", initial_values_are_box_muller},
           {"initial values of parts are those of the whole", initial_values_of_parts_are_those_of_the_whole},
           {"initial values ignore threads", initial_values_ignore_threads})

#include "heed/parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heed/random.h"

static heed_status count_elements(const heed_parameter *spec, int64_t *count) {
  *count = 1;
  if (spec->rank < 1 || spec->rank > HEED_MAX_RANK)
    return heed_error(HEED_INVALID, "parameter %s: %d dimensions; 1 to %d are possible", spec->name, spec->rank, HEED_MAX_RANK);
  for (int axis = 0; axis < spec->rank; axis++)
    if (spec->shape[axis] < 1 || __builtin_mul_overflow(*count, spec->shape[axis], count) || *count > INT64_MAX / 64)
      return heed_error(HEED_INVALID, "parameter %s: its shape is empty or too large", spec->name);
  return HEED_OK;
}

heed_status heed_parameters_add(heed_parameter_table *table, const heed_parameter *spec, int64_t *index) {
  int64_t count;
  if (!memchr(spec->name, 0, sizeof spec->name) || !spec->name[0])
    return heed_error(HEED_INVALID, "a parameter's name is empty or longer than %d bytes", HEED_MAX_NAME);
  HEED_TRY(count_elements(spec, &count));
  if (heed_parameters_find(table, spec->name) >= 0)
    return heed_error(HEED_INVALID, "parameter %s is registered twice", spec->name);
  if (table->tied_count > 0)
    return heed_error(HEED_INVALID, "parameter %s is registered after a tie; second gradients lie behind all tensors", spec->name);
  if (table->count == HEED_MAX_PARAMETERS)
    return heed_error(HEED_INVALID, "more than %d parameters", HEED_MAX_PARAMETERS);
  if (table->count == table->capacity) {
    int64_t capacity = table->capacity ? 2 * table->capacity : 64;
    heed_parameter *items = realloc(table->items, (size_t)capacity * sizeof *items);
    if (!items)
      return heed_error(HEED_FAILED, "out of memory for the parameter table");
    table->items = items;
    table->capacity = capacity;
  }
  heed_parameter *item = &table->items[table->count];
  *item = *spec;
  item->count = count;
  item->offset = table->total;
  table->total += count;
  table->gradient_total = table->total;
  if (index)
    *index = table->count;
  table->count++;
  return HEED_OK;
}

heed_status heed_parameters_tie(heed_parameter_table *table, int64_t index, int64_t *offset) {
  heed_tied_gradient *tied = realloc(table->tied, (size_t)(table->tied_count + 1) * sizeof *tied);
  if (!tied)
    return heed_error(HEED_FAILED, "out of memory for the parameter table");
  table->tied = tied;
  tied[table->tied_count++] = (heed_tied_gradient){index, table->gradient_total};
  *offset = table->gradient_total;
  table->gradient_total += table->items[index].count;
  return HEED_OK;
}

int64_t heed_parameters_find(const heed_parameter_table *table, const char *name) {
  for (int64_t i = 0; i < table->count; i++)
    if (strcmp(table->items[i].name, name) == 0)
      return i;
  return -1;
}

/* log u, 0 < u < 1: u = m·2ᵉ with m in [√½, √2), log m = 2·atanh(s), s = (m − 1)/(m + 1), |s| < 0.172.  Ours, because the C library's
 * takes other instructions on other processors and may change a bit, and ranks must agree on the first values. */
static double own_log(double u) {
  int exponent;
  double m = frexp(u, &exponent), sum = 0.0;
  if (m < 0.7071067811865476) {
    m *= 2.0;
    exponent--;
  }
  double s = (m - 1.0) / (m + 1.0);
  for (int k = 21; k >= 1; k -= 2)
    sum = sum * (s * s) + 1.0 / k;
  return 2.0 * s * sum + exponent * 0.6931471805599453;
}

/* cos 2πu, 0 < u < 1: folded to a quarter turn, then the series of the cosine. */
static double own_cosine(double u) {
  double v = fabs(u - 0.5), sign = -1.0, sum = 0.0;
  if (v > 0.25) {
    v = 0.5 - v;
    sign = 1.0;
  }
  double x = 6.283185307179586 * v;
  for (int k = 24; k >= 2; k -= 2)
    sum = (1.0 + sum) * (-x * x / (k * (k - 1)));
  return sign * (1.0 + sum);
}

/* One normal number by Box–Muller from the counter (element, try, tensor); with `truncated`, tries until it lies within ±2. */
static double draw_normal(uint64_t element, uint32_t tensor, uint32_t seed, bool truncated) {
  for (uint32_t attempt = 0;; attempt++) {
    heed_random4 r = heed_philox((uint32_t)element, (uint32_t)(element >> 32), attempt, tensor, seed, HEED_FOR_INITIALISATION);
    double normal = sqrt(-2.0 * own_log(heed_uniform(r.word[0]))) * own_cosine(heed_uniform(r.word[1]));
    if (!truncated || fabs(normal) <= 2.0)
      return normal;
  }
}

void heed_parameters_initialise_one(const heed_parameter_table *table, int64_t index, float *values, uint32_t seed) {
  const heed_parameter *p = &table->items[index];
  float *x = values + p->offset;
  bool truncated = p->initialisation == HEED_INIT_TRUNCATED_NORMAL;
  if (p->initialisation == HEED_INIT_ZEROS || p->initialisation == HEED_INIT_ONES) {
    for (int64_t j = 0; j < p->count; j++)
      x[j] = p->initialisation == HEED_INIT_ONES ? 1.0f : 0.0f;
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < p->count; j++)
    x[j] = (float)(p->deviation * draw_normal((uint64_t)j, (uint32_t)index, seed, truncated));
}

void heed_parameters_initialise(const heed_parameter_table *table, float *values, uint32_t seed) {
  for (int64_t i = 0; i < table->count; i++)
    heed_parameters_initialise_one(table, i, values, seed);
}

heed_status heed_parameters_cuts(const heed_parameter_table *table, int64_t **cuts, int64_t *count) {
  int64_t chunks = 0, next = 0;
  for (int64_t i = 0; i < table->count; i++)
    chunks += (table->items[i].count + HEED_CHUNK - 1) / HEED_CHUNK;
  *cuts = malloc((size_t)(chunks + 1) * sizeof **cuts);
  if (!*cuts)
    return heed_error(HEED_FAILED, "out of memory for the shard table");
  for (int64_t i = 0; i < table->count; i++)
    for (int64_t j = 0; j < table->items[i].count; j += HEED_CHUNK)
      (*cuts)[next++] = table->items[i].offset + j;
  (*cuts)[next] = table->total;
  *count = chunks + 1;
  return HEED_OK;
}

void heed_parameters_free(heed_parameter_table *table) {
  free(table->items);
  free(table->tied);
  *table = (heed_parameter_table){0};
}

#include "heed/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "base/normal.h"

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

void heed_parameters_initialise_one(const heed_parameter_table *table, int64_t index, float *values, uint32_t seed) {
  const heed_parameter *p = &table->items[index];
  float *x = values + p->offset;
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < p->count; first += HEED_CHUNK) {
    int64_t count = p->count - first < HEED_CHUNK ? p->count - first : HEED_CHUNK;
    if (p->initialisation == HEED_INIT_NORMAL || p->initialisation == HEED_INIT_TRUNCATED_NORMAL)
      heed_normal_fill(x + first, first, count, p->deviation, (uint32_t)index, seed, p->initialisation == HEED_INIT_TRUNCATED_NORMAL);
    else
      for (int64_t i = first; i < first + count; i++)
        x[i] = p->initialisation == HEED_INIT_ONES ? 1.0f : 0.0f;
  }
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

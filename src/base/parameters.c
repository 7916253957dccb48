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

static int parts_of(const heed_parameter_table *table) {
  return table->parts > 0 ? table->parts : 1;
}

int64_t heed_parameters_whole_count(const heed_parameter_table *table, int64_t index) {
  int64_t count = 1;
  for (int axis = 0; axis < table->items[index].rank; axis++)
    count *= table->items[index].shape[axis];
  return count;
}

int64_t heed_parameters_whole_total(const heed_parameter_table *table) {
  int64_t total = 0;
  for (int64_t i = 0; i < table->count; i++)
    total += heed_parameters_whole_count(table, i);
  return total;
}

static bool is_split(const heed_parameter_table *table, const heed_parameter *p) {
  return p->shard_axis >= 0 && parts_of(table) > 1;
}

static int64_t runs_of(const heed_parameter *p) {
  return p->shard_runs > 0 ? p->shard_runs : 1;
}

heed_split heed_parameters_split(const heed_parameter_table *table, int64_t index, int part) {
  const heed_parameter *p = &table->items[index];
  const int64_t whole = heed_parameters_whole_count(table, index);
  if (!is_split(table, p))
    return (heed_split){1, whole, whole, 0};
  int64_t inner = 1, run = p->shape[p->shard_axis] / runs_of(p);
  for (int axis = p->shard_axis + 1; axis < p->rank; axis++)
    inner *= p->shape[axis];
  const int64_t first = heed_part_begin(run, table->parts, part), end = heed_part_begin(run, table->parts, part + 1);
  return (heed_split){whole / (run * inner), (end - first) * inner, run * inner, first * inner};
}

int64_t heed_split_before(const heed_split *split, int64_t whole) {
  const int64_t inside = whole % split->stride - split->first;
  return whole / split->stride * split->length + (inside < 0 ? 0 : inside < split->length ? inside : split->length);
}

/* The next run of the part's elements that lie in [*whole, end): `*count` of them from *whole on. */
static bool next_run(const heed_split *split, int64_t *whole, int64_t end, int64_t *count) {
  const int64_t run = *whole / split->stride * split->stride, first = run + split->first;
  if (*whole < first)
    *whole = first;
  else if (*whole >= first + split->length)
    *whole = first + split->stride;
  const int64_t run_end = *whole / split->stride * split->stride + split->first + split->length;
  *count = (run_end < end ? run_end : end) - *whole;
  return *count > 0;
}

void heed_split_take(const heed_split *split, float *part, const float *whole, int64_t first, int64_t end) {
  int64_t count;
  for (int64_t at = first; next_run(split, &at, end, &count); at += count, part += count)
    memcpy(part, whole + (at - first), (size_t)count * sizeof *part);
}

void heed_split_put(const heed_split *split, float *whole, const float *part, int64_t first, int64_t end) {
  int64_t count;
  for (int64_t at = first; next_run(split, &at, end, &count); at += count, part += count)
    memcpy(whole + (at - first), part, (size_t)count * sizeof *part);
}

/* Each run of the axis must be whole, and give each part something. */
static heed_status check_split(const heed_parameter_table *table, const heed_parameter *spec) {
  if (!is_split(table, spec))
    return HEED_OK;
  const int64_t length = spec->shard_axis < spec->rank ? spec->shape[spec->shard_axis] : 0, runs = runs_of(spec);
  if (length % runs || length / runs < table->parts)
    return heed_error(HEED_INVALID, "parallel.tensor: axis %d of %s, %lld long, cannot be divided among %d ranks", spec->shard_axis,
                      spec->name, (long long)length, table->parts);
  return HEED_OK;
}

heed_status heed_parameters_add(heed_parameter_table *table, const heed_parameter *spec, int64_t *index) {
  int64_t count;
  if (!memchr(spec->name, 0, sizeof spec->name) || !spec->name[0])
    return heed_error(HEED_INVALID, "a parameter's name is empty or longer than %d bytes", HEED_MAX_NAME);
  HEED_TRY(count_elements(spec, &count));
  HEED_TRY(check_split(table, spec));
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
  const heed_split split = heed_parameters_split(table, table->count, table->part);
  item->count = split.runs * split.length;
  item->offset = table->total;
  table->total += item->count;
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

/* Elements [first, first + count) of the whole tensor. */
static void fill(float *x, const heed_parameter *p, uint32_t number, int64_t first, int64_t count, uint32_t seed) {
  if (p->initialisation == HEED_INIT_NORMAL || p->initialisation == HEED_INIT_TRUNCATED_NORMAL)
    heed_normal_fill(x, first, count, p->deviation, number, seed, p->initialisation == HEED_INIT_TRUNCATED_NORMAL);
  else
    for (int64_t i = 0; i < count; i++)
      x[i] = p->initialisation == HEED_INIT_ONES ? 1.0f : 0.0f;
}

void heed_parameters_initialise_part(const heed_parameter_table *table, int64_t index, float *values, int64_t first, int64_t count,
                                     uint32_t seed) {
  const heed_split split = heed_parameters_split(table, index, table->part);
  for (int64_t at = first, next; at < first + count; at = next) { /* a run of the part ends, or the range */
    const int64_t run_end = (at / split.length + 1) * split.length;
    next = run_end < first + count ? run_end : first + count;
    fill(values + (at - first), &table->items[index], (uint32_t)index, at / split.length * split.stride + split.first + at % split.length,
         next - at, seed);
  }
}

void heed_parameters_initialise_one(const heed_parameter_table *table, int64_t index, float *values, uint32_t seed) {
  const heed_parameter *p = &table->items[index];
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < p->count; first += HEED_CHUNK)
    heed_parameters_initialise_part(table, index, values + p->offset + first, first,
                                    p->count - first < HEED_CHUNK ? p->count - first : HEED_CHUNK, seed);
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

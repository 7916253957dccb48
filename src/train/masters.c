#include "train/masters.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LINE_FLOATS = 16 };

static bool is_vector(const heed_parameter *p) {
  return p->rank == 1;
}

static bool is_sharded(const heed_kernels *kernels) {
  return kernels->element_bytes < sizeof(float);
}

static int64_t vector_floats(const heed_parameter_table *table) {
  int64_t floats = 0;
  for (int64_t i = 0; i < table->count; i++)
    floats += is_vector(&table->items[i]) ? table->items[i].count : 0;
  return floats;
}

/* Floats that the elements take, in whole cache lines. */
static int64_t element_floats(const heed_parameter_table *table, const heed_kernels *kernels) {
  const int64_t each = (int64_t)(sizeof(float) / kernels->element_bytes), floats = (table->total + each - 1) / each;
  return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

size_t heed_masters_common_bytes(const heed_parameter_table *table, const heed_kernels *kernels) {
  const int64_t floats = is_sharded(kernels) ? element_floats(table, kernels) + vector_floats(table) : table->total;
  return (size_t)floats * sizeof(float);
}

size_t heed_masters_bytes(const heed_parameter_table *table, const heed_kernels *kernels, int ranks) {
  const int64_t own = is_sharded(kernels) ? (table->total + ranks - 1) / ranks + vector_floats(table) : 0;
  return heed_masters_common_bytes(table, kernels) + (size_t)own * sizeof(float);
}

/* The tensors of one dimension; those that follow each other are one part. */
static heed_status list_vectors(heed_masters *m) {
  const heed_parameter_table *table = m->chunks->table;
  m->parts = malloc((size_t)(table->count + 1) * sizeof *m->parts);
  if (!m->parts)
    return heed_error(HEED_FAILED, "out of memory for a list of %lld tensors", (long long)table->count);
  for (int64_t i = 0, at = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    heed_shard_run *last = m->part_count > 0 ? &m->parts[m->part_count - 1] : NULL;
    if (!is_vector(p))
      continue;
    if (last && last->end == p->offset)
      last->end += p->count;
    else
      m->parts[m->part_count++] = (heed_shard_run){p->offset, p->offset + p->count, at};
    at += p->count;
  }
  return HEED_OK;
}

/* What is this rank's own. */
static heed_status allocate_own(heed_masters *m) {
  HEED_TRY(list_vectors(m));
  m->values = heed_memory_fresh(m->chunks->table->total, false); /* small pages: few of them are touched */
  m->shard = heed_memory_fresh(m->communication->shard_floats + 1, true);
  return m->values && m->shard ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the weights of a shard");
}

heed_status heed_masters_create(heed_masters *m, const heed_chunks *chunks, const heed_kernels *kernels, heed_communication *c) {
  const heed_parameter_table *table = chunks->table;
  *m = (heed_masters){.chunks = chunks, .kernels = kernels, .communication = c};
  if (!is_sharded(kernels))
    return c->allocate(c, &m->values, table->total);
  HEED_TRY(c->agree(c, allocate_own(m)));
  float *shared;
  HEED_TRY(c->allocate(c, &shared, element_floats(table, kernels) + vector_floats(table)));
  m->elements = shared;
  m->vectors = shared + element_floats(table, kernels);
  return HEED_OK;
}

void heed_masters_free(heed_masters *m) {
  heed_communication *c = m->communication;
  if (!c)
    return;
  if (is_sharded(m->kernels)) {
    c->release(c, m->elements);
    free(m->values);
    free(m->shard);
    free(m->parts);
  } else {
    c->release(c, m->values);
  }
  *m = (heed_masters){0};
}

/* The part of the vectors that has this element. */
static const heed_shard_run *part_of(const heed_masters *m, int64_t element) {
  int64_t low = 0, high = m->part_count - 1;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (m->parts[middle].end <= element)
      low = middle + 1;
    else
      high = middle;
  }
  return &m->parts[low];
}

void heed_masters_show(const heed_masters *m, heed_own_chunk own) {
  if (!m->shard)
    return;
  const int64_t first = m->chunks->starts[own.chunk], count = heed_chunk_floats(m->chunks, own.chunk);
  const float *masters = heed_masters_at(m, own);
  if (is_vector(heed_chunk_tensor(m->chunks, own.chunk))) {
    const heed_shard_run *part = part_of(m, first);
    memcpy(m->vectors + part->at + (first - part->first), masters, (size_t)count * sizeof *masters);
  } else {
    m->kernels->narrow((char *)m->elements + (size_t)first * m->kernels->element_bytes, masters, count);
  }
}

void heed_masters_gather(const heed_masters *m) {
  heed_communication *c = m->communication;
  if (!m->shard) {
    c->allgather_shards(c, &(heed_gathered){.data = m->values, .bytes = sizeof *m->values}, 1);
    return;
  }
  const heed_gathered blocks[] = {{.data = m->elements, .bytes = m->kernels->element_bytes},
                                  {.data = m->vectors, .bytes = sizeof *m->vectors, .parts = m->parts, .part_count = m->part_count}};
  c->allgather_shards(c, blocks, 2);
  for (int64_t i = 0; i < m->part_count; i++)
    memcpy(m->values + m->parts[i].first, m->vectors + m->parts[i].at, (size_t)(m->parts[i].end - m->parts[i].first) * sizeof *m->values);
}

void heed_masters_take(const heed_masters *m) {
  if (!m->shard)
    return;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < m->chunks->own_count; i++)
    heed_masters_show(m, m->chunks->own[i]);
  heed_masters_gather(m);
}

void heed_masters_initialise(const heed_masters *m, uint32_t seed) {
  const heed_chunks *chunks = m->chunks;
  if (!m->shard) {
    heed_parameters_initialise(chunks->table, m->values, seed);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < chunks->own_count; i++) {
    const int64_t chunk = chunks->own[i].chunk, first = chunks->starts[chunk] - heed_chunk_tensor(chunks, chunk)->offset;
    heed_parameters_initialise_part(chunks->table, chunks->tensor_of[chunk], heed_masters_at(m, chunks->own[i]), first,
                                    heed_chunk_floats(chunks, chunk), seed);
  }
  heed_masters_take(m);
}

#include "train/chunks.h"

#include <stdlib.h>

static heed_status list(heed_chunks *c) {
  int64_t cuts;
  HEED_TRY(heed_parameters_cuts(c->table, &c->starts, &cuts));
  c->count = cuts - 1;
  c->tensor_of = malloc((size_t)c->count * sizeof *c->tensor_of);
  if (!c->tensor_of)
    return heed_error(HEED_FAILED, "out of memory for the shards");
  int32_t tensor = 0;
  for (int64_t i = 0; i < c->count; i++) {
    while (c->starts[i] >= c->table->items[tensor].offset + c->table->items[tensor].count)
      tensor++;
    c->tensor_of[i] = tensor;
  }
  return HEED_OK;
}

/* Buckets of about HEED_BUCKET_FLOATS, cut at chunks. */
static heed_status cut_buckets(heed_chunks *c) {
  const int64_t total = c->table->total, count = (total + HEED_BUCKET_FLOATS - 1) / HEED_BUCKET_FLOATS;
  c->edges = malloc((size_t)(count + 1) * sizeof *c->edges);
  if (!c->edges)
    return heed_error(HEED_FAILED, "out of memory for the shards");
  int64_t chunk = 0;
  for (int64_t i = 0; i < count; i++) {
    while (c->starts[chunk] < total / count * i)
      chunk++;
    if (c->buckets == 0 || c->starts[chunk] > c->edges[c->buckets - 1])
      c->edges[c->buckets++] = c->starts[chunk];
  }
  c->edges[c->buckets] = total;
  return HEED_OK;
}

static heed_status list_own(heed_chunks *c, const heed_communication *communication) {
  c->own = malloc((size_t)(c->count + 1) * sizeof *c->own);
  if (!c->own)
    return heed_error(HEED_FAILED, "out of memory for the shards");
  int64_t chunk = 0;
  for (int64_t i = 0; i < communication->run_count; i++) {
    const heed_shard_run *run = &communication->runs[i];
    while (c->starts[chunk] < run->first)
      chunk++;
    for (; c->starts[chunk] < run->end; chunk++)
      c->own[c->own_count++] = (heed_own_chunk){chunk, run->at + (c->starts[chunk] - run->first)};
  }
  return HEED_OK;
}

heed_status heed_chunks_divide(heed_chunks *c, const heed_parameter_table *table, heed_communication *communication) {
  *c = (heed_chunks){.table = table};
  heed_status status = list(c);
  if (status == HEED_OK)
    status = cut_buckets(c);
  HEED_TRY(communication->agree(communication, status));
  HEED_TRY(communication->shard(communication, c->starts, c->count + 1, c->edges, c->buckets));
  return communication->agree(communication, list_own(c, communication));
}

void heed_chunks_free(heed_chunks *c) {
  free(c->starts);
  free(c->tensor_of);
  free(c->edges);
  free(c->own);
  *c = (heed_chunks){0};
}

#include "checkpoint/parts.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/folder.h"
#include "checkpoint/store.h"

enum { PIECE_FLOATS = HEED_PIECE_BYTES / (int)sizeof(float) };

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

bool heed_piece_next(const heed_parameter_table *table, heed_piece *piece) {
  if (piece->end > 0 && heed_piece_is_last(table, piece))
    *piece = (heed_piece){.parameter = piece->parameter + 1};
  if (piece->parameter == table->count)
    return false;
  piece->first = piece->end;
  piece->end = smaller(piece->first + PIECE_FLOATS, heed_parameters_whole_count(table, piece->parameter));
  return true;
}

bool heed_piece_is_last(const heed_parameter_table *table, const heed_piece *piece) {
  return piece->end == heed_parameters_whole_count(table, piece->parameter);
}

static heed_status check(const heed_checkpoint_tensors *tensors, const heed_communication *communication) {
  HEED_TRY(heed_tensors_check(tensors));
  const heed_parameter_table *table = tensors->table;
  const heed_communication *tensor = communication->tensor;
  if (table->parts > 1 && (table->parts != tensor->size || table->part != tensor->rank))
    return heed_error(HEED_INVALID, "a table of part %d of %d is no table of tensor rank %d of %d", table->part, table->parts, tensor->rank,
                      tensor->size);
  return HEED_OK;
}

heed_status heed_parts_open(heed_parts *parts, const heed_checkpoint_tensors *tensors, heed_communication *communication) {
  HEED_TRY(check(tensors, communication));
  int64_t largest = 0;
  for (int64_t i = 0; i < tensors->table->count; i++) {
    const int64_t count = heed_parameters_whole_count(tensors->table, i);
    largest = count > largest ? count : largest;
  }
  const size_t floats = (size_t)smaller(largest, PIECE_FLOATS);
  *parts = (heed_parts){communication, tensors, calloc(floats, sizeof(float)), calloc(floats, sizeof(float))};
  return parts->whole && parts->part ? HEED_OK : heed_error(HEED_FAILED, "out of memory for pieces of a checkpoint");
}

void heed_parts_close(heed_parts *parts) {
  free(parts->whole);
  free(parts->part);
  *parts = (heed_parts){0};
}

/* What a part of the tensor holds of a piece: elements [first, first + count) of what it has of the tensor. */
typedef struct held {
  heed_split split;
  int64_t first, count;
  bool all; /* the tensor is not split */
} held;

static held held_by(const heed_parameter_table *table, const heed_piece *piece, int part) {
  const heed_split split = heed_parameters_split(table, piece->parameter, part);
  const int64_t first = heed_split_before(&split, piece->first);
  return (held){split, first, heed_split_before(&split, piece->end) - first, split.length == split.stride};
}

/* This rank's shard of a block, NULL for one of which it has all of its part. */
static float *shard_of(const heed_checkpoint_tensors *tensors, int block) {
  if (block > 0)
    return tensors->moment_shards[block - 1];
  return tensors->parameters_sharded ? tensors->parameters : NULL;
}

/* ---- to rank 0 ---- */

/* The first data rank of each part gives what it has; those of rank 0 are its tensor ranks. */
static void assemble(heed_parts *parts, const heed_piece *piece, const float *own) {
  const heed_parameter_table *table = parts->tensors->table;
  heed_communication *tensor = parts->communication->tensor;
  for (int part = 0; part < table->parts; part++) {
    const held there = held_by(table, piece, part);
    if (part > 0)
      tensor->bring(tensor, parts->part, own, (size_t)there.count * sizeof *own, part);
    if (tensor->rank == 0)
      heed_split_put(&there.split, parts->whole, part > 0 ? parts->part : own, piece->first, piece->end);
  }
}

const float *heed_parts_gather(heed_parts *parts, int block, const heed_piece *piece) {
  const heed_parameter_table *table = parts->tensors->table;
  heed_communication *data = parts->communication->data;
  const held here = held_by(table, piece, table->part);
  const int64_t first = table->items[piece->parameter].offset + here.first;
  const float *shard = shard_of(parts->tensors, block), *own = shard ? parts->part : parts->tensors->parameters + first;
  if (here.all && table->part > 0)
    return NULL; /* rank 0 has it from those of its own part */
  if (shard)
    data->gather_range(data, parts->part, shard, first, here.count);
  if (here.all)
    return own;
  if (data->rank == 0)
    assemble(parts, piece, own);
  return parts->whole;
}

/* ---- from rank 0 ---- */

/* What of `values`, the block's elements [first, end), lies in this rank's shard. */
static void keep_shard(const heed_communication *data, float *shard, const float *values, int64_t first, int64_t end) {
  for (int64_t i = 0; i < data->run_count; i++) {
    const heed_shard_run *run = &data->runs[i];
    const int64_t from = first > run->first ? first : run->first, to = smaller(end, run->end);
    if (from < to)
      memcpy(shard + run->at + (from - run->first), values + (from - first), (size_t)(to - from) * sizeof *shard);
  }
}

float *heed_parts_place(heed_parts *parts, int block, const heed_piece *piece) {
  const heed_parameter_table *table = parts->tensors->table;
  if (shard_of(parts->tensors, block) || !held_by(table, piece, table->part).all)
    return parts->whole;
  return parts->tensors->parameters + table->items[piece->parameter].offset + piece->first;
}

void heed_parts_keep(heed_parts *parts, int block, const heed_piece *piece) {
  const heed_parameter_table *table = parts->tensors->table;
  const held here = held_by(table, piece, table->part);
  const int64_t first = table->items[piece->parameter].offset + here.first;
  float *shard = shard_of(parts->tensors, block);
  if (!shard && here.all)
    return; /* it was received in its place */
  if (!here.all)
    heed_split_take(&here.split, shard ? parts->part : parts->tensors->parameters + first, parts->whole, piece->first, piece->end);
  if (shard)
    keep_shard(parts->communication->data, shard, here.all ? parts->whole : parts->part, first, first + here.count);
}

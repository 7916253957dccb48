/* Loading: rank 0 reads and validates, the others receive. */
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"
#include "base/pulse.h"
#include "checkpoint/folder.h"
#include "checkpoint/parts.h"
#include "checkpoint/state.h"
#include "checkpoint/store.h"

typedef struct load {
  heed_communication *communication;
  const heed_checkpoint_tensors *tensors;
  heed_folder folder;      /* rank 0 */
  const heed_item **items; /* rank 0: where each tensor is, block after block in the order of the table */
  heed_hasher *hasher;     /* rank 0: of the tensor being read */
  heed_parts parts;        /* every rank */
} load;

/* Rank 0: where each tensor of the table is, and that it is what the table says. */
static heed_status find_items(load *l) {
  const heed_parameter_table *table = l->tensors->table;
  int64_t hint = 0;
  l->items = calloc((size_t)(table->count * (1 + l->tensors->moments)), sizeof *l->items);
  if (!l->items)
    return heed_error(HEED_FAILED, "out of memory for the list of tensors");
  for (int block = 0; block <= l->tensors->moments; block++)
    for (int64_t i = 0; i < table->count; i++) {
      char path[HEED_MAX_PATH];
      heed_item_path(path, l->tensors, block, i);
      const heed_item *item = heed_manifest_find(&l->folder.manifest, path, &hint);
      const heed_parameter *p = &table->items[i];
      if (!item)
        return heed_error(HEED_INVALID, "%s: %s is missing; the checkpoint is of another model", l->folder.path, path);
      if (item->type != HEED_ITEM_FLOAT32)
        return heed_error(HEED_INVALID, "%s: %s is not float32", l->folder.path, path);
      bool equal = item->rank == p->rank;
      for (int axis = 0; equal && axis < p->rank; axis++)
        equal = item->shape[axis] == p->shape[axis];
      if (!equal)
        return heed_error(HEED_INVALID, "%s: %s has the shape [%lld%s] there, the model has [%lld%s]", l->folder.path, path,
                          (long long)item->shape[0], item->rank > 1 ? ", …" : "", (long long)p->shape[0], p->rank > 1 ? ", …" : "");
      l->items[block * table->count + i] = item;
    }
  return HEED_OK;
}

/* Rank 0: a piece of a tensor from its place; at the tensor's end its checksum is compared. */
static heed_status read_piece(load *l, int block, const heed_piece *piece, float *values) {
  const heed_parameter_table *table = l->tensors->table;
  const heed_item *item = l->items[block * table->count + piece->parameter];
  size_t bytes = (size_t)(piece->end - piece->first) * sizeof *values;
  heed_pulse_beat();
  HEED_TRY(heed_failpoint(HEED_AT_LOAD_PIECE));
  HEED_TRY(heed_checkpoint_folder_read(&l->folder, item, values, bytes, piece->first * (int64_t)sizeof *values));
  if (!l->hasher)
    HEED_TRY(heed_hasher_begin(&l->hasher));
  heed_hasher_add(l->hasher, values, bytes);
  if (!heed_piece_is_last(table, piece))
    return HEED_OK;
  uint64_t hash = heed_hasher_end(l->hasher);
  l->hasher = NULL;
  return hash == item->checksum ? HEED_OK : heed_state_damaged(item);
}

/* After a failure rank 0 goes on sending, since the others cannot know. */
static heed_status stream(load *l) {
  heed_communication *communication = l->communication;
  heed_status status = HEED_OK;
  for (int block = 0; block <= l->tensors->moments; block++)
    for (heed_piece piece = {0}; heed_piece_next(l->tensors->table, &piece);) {
      float *values = heed_parts_place(&l->parts, block, &piece);
      if (communication->rank == 0 && status == HEED_OK)
        status = read_piece(l, block, &piece, values);
      communication->broadcast(communication, values, (size_t)(piece.end - piece.first) * sizeof *values);
      heed_parts_keep(&l->parts, block, &piece);
    }
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "%s", l->folder.path);
}

static heed_status begin(load *l, const char *path) {
  HEED_TRY(heed_parts_open(&l->parts, l->tensors, l->communication));
  if (l->communication->rank != 0)
    return HEED_OK;
  HEED_TRY(heed_checkpoint_folder_open_any(&l->folder, path));
  return find_items(l);
}

heed_status heed_checkpoint_load(const char *path, const heed_checkpoint_tensors *tensors, heed_communication *communication) {
  heed_pulse_enter(HEED_PHASE_LOADING);
  load l = {.communication = communication, .tensors = tensors};
  heed_status status = communication->agree(communication, begin(&l, path));
  if (status == HEED_OK)
    status = communication->agree(communication, stream(&l));
  if (l.hasher)
    heed_hasher_end(l.hasher);
  heed_checkpoint_folder_close(&l.folder);
  free(l.items);
  heed_parts_close(&l.parts);
  return status;
}

heed_status heed_checkpoint_read_info(const char *path, heed_checkpoint_info *info, char **resolved) {
  heed_folder folder;
  *info = (heed_checkpoint_info){0};
  if (resolved)
    *resolved = NULL;
  HEED_TRY(heed_checkpoint_folder_open_any(&folder, path));
  *info = folder.manifest.info;
  info->bytes = heed_manifest_bytes(&folder.manifest);
  heed_status status = heed_checkpoint_folder_text(&folder, "/config", HEED_MAX_CONFIG, &info->config);
  if (status == HEED_OK)
    status = heed_checkpoint_folder_text(&folder, "/vocabulary", HEED_MAX_VOCABULARY, &info->vocabulary);
  if (status == HEED_OK && resolved && !(*resolved = strdup(folder.path)))
    status = heed_error(HEED_FAILED, "out of memory for a path");
  if (status != HEED_OK)
    heed_checkpoint_info_free(info);
  heed_checkpoint_folder_close(&folder);
  return status;
}

heed_status heed_checkpoint_verify(const char *path) {
  heed_folder folder;
  HEED_TRY(heed_checkpoint_folder_open_any(&folder, path));
  heed_status status = heed_checkpoint_folder_check_items(&folder);
  heed_checkpoint_folder_close(&folder);
  return status;
}

void heed_checkpoint_info_free(heed_checkpoint_info *info) {
  free(info->config);
  free(info->vocabulary);
  info->config = info->vocabulary = NULL;
}

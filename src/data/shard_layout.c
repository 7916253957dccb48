#include "data/shard_layout.h"

#include "base/hdf5_reader.h"

static heed_status read_array(heed_hdf5 *hdf5, const char *path, heed_hdf5_type narrow, heed_hdf5_type wide, heed_shard_array *array) {
  heed_hdf5_dataset set;
  HEED_TRY(heed_hdf5_find(hdf5, path, &set));
  if (set.type != narrow && set.type != wide)
    return heed_error(HEED_INVALID, "%s has another type than a shard's", path);
  if (set.rank != 1)
    return heed_error(HEED_INVALID, "%s is not a list", path);
  *array = (heed_shard_array){(uint64_t)set.offset, set.count, (int)set.width};
  return HEED_OK;
}

static heed_status read_number(heed_hdf5 *hdf5, const char *name, int64_t *value) {
  return heed_hdf5_attribute(hdf5, name, HEED_HDF5_INT64, value, sizeof *value);
}

static heed_status read_layout(heed_shard_layout *layout, heed_hdf5 *hdf5) {
  HEED_TRY(read_number(hdf5, "format_version", &layout->format));
  if (layout->format < 1 || layout->format > HEED_SHARD_FORMAT)
    return heed_error(HEED_INVALID, "its format is %lld; this program reads formats 1 to %d", (long long)layout->format, HEED_SHARD_FORMAT);
  if (layout->format >= HEED_SHARD_HASHED)
    HEED_TRY(heed_hdf5_attribute(hdf5, "content_hash", HEED_HDF5_UINT64, &layout->content_hash, sizeof layout->content_hash));
  HEED_TRY(heed_hdf5_attribute(hdf5, "vocabulary_hash", HEED_HDF5_UINT64, &layout->vocabulary_hash, sizeof layout->vocabulary_hash));
  HEED_TRY(read_number(hdf5, "vocabulary_size", &layout->vocabulary_size));
  HEED_TRY(read_number(hdf5, "cased", &layout->cased));
  HEED_TRY(read_number(hdf5, "token_count", &layout->token_count));
  HEED_TRY(read_number(hdf5, "sentence_count", &layout->sentence_count));
  HEED_TRY(read_number(hdf5, "document_count", &layout->document_count));
  HEED_TRY(heed_hdf5_attribute(hdf5, "tokenizer", HEED_HDF5_TEXT, layout->tokenizer, sizeof layout->tokenizer));
  HEED_TRY(read_array(hdf5, "/tokens", HEED_HDF5_UINT16, HEED_HDF5_UINT32, &layout->tokens));
  HEED_TRY(read_array(hdf5, "/sentences", HEED_HDF5_INT64, HEED_HDF5_INT64, &layout->sentences));
  return read_array(hdf5, "/documents", HEED_HDF5_INT64, HEED_HDF5_INT64, &layout->documents);
}

heed_status heed_shard_layout_read(heed_shard_layout *layout, int file, int64_t bytes, const char *path) {
  heed_hdf5 *hdf5;
  *layout = (heed_shard_layout){0};
  heed_status status = heed_hdf5_open(&hdf5, file, path, bytes, NULL);
  if (status == HEED_OK) {
    status = read_layout(layout, hdf5);
    heed_hdf5_close(hdf5);
  }
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "%s: not a sound token shard", path);
}

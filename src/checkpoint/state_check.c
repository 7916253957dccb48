#include <stdio.h>
#include <string.h>

#include "base/hdf5_reader.h"
#include "checkpoint/state.h"

_Static_assert((int)HEED_HDF5_MAX_RANK == (int)HEED_MAX_RANK && (int)HEED_HDF5_MAX_GROUP >= (int)HEED_MAX_PATH,
               "what a manifest may name is what can be found");

void heed_state_name(char name[HEED_STATE_NAME], int index) {
  strcpy(name, HEED_STATE_FILE);
  if (index > 0)
    snprintf(name, HEED_STATE_NAME, "state-%d.h5", index);
}

heed_status heed_state_damaged(const heed_item *item) {
  char name[HEED_STATE_NAME];
  heed_state_name(name, item->file);
  return heed_error(HEED_INVALID, "%s: %s does not match its checksum", name, item->path);
}

/* What of a dataset is not as the manifest says, NULL for nothing. */
static const char *dataset_fault(const heed_hdf5_dataset *dataset, const heed_item *item) {
  bool text = item->type == HEED_ITEM_TEXT;
  if (dataset->type != (text ? HEED_HDF5_TEXT : HEED_HDF5_FLOAT32))
    return text ? "is not text" : "is not of type float32, little-endian";
  bool equal = dataset->rank == (text ? 0 : item->rank);
  for (int axis = 0; equal && axis < dataset->rank; axis++)
    equal = dataset->shape[axis] == item->shape[axis];
  if (!equal)
    return "is of another shape than MANIFEST names";
  if (dataset->bytes != item->bytes)
    return "is not text of the length that MANIFEST names";
  return item->offset != 0 && item->offset != dataset->offset ? "is not at the place where it was written" : NULL;
}

heed_status heed_state_check(int file, heed_manifest *manifest, int index) {
  heed_hdf5 *hdf5;
  const heed_manifest_file *which = &manifest->files[index];
  char name[HEED_STATE_NAME];
  heed_state_name(name, index);
  heed_status status = heed_hdf5_open(&hdf5, file, name, which->bytes, &manifest->spent);
  if (status != HEED_OK)
    return heed_error_in(status, "%s", name);
  for (int64_t i = which->first; status == HEED_OK && i < which->end; i++) {
    heed_item *item = &manifest->items[i];
    heed_hdf5_dataset dataset;
    status = heed_hdf5_find(hdf5, item->path, &dataset);
    const char *fault = status == HEED_OK ? dataset_fault(&dataset, item) : NULL;
    if (fault)
      status = heed_error(HEED_INVALID, "%s %s", item->path, fault);
    item->offset = status == HEED_OK ? dataset.offset : item->offset;
  }
  heed_hdf5_close(hdf5);
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "%s", name);
}

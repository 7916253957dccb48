#include <string.h>

#include "checkpoint/file.h"
#include "checkpoint/image.h"
#include "checkpoint/library.h"
#include "checkpoint/state.h"

static hid_t open_image(heed_image *image) {
  hid_t access = heed_image_access(image);
  hid_t opened = access >= 0 ? H5Fopen(HEED_STATE_FILE, H5F_ACC_RDONLY, access) : H5I_INVALID_HID;
  if (access >= 0)
    H5Pclose(access);
  return opened;
}

/* The superblock stands at byte 0: no user block, in which anything could hide. */
static heed_status check_start(int file) {
  char start[8];
  HEED_TRY(heed_file_read(file, HEED_STATE_FILE, start, sizeof start, 0));
  if (memcmp(start, "\211HDF\r\n\032\n", sizeof start) != 0)
    return heed_error(HEED_INVALID, HEED_STATE_FILE " is not an HDF5 file, or has a user block, which Heed does not accept");
  return HEED_OK;
}

static const char *link_fault(hid_t group, const char *name) {
  H5L_info_t link;
  if (H5Lexists(group, name, H5P_DEFAULT) <= 0)
    return "is missing in the file";
  if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0)
    return "cannot be read";
  return link.type == H5L_TYPE_HARD ? NULL : "is a soft, external or user link, which Heed does not follow";
}

static const char *creation_fault(hid_t dataset) {
  hid_t list = H5Dget_create_plist(dataset);
  if (list < 0)
    return "cannot be read";
  H5D_layout_t layout = H5Pget_layout(list);
  int external = H5Pget_external_count(list), filters = H5Pget_nfilters(list);
  H5Pclose(list);
  return external != 0              ? "lies in another file (external storage), which Heed does not read"
         : filters != 0             ? "is stored through filters, which Heed does not read"
         : layout == H5D_VIRTUAL    ? "is a virtual dataset, which Heed does not read"
         : layout != H5D_CONTIGUOUS ? "is not stored contiguously"
                                    : NULL;
}

static const char *type_fault(hid_t dataset, const heed_item *item) {
  hid_t type = H5Dget_type(dataset), expected = heed_library_type(item);
  bool committed = type >= 0 && H5Tcommitted(type) > 0;
  bool equal = type >= 0 && expected >= 0 && H5Tequal(type, expected) > 0;
  if (type >= 0)
    H5Tclose(type);
  if (expected >= 0)
    H5Tclose(expected);
  return committed                         ? "is of a committed type, which Heed does not read"
         : equal                           ? NULL
         : item->type == HEED_ITEM_FLOAT32 ? "is not of type float32, little-endian"
                                           : "is not text of the length that MANIFEST names";
}

static const char *shape_fault(hid_t dataset, const heed_item *item) {
  hid_t space = H5Dget_space(dataset);
  int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
  hsize_t shape[HEED_MAX_RANK] = {0};
  bool equal = rank == (item->type == HEED_ITEM_TEXT ? 0 : item->rank) && H5Sget_simple_extent_dims(space, shape, NULL) == rank;
  equal = equal && (rank > 0 || H5Sget_simple_extent_type(space) == H5S_SCALAR);
  for (int axis = 0; equal && axis < rank; axis++)
    equal = shape[axis] == (hsize_t)item->shape[axis];
  if (space >= 0)
    H5Sclose(space);
  return equal ? NULL : "is of another shape than MANIFEST names";
}

/* Storage last: it asks HDF5 for the most, and what is above has narrowed down what it may find. */
static const char *dataset_fault(hid_t dataset, heed_item *item, int64_t file_bytes) {
  const char *fault = creation_fault(dataset);
  fault = fault ? fault : type_fault(dataset, item);
  fault = fault ? fault : shape_fault(dataset, item);
  if (fault)
    return fault;
  haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF || offset == 0 || H5Dget_storage_size(dataset) != (hsize_t)item->bytes)
    return "has no storage of the size of its shape";
  if (item->bytes > file_bytes || offset > (haddr_t)(file_bytes - item->bytes))
    return "reaches beyond the end of the file";
  if (item->offset != 0 && item->offset != (int64_t)offset)
    return "is not at the place where it was written";
  item->offset = (int64_t)offset;
  return NULL;
}

/* The group that items come from, kept open from one item to the next. */
typedef struct open_group {
  hid_t id;
  char path[HEED_MAX_PATH];
} open_group;

/* Goes down from the root to the group of `path` (its part before the last slash), over hard links only. */
static const char *enter_group(hid_t file, open_group *group, const char *path) {
  size_t length = (size_t)(strrchr(path, '/') - path);
  if (group->id >= 0 && strlen(group->path) == length && strncmp(group->path, path, length) == 0)
    return NULL;
  if (group->id >= 0)
    H5Gclose(group->id);
  char parts[HEED_MAX_PATH], *rest = NULL;
  memcpy(parts, path, length);
  parts[length] = 0;
  strcpy(group->path, parts);
  group->id = H5Gopen2(file, "/", H5P_DEFAULT);
  for (char *part = strtok_r(parts, "/", &rest); group->id >= 0 && part; part = strtok_r(NULL, "/", &rest)) {
    const char *fault = link_fault(group->id, part);
    hid_t next = fault ? -1 : H5Gopen2(group->id, part, H5P_DEFAULT);
    H5Gclose(group->id);
    group->id = next;
    if (fault)
      return fault;
  }
  return group->id >= 0 ? NULL : "is not in a group";
}

static const char *item_fault(hid_t file, open_group *group, heed_item *item, int64_t file_bytes) {
  const char *fault = enter_group(file, group, item->path), *name = strrchr(item->path, '/') + 1;
  fault = fault ? fault : link_fault(group->id, name);
  if (fault)
    return fault;
  hid_t dataset = H5Dopen2(group->id, name, H5P_DEFAULT);
  if (dataset < 0)
    return "is not a dataset";
  fault = dataset_fault(dataset, item, file_bytes);
  H5Dclose(dataset);
  return fault;
}

heed_status heed_state_check(int file, heed_manifest *manifest) {
  heed_library_ready();
  HEED_TRY(check_start(file));
  heed_image image = {.read = true, .file = file, .bytes = manifest->file_bytes};
  hid_t opened = open_image(&image);
  if (opened < 0)
    return image.status != HEED_OK ? image.status : heed_library_error(HEED_INVALID, "is not a sound HDF5 file");
  heed_status status = HEED_OK;
  open_group group = {.id = -1};
  for (int64_t i = 0; status == HEED_OK && i < manifest->count; i++) {
    const char *fault = item_fault(opened, &group, &manifest->items[i], manifest->file_bytes);
    if (image.status != HEED_OK) /* a read that failed, which HDF5 tells as one fault or another */
      status = image.status;
    else if (fault)
      status = heed_error(HEED_INVALID, HEED_STATE_FILE ": %s %s", manifest->items[i].path, fault);
  }
  if (group.id >= 0)
    H5Gclose(group.id);
  H5Fclose(opened);
  H5Eclear2(H5E_DEFAULT);
  return status;
}

#include <string.h>

#include "checkpoint/library.h"
#include "checkpoint/state_write.h"

/* Contiguous, without filters, fill values or timestamps: the file's bytes depend on the state alone.  Space is allotted at once. */
static hid_t dataset_properties(void) {
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (properties >= 0 && H5Pset_layout(properties, H5D_CONTIGUOUS) >= 0 && H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
      H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) >= 0 && H5Pset_obj_track_times(properties, false) >= 0)
    return properties;
  if (properties >= 0)
    H5Pclose(properties);
  return H5I_INVALID_HID;
}

/* A dataset with its groups; its place in the file. */
static bool create_item(hid_t file, hid_t links, hid_t properties, heed_item *item) {
  hsize_t shape[HEED_MAX_RANK];
  for (int axis = 0; axis < item->rank; axis++)
    shape[axis] = (hsize_t)item->shape[axis];
  hid_t space = item->type == HEED_ITEM_TEXT ? H5Screate(H5S_SCALAR) : H5Screate_simple(item->rank, shape, NULL);
  hid_t type = heed_library_type(item);
  hid_t dataset = space >= 0 && type >= 0 ? H5Dcreate2(file, item->path, type, space, links, properties, H5P_DEFAULT) : -1;
  haddr_t offset = dataset >= 0 ? H5Dget_offset(dataset) : HADDR_UNDEF;
  item->offset = offset == HADDR_UNDEF ? 0 : (int64_t)offset;
  if (dataset >= 0)
    H5Dclose(dataset);
  if (type >= 0)
    H5Tclose(type);
  if (space >= 0)
    H5Sclose(space);
  return item->offset > 0;
}

static bool create_attribute(hid_t file, const char *name, hid_t stored, hid_t given, const void *value) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = space >= 0 ? H5Acreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
  bool good = attribute >= 0 && H5Awrite(attribute, given, value) >= 0;
  if (attribute >= 0)
    H5Aclose(attribute);
  if (space >= 0)
    H5Sclose(space);
  return good;
}

static bool create_text_attribute(hid_t file, const char *name, const char *value) {
  hid_t type = heed_library_type(&(heed_item){.type = HEED_ITEM_TEXT, .bytes = (int64_t)strlen(value) + 1});
  bool good = type >= 0 && create_attribute(file, name, type, type, value);
  if (type >= 0)
    H5Tclose(type);
  return good;
}

/* For people with h5dump or h5py; Heed itself reads the manifest. */
static bool create_attributes(hid_t file, const heed_manifest *manifest) {
  const heed_checkpoint_info *info = &manifest->info;
  const struct {
    const char *name;
    int64_t value;
  } numbers[] = {{"format_version", heed_manifest_version(manifest)},
                 {"step", info->step},
                 {"updates", info->updates},
                 {"data_position", info->data_position},
                 {"seed", info->seed},
                 {"samples_seen", info->samples_seen},
                 {"cased", info->cased}};
  bool good = true;
  for (size_t i = 0; good && i < sizeof numbers / sizeof *numbers; i++)
    good = create_attribute(file, numbers[i].name, H5T_STD_I64LE, H5T_NATIVE_INT64, &numbers[i].value);
  return good && create_attribute(file, "validation_loss", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &info->validation_loss) &&
         create_text_attribute(file, "isa", info->isa) && create_text_attribute(file, "blas", info->blas);
}

heed_status heed_state_lay_out(heed_image *image, heed_manifest *manifest, int index) {
  heed_library_ready();
  *image = (heed_image){0};
  heed_manifest_file *which = &manifest->files[index];
  char name[HEED_STATE_NAME];
  heed_state_name(name, index);
  hid_t access = heed_image_access(image);
  hid_t creation = H5Pcreate(H5P_FILE_CREATE), links = H5Pcreate(H5P_LINK_CREATE), properties = dataset_properties();
  hid_t file = -1;
  if (access >= 0 && creation >= 0 && links >= 0 && properties >= 0 && H5Pset_obj_track_times(creation, false) >= 0 &&
      H5Pset_create_intermediate_group(links, 1) >= 0 && /* the layout that base/hdf5_reader.h reads */
      H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST) >= 0)
    file = H5Fcreate(name, H5F_ACC_TRUNC, creation, access);
  heed_status status = file >= 0 ? HEED_OK : heed_library_error(HEED_IO, name, "cannot be laid out");
  for (int64_t i = which->first; status == HEED_OK && i < which->end; i++)
    if (!create_item(file, links, properties, &manifest->items[i]))
      status = heed_error_in(heed_library_error(HEED_IO, name, "has no place for it"), "%s", manifest->items[i].path);
  if (status == HEED_OK && !create_attributes(file, manifest))
    status = heed_library_error(HEED_IO, name, "its attributes cannot be written");
  if (file >= 0 && H5Fclose(file) < 0 && status == HEED_OK)
    status = heed_library_error(HEED_IO, name, "cannot be laid out");
  if (image->status != HEED_OK) /* whatever HDF5 made of it */
    status = heed_error(image->status, "out of memory for the headers of %s", name);
  const hid_t lists[] = {access, creation, links, properties};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if (lists[i] >= 0)
      H5Pclose(lists[i]);
  which->bytes = image->bytes;
  return status;
}

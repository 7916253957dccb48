/* A file from a stranger is opened in a child (isolated.h), which gives back plain numbers.  It asks for known names only, and refuses
 * whatever could lead out of the file or into code: soft and external links, external storage, virtual layout, filters, user blocks,
 * committed or variable-length types. */
#include "data/shard_layout.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/isolated.h"

static heed_status refuse(const char *name, const char *why) {
  return heed_error(HEED_INVALID, "/%s %s", name, why);
}

static heed_status read_attribute(hid_t root, const char *name, hid_t type, void *value) {
  if (H5Aexists(root, name) <= 0)
    return heed_error(HEED_INVALID, "it has no attribute %s", name);
  hid_t attribute = H5Aopen(root, name, H5P_DEFAULT), stored = H5Aget_type(attribute), space = H5Aget_space(attribute);
  bool sound = attribute >= 0 && H5Tequal(stored, type) > 0 && H5Tcommitted(stored) == 0 &&
               H5Sget_simple_extent_type(space) == H5S_SCALAR && H5Aread(attribute, type, value) >= 0;
  H5Sclose(space), H5Tclose(stored), H5Aclose(attribute);
  return sound ? HEED_OK : heed_error(HEED_INVALID, "its attribute %s is not one number of the right type", name);
}

/* A string is read in its own fixed size, which must leave room for the final zero. */
static heed_status read_name(hid_t root, const char *name, char value[HEED_TOKENIZER_NAME]) {
  if (H5Aexists(root, name) <= 0)
    return heed_error(HEED_INVALID, "it has no attribute %s", name);
  hid_t attribute = H5Aopen(root, name, H5P_DEFAULT), stored = H5Aget_type(attribute), space = H5Aget_space(attribute);
  bool sound = attribute >= 0 && H5Tget_class(stored) == H5T_STRING && H5Tis_variable_str(stored) == 0 && H5Tcommitted(stored) == 0 &&
               H5Tget_size(stored) <= HEED_TOKENIZER_NAME && H5Sget_simple_extent_type(space) == H5S_SCALAR;
  memset(value, 0, HEED_TOKENIZER_NAME);
  sound = sound && H5Aread(attribute, stored, value) >= 0;
  value[HEED_TOKENIZER_NAME - 1] = 0;
  H5Sclose(space), H5Tclose(stored), H5Aclose(attribute);
  return sound ? HEED_OK : heed_error(HEED_INVALID, "its attribute %s is not a short string", name);
}

static heed_status check_storage(const char *name, hid_t plan) {
  if (H5Pget_layout(plan) != H5D_CONTIGUOUS)
    return refuse(name, "is chunked, compact or virtual; only contiguous arrays can be mapped");
  if (H5Pget_external_count(plan) != 0)
    return refuse(name, "keeps its data in another file");
  if (H5Pget_nfilters(plan) != 0)
    return refuse(name, "is filtered or compressed");
  return HEED_OK;
}

static heed_status check_array(const char *name, hid_t set, hid_t type, hid_t space, const hid_t *allowed, heed_shard_array *array) {
  hsize_t size = 0;
  int width = H5Tcommitted(type) == 0 ? (H5Tequal(type, allowed[0]) > 0 ? 0 : H5Tequal(type, allowed[1]) > 0 ? 1 : -1) : -1;
  if (width < 0)
    return refuse(name, "has another type than a shard's");
  if (H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &size, NULL) != 1 || size > INT64_MAX / 8)
    return refuse(name, "is not a list");
  haddr_t offset = H5Dget_offset(set);
  if (offset == HADDR_UNDEF)
    return refuse(name, "holds no data");
  *array = (heed_shard_array){offset, (int64_t)size, (int)H5Tget_size(type)};
  return HEED_OK;
}

static heed_status read_array(hid_t root, const char *name, hid_t narrow, hid_t wide, heed_shard_array *array) {
  H5L_info_t link;
  H5O_info_t object;
  if (H5Lexists(root, name, H5P_DEFAULT) <= 0)
    return refuse(name, "is missing");
  if (H5Lget_info(root, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
    return refuse(name, "is a link that leads elsewhere");
  if (H5Oget_info_by_name(root, name, &object, H5P_DEFAULT) < 0 || object.type != H5O_TYPE_DATASET)
    return refuse(name, "is not a dataset");
  hid_t set = H5Dopen(root, name, H5P_DEFAULT);
  if (set < 0)
    return refuse(name, "could not be opened");
  hid_t plan = H5Dget_create_plist(set), type = H5Dget_type(set), space = H5Dget_space(set), allowed[2] = {narrow, wide};
  heed_status status = check_storage(name, plan);
  if (status == HEED_OK)
    status = check_array(name, set, type, space, allowed, array);
  H5Sclose(space), H5Tclose(type), H5Pclose(plan), H5Dclose(set);
  return status;
}

static heed_status read_layout(heed_shard_layout *layout, hid_t root) {
  HEED_TRY(read_attribute(root, "format_version", H5T_STD_I64LE, &layout->format));
  if (layout->format != HEED_SHARD_FORMAT)
    return heed_error(HEED_INVALID, "its format is %lld; this program reads format %d", (long long)layout->format, HEED_SHARD_FORMAT);
  HEED_TRY(read_attribute(root, "vocabulary_hash", H5T_STD_U64LE, &layout->vocabulary_hash));
  HEED_TRY(read_attribute(root, "vocabulary_size", H5T_STD_I64LE, &layout->vocabulary_size));
  HEED_TRY(read_attribute(root, "cased", H5T_STD_I64LE, &layout->cased));
  HEED_TRY(read_attribute(root, "token_count", H5T_STD_I64LE, &layout->token_count));
  HEED_TRY(read_attribute(root, "sentence_count", H5T_STD_I64LE, &layout->sentence_count));
  HEED_TRY(read_attribute(root, "document_count", H5T_STD_I64LE, &layout->document_count));
  HEED_TRY(read_name(root, "tokenizer", layout->tokenizer));
  HEED_TRY(read_array(root, "tokens", H5T_STD_U16LE, H5T_STD_U32LE, &layout->tokens));
  HEED_TRY(read_array(root, "sentences", H5T_STD_I64LE, H5T_STD_I64LE, &layout->sentences));
  return read_array(root, "documents", H5T_STD_I64LE, H5T_STD_I64LE, &layout->documents);
}

static heed_status ask_library(void *layout, const void *file) {
  char name[64];
  hsize_t user_block = 0;
  snprintf(name, sizeof name, "/proc/self/fd/%d", *(const int *)file); /* the very file that the parent maps */
  if (H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0 || H5PLset_loading_state(0) < 0)
    return heed_error(HEED_FAILED, "the HDF5 library does not start");
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(access, 0, 1); /* network file systems may have none, and a reader needs none */
  hid_t h5 = H5Fopen(name, H5F_ACC_RDONLY, access);
  if (h5 < 0)
    return heed_error(HEED_INVALID, "not an HDF5 file, or a damaged one; `heed prepare` makes token shards");
  hid_t plan = H5Fget_create_plist(h5);
  if (H5Pget_userblock(plan, &user_block) < 0 || user_block != 0)
    return heed_error(HEED_INVALID, "it has a user block");
  hid_t root = H5Gopen(h5, "/", H5P_DEFAULT);
  return root < 0 ? heed_error(HEED_INVALID, "its root group could not be opened") : read_layout(layout, root);
}

heed_status heed_shard_layout_read(heed_shard_layout *layout, int file, const char *path) {
  bool died;
  *layout = (heed_shard_layout){0};
  heed_isolated task = {.work = ask_library, .argument = &file, .result = layout, .result_bytes = sizeof *layout, .limited = true};
  heed_status status = heed_isolated_run(&task, &died);
  if (died)
    return heed_error(HEED_INVALID, "%s: damaged: the HDF5 library failed on it", path);
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "%s: not a sound token shard", path);
}

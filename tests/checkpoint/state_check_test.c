/* Files from strangers: hostile HDF5 below a manifest that fits it is refused with a reason, and no other file is read. */
#include <hdf5.h>

#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "checkpoint/manifest.h"
#include "fixture.h"

/* How one file is made: everything plain but what the case changes. */
typedef struct hostile {
  const char *name;
  void (*change)(hid_t file, hid_t *type, hid_t *space, hid_t *properties);
  const char *reason; /* part of the error text; NULL: good */
  hsize_t user_block;
} hostile;

static const hsize_t shape[2] = {6, 4};

static void change_nothing(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space, (void)properties;
}
static void set_type(hid_t *type, hid_t chosen) {
  H5Tclose(*type);
  *type = H5Tcopy(chosen);
}
static void set_space(hid_t *space, int rank, const hsize_t *sizes) {
  H5Sclose(*space);
  *space = rank ? H5Screate_simple(rank, sizes, NULL) : H5Screate(H5S_NULL);
}
static void external_storage(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space;
  H5Pset_external(*properties, "/etc/passwd", 0, 96);
}
static void filters(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space;
  H5Pset_chunk(*properties, 2, shape);
  H5Pset_deflate(*properties, 9);
}
static void chunks(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space;
  H5Pset_chunk(*properties, 2, shape);
}
static void compact(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space;
  H5Pset_layout(*properties, H5D_COMPACT);
}
static void virtual_layout(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type;
  H5Pset_virtual(*properties, *space, "/etc/passwd", "/x", *space);
}
static void no_storage(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)space;
  H5Pset_alloc_time(*properties, H5D_ALLOC_TIME_LATE);
}
static void variable_length(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)space, (void)properties;
  H5Tclose(*type);
  *type = H5Tvlen_create(H5T_IEEE_F32LE);
}
static void compound(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)space, (void)properties;
  H5Tclose(*type);
  *type = H5Tcreate(H5T_COMPOUND, 4);
  H5Tinsert(*type, "x", 0, H5T_IEEE_F32LE);
}
static void committed(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)space, (void)properties;
  H5Tcommit2(file, "named", *type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}
static void reference(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)space, (void)properties;
  set_type(type, H5T_STD_REF_OBJ);
}
static void big_endian(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)space, (void)properties;
  set_type(type, H5T_IEEE_F32BE);
}
static void integers(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)space, (void)properties;
  set_type(type, H5T_STD_I32LE);
}
static void transposed(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)properties;
  set_space(space, 2, (const hsize_t[]){4, 6});
}
static void more_dimensions(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)properties;
  set_space(space, 6, (const hsize_t[]){6, 4, 1, 1, 1, 1});
}
static void null_space(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)file, (void)type, (void)properties;
  set_space(space, 0, NULL);
}

/* These put something else than a dataset in its place: the space is closed, so none is made. */
static void soft_link(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  H5Dclose(H5Dcreate2(file, "elsewhere", *type, *space, H5P_DEFAULT, *properties, H5P_DEFAULT));
  H5Lcreate_soft("/elsewhere", file, "/parameters/x", H5P_DEFAULT, H5P_DEFAULT);
}
static void external_link(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)type, (void)space, (void)properties;
  H5Lcreate_external("/etc/passwd", "/x", file, "/parameters/x", H5P_DEFAULT, H5P_DEFAULT);
}
static void dangling_link(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)type, (void)space, (void)properties;
  H5Lcreate_soft("/parameters/x", file, "/parameters/x", H5P_DEFAULT, H5P_DEFAULT); /* to itself */
}
static void group_instead(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)type, (void)space, (void)properties;
  H5Gclose(H5Gcreate2(file, "/parameters/x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void linked_group(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  H5Gclose(H5Gcreate2(file, "/other", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Dclose(H5Dcreate2(file, "/other/x", *type, *space, H5P_DEFAULT, *properties, H5P_DEFAULT));
  H5Ldelete(file, "/parameters", H5P_DEFAULT);
  H5Lcreate_soft("/other", file, "/parameters", H5P_DEFAULT, H5P_DEFAULT);
}
static void nothing_there(hid_t file, hid_t *type, hid_t *space, hid_t *properties) {
  (void)type, (void)space, (void)properties;
  H5Ldelete(file, "/parameters", H5P_DEFAULT);
}

static const hostile cases[] = {{"plain", change_nothing, NULL, 0},
                                {"user block", change_nothing, "user block", 512},
                                {"external storage", external_storage, "external storage", 0},
                                {"filter", filters, "filters", 0},
                                {"chunks", chunks, "contiguously", 0},
                                {"compact", compact, "contiguously", 0},
                                {"virtual", virtual_layout, "virtual", 0},
                                {"no storage", no_storage, "storage", 0},
                                {"variable length", variable_length, "float32", 0},
                                {"compound", compound, "float32", 0},
                                {"committed", committed, "committed", 0},
                                {"reference", reference, "float32", 0},
                                {"big endian", big_endian, "float32", 0},
                                {"integers", integers, "float32", 0},
                                {"transposed", transposed, "shape", 0},
                                {"six dimensions", more_dimensions, "shape", 0},
                                {"no elements", null_space, "shape", 0},
                                {"soft link", soft_link, "link", 0},
                                {"external link", external_link, "link", 0},
                                {"link to itself", dangling_link, "link", 0},
                                {"group", group_instead, "not a dataset", 0},
                                {"linked group", linked_group, "link", 0},
                                {"nothing", nothing_there, "missing", 0}};

static void make_file(const hostile *h, const char *path) {
  hid_t creation = H5Pcreate(H5P_FILE_CREATE), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_userblock(creation, h->user_block);
  H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT);
  hid_t type = H5Tcopy(H5T_IEEE_F32LE), space = H5Screate_simple(2, shape, NULL);
  H5Gclose(H5Gcreate2(file, "/parameters", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  h->change(file, &type, &space, &properties);
  hid_t dataset = H5Dcreate2(file, "/parameters/x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT); /* fails where one is there */
  if (dataset >= 0)
    H5Dclose(dataset);
  if (h->change == nothing_there)
    H5Ldelete(file, "/parameters/x", H5P_DEFAULT);
  H5Tclose(type);
  H5Sclose(space);
  H5Pclose(properties);
  H5Pclose(creation);
  CU_ASSERT_TRUE_FATAL(H5Fclose(file) >= 0);
}

/* A manifest whose every checksum is right: the stranger can count too. */
static void make_manifest(const fixture *f) {
  char path[128];
  int folder, file;
  heed_manifest manifest = {0};
  heed_item x = {.path = "/parameters/x", .type = HEED_ITEM_FLOAT32, .rank = 2, .shape = {6, 4}};
  float zeros[24] = {0};
  char *text;
  size_t bytes;
  x.checksum = 0;
  CU_ASSERT_EQUAL_FATAL(heed_folder_open(AT_FDCWD, f->folder, f->folder, false, &folder), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_manifest_add_file(&manifest), HEED_OK);
  heed_manifest_file *state = &manifest.files[0];
  CU_ASSERT_EQUAL_FATAL(heed_file_open(folder, "zeros", false, &file, &state->bytes), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_file_hash(file, "zeros", 0, sizeof zeros, &x.checksum), HEED_OK);
  close(file);
  CU_ASSERT_EQUAL_FATAL(heed_file_open(folder, "state.h5", false, &file, &state->bytes), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_file_hash(file, "state.h5", 0, state->bytes, &state->checksum), HEED_OK);
  close(file);
  close(folder);
  CU_ASSERT_EQUAL_FATAL(heed_manifest_add(&manifest, &x), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_manifest_print(&manifest, &text, &bytes), HEED_OK);
  snprintf(path, sizeof path, "%s/MANIFEST", f->folder);
  file_write(path, text, bytes);
  free(text);
  heed_manifest_free(&manifest);
}

static void hostile_files_are_refused(void) {
  fixture f;
  fixture_open(&f);
  char path[128], zeros[96] = {0};
  snprintf(path, sizeof path, "%s/zeros", f.folder);
  file_write(path, zeros, sizeof zeros);
  snprintf(path, sizeof path, "%s/state.h5", f.folder);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    make_file(&cases[i], path);
    make_manifest(&f);
    heed_status status = heed_checkpoint_verify(f.folder);
    bool right = status == (cases[i].reason ? HEED_INVALID : HEED_OK);
    right = right && (!cases[i].reason || strstr(heed_error_text(), cases[i].reason));
    if (!right)
      fprintf(stderr, "%s: %d %s\n", cases[i].name, status, heed_error_text());
    CU_ASSERT_TRUE(right);
  }
  CU_ASSERT_EQUAL(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0); /* nothing is left open */
  fixture_close(&f);
}

/* Bytes that are no HDF5 at all, and HDF5 with any part overwritten: refused, or good, but never a crash. */
static void broken_structure_does_not_crash(void) {
  fixture f;
  fixture_open(&f);
  char path[128], zeros[96] = {0};
  size_t bytes;
  snprintf(path, sizeof path, "%s/zeros", f.folder);
  file_write(path, zeros, sizeof zeros);
  snprintf(path, sizeof path, "%s/state.h5", f.folder);
  file_write(path, "not HDF5", 8);
  make_manifest(&f);
  CU_ASSERT_EQUAL(heed_checkpoint_verify(f.folder), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not an HDF5 file"));
  make_file(&cases[0], path);
  char *data = file_read(path, &bytes);
  int refused = 0, tried = 0;
  for (size_t at = 8; at < bytes; at += 7, tried++) {
    char byte = data[at];
    data[at] = (char)~byte;
    file_write(path, data, bytes);
    make_manifest(&f);
    refused += heed_checkpoint_verify(f.folder) != HEED_OK;
    data[at] = byte;
  }
  CU_ASSERT_TRUE(refused > 0 && refused < tried);
  free(data);
  fixture_close(&f);
}

HEED_TESTS({"hostile files are refused", hostile_files_are_refused}, {"broken structure does not crash", broken_structure_does_not_crash})

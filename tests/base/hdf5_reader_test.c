/* Our reader against the library that writes: of whatever the library makes in the old layout, both tell the same. */
#include "base/hdf5_reader.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "data/folder.h"
#include "stranger.h"
#include "test.h"

static heed_hdf5 *open_beside(const char *name, int *file, int64_t *spent) {
  struct stat about;
  heed_hdf5 *hdf5 = NULL;
  *file = open(folder_path(name), O_RDONLY);
  CU_ASSERT_TRUE_FATAL(*file >= 0 && fstat(*file, &about) == 0);
  return heed_hdf5_open(&hdf5, *file, name, about.st_size, spent) == HEED_OK ? hdf5 : NULL;
}

static heed_hdf5 *open_file(const char *name, int *file) {
  return open_beside(name, file, NULL);
}

/* Group g, dataset d: names whose order is not that of the numbers, every tenth of them long. */
static void name_of(char path[400], int g, int d) {
  snprintf(path, 400, "/group.%d/layer.%d.%0*d.weight", g, d * 7919 % 6000, d % 10 ? 1 : 200, 0);
}

/* Trees of several levels, names of all lengths, all ranks. */
static void thousands_of_datasets_are_found(void) {
  enum { GROUPS = 3, SETS = 6000 };
  static const hsize_t shape[4] = {3, 2, 1, 5};
  char path[400];
  int file, wrong = 0;
  hid_t h5 = H5Fcreate(folder_path("many.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), plan = H5Pcreate(H5P_DATASET_CREATE),
        links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY);
  H5Pset_create_intermediate_group(links, 1);
  for (int g = 0; g < GROUPS; g++)
    for (int d = 0; d < SETS; d++) {
      name_of(path, g, d);
      hid_t space = d % 5 ? H5Screate_simple(d % 5, shape, NULL) : H5Screate(H5S_SCALAR);
      hid_t set = H5Dcreate2(h5, path, H5T_IEEE_F32LE, space, links, plan, H5P_DEFAULT);
      CU_ASSERT_TRUE_FATAL(set >= 0);
      H5Dclose(set), H5Sclose(space);
    }
  H5Fflush(h5, H5F_SCOPE_GLOBAL);
  heed_hdf5 *hdf5 = open_file("many.h5", &file);
  CU_ASSERT_PTR_NOT_NULL_FATAL(hdf5);
  for (int i = 0; i < GROUPS * SETS; i++) {
    int d = (int)(i * 1009LL % SETS), g = i % GROUPS;
    heed_hdf5_dataset set;
    name_of(path, g, d);
    hid_t known = H5Dopen2(h5, path, H5P_DEFAULT);
    bool equal = heed_hdf5_find(hdf5, path, &set) == HEED_OK && set.type == HEED_HDF5_FLOAT32 && set.rank == d % 5 &&
                 (haddr_t)set.offset == H5Dget_offset(known) && (hsize_t)set.bytes == H5Dget_storage_size(known);
    for (int axis = 0; equal && axis < set.rank; axis++)
      equal = set.shape[axis] == (int64_t)shape[axis];
    wrong += !equal;
    H5Dclose(known);
    strcat(path, "x");
    wrong += heed_hdf5_find(hdf5, path, &set) != HEED_INVALID || !strstr(heed_error_text(), "missing");
  }
  CU_ASSERT_EQUAL(wrong, 0);
  heed_hdf5_close(hdf5);
  close(file);
  H5Pclose(plan), H5Pclose(links), H5Fclose(h5);
}

/* Attributes in several parts of the header, and with names that HDF5 writes in its newer form. */
static void attributes_are_found(void) {
  int file;
  int64_t number;
  char text[8];
  hid_t h5 = H5Fcreate(folder_path("attributes.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), one = H5Screate(H5S_SCALAR),
        utf8 = H5Pcreate(H5P_ATTRIBUTE_CREATE), word = H5Tcopy(H5T_C_S1);
  H5Pset_char_encoding(utf8, H5T_CSET_UTF8);
  H5Tset_size(word, 11);
  for (int64_t i = 0; i < 100; i++) {
    char name[32];
    snprintf(name, sizeof name, "number.%lld", (long long)i);
    hid_t attribute = H5Acreate2(h5, name, H5T_STD_I64LE, one, i % 2 ? utf8 : H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT_TRUE_FATAL(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &i) >= 0);
    H5Aclose(attribute);
  }
  hid_t attribute = H5Acreate2(h5, "word", word, one, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, word, "0123456789");
  H5Aclose(attribute), H5Tclose(word), H5Sclose(one), H5Pclose(utf8), H5Fclose(h5);
  heed_hdf5 *hdf5 = open_file("attributes.h5", &file);
  CU_ASSERT_PTR_NOT_NULL_FATAL(hdf5);
  for (int64_t i = 0; i < 100; i++) {
    char name[32];
    snprintf(name, sizeof name, "number.%lld", (long long)i);
    CU_ASSERT_EQUAL(heed_hdf5_attribute(hdf5, name, HEED_HDF5_INT64, &number, sizeof number), HEED_OK);
    CU_ASSERT_EQUAL(number, i);
  }
  CU_ASSERT_EQUAL(heed_hdf5_attribute(hdf5, "number.7", HEED_HDF5_UINT64, &number, sizeof number), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_hdf5_attribute(hdf5, "number.100", HEED_HDF5_INT64, &number, sizeof number), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_hdf5_attribute(hdf5, "word", HEED_HDF5_TEXT, text, sizeof text), HEED_INVALID); /* it does not fit */
  heed_hdf5_close(hdf5);
  close(file);
}

/* Newer layouts, groups in circles, and whatever is reached through them. */
static void what_heed_does_not_write_is_refused(void) {
  int file;
  heed_hdf5_dataset set;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Fclose(H5Fcreate(folder_path("new.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, access));
  H5Pclose(access);
  CU_ASSERT_PTR_NULL(open_file("new.h5", &file));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "another layout"));
  close(file);
  hid_t h5 = H5Fcreate(folder_path("circle.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(h5, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Lcreate_hard(h5, "/", h5, "/a/up", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(h5);
  heed_hdf5 *hdf5 = open_file("circle.h5", &file);
  CU_ASSERT_PTR_NOT_NULL_FATAL(hdf5);
  CU_ASSERT_EQUAL(heed_hdf5_find(hdf5, "/a/up/a/up/a/up/x", &set), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "missing"));
  CU_ASSERT_EQUAL(heed_hdf5_find(hdf5, "/a/up", &set), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not a dataset"));
  CU_ASSERT_EQUAL(heed_hdf5_find(hdf5, "a", &set), HEED_INVALID);
  heed_hdf5_close(hdf5);
  close(file);
}

/* Asks until it is refused to go on, and then of a second file: a manifest may name as many items and files as it likes. */
static int ask_again_and_again(const void *name) {
  int file;
  int64_t spent = 0;
  heed_hdf5_dataset set;
  heed_hdf5 *hdf5 = open_beside(name, &file, &spent);
  for (int i = 0; i < 1000000 && hdf5; i++)
    if (heed_hdf5_find(hdf5, "/x", &set) != HEED_INVALID)
      return 1;
    else if (strstr(heed_error_text(), "too intricate"))
      return open_beside("attributes.h5", &file, &spent) ? 3 : 0;
  return 2;
}

/* A root group of 65,535 empty messages, none of which tells where its links are: each question costs half a megabyte of reading. */
static void effort_is_bounded(void) {
  enum { SUPERBLOCK = 96, HEADER = 16, MESSAGES = 65535 };
  static unsigned char text[SUPERBLOCK + HEADER + 8 * MESSAGES] = "\211HDF\r\n\032\n";
  const uint32_t header_bytes = 8 * MESSAGES;
  const uint64_t root = SUPERBLOCK, bytes = sizeof text;
  text[13] = text[14] = 8; /* sizes of offsets and lengths */
  memcpy(text + 40, &bytes, 8);
  memset(text + 48, 255, 8); /* no driver */
  memcpy(text + 64, &root, 8);
  text[SUPERBLOCK] = 1; /* version of the header */
  memset(text + SUPERBLOCK + 2, 255, 2);
  memcpy(text + SUPERBLOCK + 8, &header_bytes, 4);
  folder_write("long.h5", text, sizeof text);
  CU_ASSERT_EQUAL(limits_run(ask_again_and_again, "long.h5"), 0);
}

static void begin(void) {
  folder_make();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

HEED_TESTS({"begin", begin}, {"thousands of datasets are found", thousands_of_datasets_are_found},
           {"attributes are found", attributes_are_found}, {"what Heed does not write is refused", what_heed_does_not_write_is_refused},
           {"effort is bounded", effort_is_bounded}, {"end", folder_remove})

#include "checkpoint/image.h"

#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

enum { PAGE = 4096 };

typedef struct page {
  haddr_t number;
  char bytes[PAGE];
} page;

/* What HDF5 sees as the open file; `base` must come first. */
typedef struct image_file {
  H5FD_t base;
  heed_image *image;
  haddr_t allocated, written;
} image_file;

static int compare(const void *a, const void *b) {
  haddr_t x = ((const page *)a)->number, y = ((const page *)b)->number;
  return x < y ? -1 : x > y;
}

static page *find_page(const heed_image *image, haddr_t number) {
  page *const *found = tfind(&number, &image->pages, compare);
  return found ? *found : NULL;
}

static page *make_page(heed_image *image, haddr_t number) {
  page **made, *fresh = calloc(1, sizeof *fresh);
  if (!fresh)
    return NULL;
  fresh->number = number;
  if (!(made = tsearch(fresh, &image->pages, compare)))
    free(fresh);
  return made ? *made : NULL;
}

static H5FD_t *image_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
  (void)name, (void)flags, (void)most;
  heed_image *const *image = H5Pget_driver_info(access);
  image_file *file = image ? calloc(1, sizeof *file) : NULL;
  if (!file)
    return NULL;
  file->image = *image;
  return &file->base;
}

static herr_t image_close(H5FD_t *base) {
  image_file *file = (image_file *)base;
  file->image->bytes = (int64_t)file->allocated;
  free(file);
  return 0;
}

static herr_t image_query(const H5FD_t *base, unsigned long *flags) {
  (void)base;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA; /* small tensors too get their places in order */
  return 0;
}

static haddr_t image_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
  (void)type;
  return ((const image_file *)base)->allocated;
}

static herr_t image_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t end) {
  (void)type;
  ((image_file *)base)->allocated = end;
  return 0;
}

static haddr_t image_get_eof(const H5FD_t *base, H5FD_mem_t type) {
  (void)type;
  return ((const image_file *)base)->written;
}

static herr_t image_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t bytes, void *data) {
  (void)type, (void)transfer;
  for (char *to = data; bytes > 0;) {
    size_t inside = at % PAGE, part = bytes < PAGE - inside ? bytes : PAGE - inside;
    const page *from = find_page(((image_file *)base)->image, at / PAGE);
    if (from)
      memcpy(to, from->bytes + inside, part);
    else
      memset(to, 0, part);
    to += part;
    at += part;
    bytes -= part;
  }
  return 0;
}

/* A page that memory is short for is left out, and the image is worth nothing: which HDF5 must not learn. */
static herr_t image_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t bytes, const void *data) {
  (void)type, (void)transfer;
  image_file *file = (image_file *)base;
  for (const char *from = data; bytes > 0;) {
    size_t inside = at % PAGE, part = bytes < PAGE - inside ? bytes : PAGE - inside;
    page *to = find_page(file->image, at / PAGE);
    if (!to)
      to = make_page(file->image, at / PAGE);
    if (to)
      memcpy(to->bytes + inside, from, part);
    else
      file->image->status = heed_error(HEED_FAILED, "out of memory for the headers of a state");
    from += part;
    at += part;
    bytes -= part;
  }
  if (at > file->written)
    file->written = at;
  return 0;
}

static herr_t image_truncate(H5FD_t *base, hid_t transfer, hbool_t closing) {
  (void)transfer, (void)closing;
  image_file *file = (image_file *)base;
  file->written = file->allocated;
  return 0;
}

static const H5FD_class_t image_driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)640, /* of the range for drivers that are not registered */
#endif
    .name = "heed_image",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(heed_image *),
    .open = image_open,
    .close = image_close,
    .query = image_query,
    .get_eoa = image_get_eoa,
    .set_eoa = image_set_eoa,
    .get_eof = image_get_eof,
    .read = image_read,
    .write = image_write,
    .truncate = image_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t heed_image_access(heed_image *image) {
  static hid_t driver = H5I_INVALID_HID;
  if (driver < 0 && (driver = H5FDregister(&image_driver)) < 0)
    return driver;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0 || H5Pset_driver(access, driver, &image) >= 0)
    return access;
  H5Pclose(access);
  return H5I_INVALID_HID;
}

void heed_image_read(const heed_image *image, int64_t offset, size_t bytes, char *to) {
  haddr_t number = (haddr_t)offset / PAGE;
  for (size_t at = 0, part; at < bytes; at += part, number++) {
    const page *from = find_page(image, number);
    part = bytes - at < PAGE ? bytes - at : PAGE;
    if (from)
      memcpy(to + at, from->bytes, part);
    else
      memset(to + at, 0, part);
  }
}

void heed_image_free(heed_image *image) {
  tdestroy(image->pages, free);
  *image = (heed_image){0};
}

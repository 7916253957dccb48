/* The file's bytes, its superblock, and the way from the root along links. */
#include "base/hdf5_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5_parts.h"

/* Effort: an access costs 1, and 32 more when it reads a page.  As many tensors as a manifest may name (196,610) cost 33 millions; the
 * limit, for all files that belong together, is about a second. */
enum { EFFORT = 50000000, PAGE_EFFORT = 32, SUPERBLOCK = 96, LONGEST_NAME = 512, DEEPEST_TREE = 16 };

static heed_status load_page(heed_hdf5 *h, uint64_t number, unsigned char **page) {
  uint64_t slot = number % HEED_HDF5_PAGES, first = number * HEED_HDF5_PAGE, left = h->bytes - first;
  *page = h->pages[slot];
  if (h->page_numbers[slot] == number + 1)
    return HEED_OK;
  h->page_numbers[slot] = 0;
  *h->spent += PAGE_EFFORT;
  HEED_TRY(heed_file_read(h->file, h->name, *page, left < HEED_HDF5_PAGE ? left : HEED_HDF5_PAGE, (int64_t)first));
  h->page_numbers[slot] = number + 1;
  return HEED_OK;
}

heed_status heed_hdf5_get(heed_hdf5 *h, uint64_t at, void *to, size_t bytes) {
  if (bytes > h->bytes || at > h->bytes - bytes)
    return heed_error(HEED_INVALID, "its structure leads beyond the end of the file");
  if (++*h->spent > EFFORT)
    return heed_error(HEED_INVALID, "its structure is too intricate; Heed writes a plain one");
  for (unsigned char *next = to; bytes > 0;) {
    unsigned char *page;
    size_t inside = at % HEED_HDF5_PAGE, part = bytes < HEED_HDF5_PAGE - inside ? bytes : HEED_HDF5_PAGE - inside;
    HEED_TRY(load_page(h, at / HEED_HDF5_PAGE, &page));
    memcpy(next, page + inside, part);
    next += part;
    at += part;
    bytes -= part;
  }
  return HEED_OK;
}

static heed_status read_superblock(heed_hdf5 *h) {
  static const unsigned char signature[8] = "\211HDF\r\n\032\n";
  unsigned char block[SUPERBLOCK];
  if (h->bytes < SUPERBLOCK)
    return heed_error(HEED_INVALID, "not an HDF5 file, since it has only %lld bytes", (long long)h->bytes);
  HEED_TRY(heed_hdf5_get(h, 0, block, sizeof block));
  if (memcmp(block, signature, sizeof signature) != 0)
    return heed_error(HEED_INVALID, "not an HDF5 file, or one with a user block, which Heed does not accept");
  if (block[8] != 0 || block[9] != 0 || block[10] != 0 || block[12] != 0 || block[13] != 8 || block[14] != 8)
    return heed_error(HEED_INVALID, "an HDF5 file of another layout than Heed writes (h5py: libver='earliest')");
  if (heed_hdf5_number(block + 24, 8) != 0 || heed_hdf5_number(block + 48, 8) != HEED_HDF5_NOWHERE)
    return heed_error(HEED_INVALID, "an HDF5 file with a user block or a driver of its own, which Heed does not accept");
  if (heed_hdf5_number(block + 40, 8) > h->bytes)
    return heed_error(HEED_INVALID, "an HDF5 file that was cut short or not written whole");
  h->root = h->group = heed_hdf5_number(block + 64, 8);
  return HEED_OK;
}

heed_status heed_hdf5_open(heed_hdf5 **hdf5, int file, const char *name, int64_t bytes, int64_t *spent) {
  heed_hdf5 *h = *hdf5 = calloc(1, sizeof *h);
  if (!h)
    return heed_error(HEED_FAILED, "out of memory for reading %s", name);
  h->file = file;
  h->name = name;
  h->bytes = (uint64_t)bytes;
  h->spent = spent ? spent : &h->alone;
  heed_status status = read_superblock(h);
  if (status != HEED_OK) {
    heed_hdf5_close(h);
    *hdf5 = NULL;
  }
  return status;
}

void heed_hdf5_close(heed_hdf5 *hdf5) {
  free(hdf5);
}

/* A group's names: its local heap. */
typedef struct names {
  uint64_t first, bytes;
} names;

static heed_status open_names(heed_hdf5 *h, uint64_t at, names *heap) {
  unsigned char header[32];
  HEED_TRY(heed_hdf5_get(h, at, header, sizeof header));
  if (memcmp(header, "HEAP", 5) != 0)
    return heed_error(HEED_INVALID, "its structure is damaged: no names where they should be");
  *heap = (names){.first = heed_hdf5_number(header + 24, 8), .bytes = heed_hdf5_number(header + 8, 8)};
  return HEED_OK;
}

/* Compares `name` with the one at `offset` of the heap, as strcmp does. */
static heed_status compare_name(heed_hdf5 *h, const names *heap, uint64_t offset, const char *name, int *order) {
  char there[LONGEST_NAME + 1];
  size_t bytes = strlen(name) + 1;
  if (offset >= heap->bytes || heap->first > h->bytes || offset >= h->bytes - heap->first)
    return heed_error(HEED_INVALID, "its structure is damaged: a name lies nowhere");
  uint64_t left = heap->bytes - offset, in_file = h->bytes - heap->first - offset;
  left = left < in_file ? left : in_file;
  bytes = left < bytes ? left : bytes;
  HEED_TRY(heed_hdf5_get(h, heap->first + offset, there, bytes));
  there[bytes] = 0;
  *order = strcmp(name, there);
  return HEED_OK;
}

/* Goes down the tree to the leaf in which a name would be: entry i holds names above key i, up to key i + 1. */
static heed_status find_leaf(heed_hdf5 *h, const names *heap, uint64_t node, const char *name, uint64_t *leaf) {
  for (int level = -1; level != 0;) {
    unsigned char header[24], key[8], child[8];
    int order;
    HEED_TRY(heed_hdf5_get(h, node, header, sizeof header));
    int here = header[5];
    if (memcmp(header, "TREE", 5) != 0 || here > DEEPEST_TREE || (level >= 0 && here != level - 1))
      return heed_error(HEED_INVALID, "its structure is damaged: no list of links where one should be");
    uint64_t low = 0, high = heed_hdf5_number(header + 6, 2), none = high;
    while (low < high) { /* the first entry whose upper key is not below the name */
      uint64_t middle = (low + high) / 2;
      HEED_TRY(heed_hdf5_get(h, node + sizeof header + 16 * (middle + 1), key, sizeof key));
      HEED_TRY(compare_name(h, heap, heed_hdf5_number(key, 8), name, &order));
      low = order > 0 ? middle + 1 : low;
      high = order > 0 ? high : middle;
    }
    if (low == none) {
      *leaf = HEED_HDF5_NOWHERE;
      return HEED_OK;
    }
    HEED_TRY(heed_hdf5_get(h, node + sizeof header + 16 * low + sizeof key, child, sizeof child));
    node = heed_hdf5_number(child, 8);
    level = here;
  }
  *leaf = node;
  return HEED_OK;
}

/* Finds a name in a leaf.  \param[out] entry  the link's, when it is found */
static heed_status find_in_leaf(heed_hdf5 *h, const names *heap, uint64_t leaf, const char *name, unsigned char entry[40], bool *found) {
  unsigned char header[8];
  *found = false;
  HEED_TRY(heed_hdf5_get(h, leaf, header, sizeof header));
  if (memcmp(header, "SNOD\1", 5) != 0)
    return heed_error(HEED_INVALID, "its structure is damaged: no links where they should be");
  uint64_t low = 0, high = heed_hdf5_number(header + 6, 2);
  while (low < high && !*found) {
    uint64_t middle = (low + high) / 2;
    int order;
    HEED_TRY(heed_hdf5_get(h, leaf + sizeof header + 40 * middle, entry, 40));
    HEED_TRY(compare_name(h, heap, heed_hdf5_number(entry, 8), name, &order));
    *found = order == 0;
    low = order > 0 ? middle + 1 : low;
    high = order > 0 ? high : middle;
  }
  return HEED_OK;
}

/* The object that a hard link of a group leads to.  \param[in] what  the path with this name at its end, for messages */
static heed_status follow(heed_hdf5 *h, uint64_t group, const char *what, const char *name, uint64_t *object) {
  enum { SOFT_LINK = 2 };
  heed_hdf5_links links;
  names heap = {0};
  unsigned char entry[40];
  uint64_t leaf;
  bool found = false;
  HEED_TRY(heed_hdf5_read_group(h, group, what, &links));
  HEED_TRY(open_names(h, links.heap, &heap));
  HEED_TRY(find_leaf(h, &heap, links.tree, name, &leaf));
  if (leaf != HEED_HDF5_NOWHERE)
    HEED_TRY(find_in_leaf(h, &heap, leaf, name, entry, &found));
  if (!found)
    return heed_error(HEED_INVALID, "%s is missing in the file", what);
  if (heed_hdf5_number(entry + 16, 4) == SOFT_LINK)
    return heed_error(HEED_INVALID, "%s is a soft link, which Heed does not follow", what);
  *object = heed_hdf5_number(entry + 8, 8);
  return HEED_OK;
}

/* Goes to the group of `path`, its part before the last slash. */
static heed_status enter(heed_hdf5 *h, const char *path) {
  size_t length = (size_t)(strrchr(path, '/') - path);
  if (strlen(h->group_path) == length && memcmp(h->group_path, path, length) == 0)
    return HEED_OK;
  h->group = h->root;
  h->group_path[0] = 0;
  for (size_t end = 0; end < length;) {
    char name[HEED_HDF5_MAX_GROUP], what[HEED_HDF5_MAX_GROUP];
    uint64_t object;
    size_t start = end + 1;
    end = start + strcspn(path + start, "/");
    memcpy(what, path, end);
    what[end] = 0;
    strcpy(name, what + start);
    HEED_TRY(follow(h, h->group, what, name, &object));
    h->group = object;
    strcpy(h->group_path, what);
  }
  return HEED_OK;
}

heed_status heed_hdf5_find(heed_hdf5 *hdf5, const char *path, heed_hdf5_dataset *dataset) {
  uint64_t object;
  if (path[0] != '/' || strlen(path) >= HEED_HDF5_MAX_GROUP)
    return heed_error(HEED_INVALID, "%.100s is no path of a dataset", path);
  HEED_TRY(enter(hdf5, path));
  HEED_TRY(follow(hdf5, hdf5->group, path, strrchr(path, '/') + 1, &object));
  return heed_hdf5_read_dataset(hdf5, object, path, dataset);
}

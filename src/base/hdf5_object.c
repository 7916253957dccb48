/* Object headers and the messages in them. */
#include <string.h>

#include "base/hdf5_parts.h"

enum { DATASPACE = 1, LINK_INFO = 2, DATATYPE = 3, LINK = 6, EXTERNAL_FILES = 7, LAYOUT = 8, FILTERS = 11, ATTRIBUTE = 12 };
enum { CONTINUATION = 16, SYMBOL_TABLE = 17, SHARED = 2 /* a flag */ };
enum { MOST_BLOCKS = 64, MOST_BODY = 128 /* bytes; of a dataspace of rank 4: 72 */, MOST_NAME = 64 };

typedef struct message {
  unsigned type, flags, bytes;
  uint64_t at; /* its body */
} message;

/* A walk through the messages of a header, which lie in one block or several. */
typedef struct walk {
  heed_hdf5 *hdf5;
  uint64_t at, end; /* the current block */
  struct {
    uint64_t at, bytes;
  } blocks[MOST_BLOCKS]; /* to come */
  int block_count, next_block;
  unsigned left; /* messages */
} walk;

static heed_status begin(walk *w, heed_hdf5 *h, uint64_t at) {
  unsigned char header[16];
  *w = (walk){.hdf5 = h};
  HEED_TRY(heed_hdf5_get(h, at, header, sizeof header));
  if (memcmp(header, "OHDR", 4) == 0)
    return heed_error(HEED_INVALID, "it has objects of a newer layout than Heed writes (h5py: libver='earliest')");
  if (header[0] != 1)
    return heed_error(HEED_INVALID, "its structure is damaged: no object where one should be");
  w->left = (unsigned)heed_hdf5_number(header + 2, 2);
  w->at = at + sizeof header;
  w->end = w->at + heed_hdf5_number(header + 8, 4);
  return HEED_OK;
}

static heed_status note_block(walk *w, const message *m) {
  unsigned char body[16];
  if (m->bytes < sizeof body || w->block_count == MOST_BLOCKS)
    return heed_error(HEED_INVALID, "its structure is damaged: an object in too many parts");
  HEED_TRY(heed_hdf5_get(w->hdf5, m->at, body, sizeof body));
  w->blocks[w->block_count].at = heed_hdf5_number(body, 8);
  w->blocks[w->block_count++].bytes = heed_hdf5_number(body + 8, 8);
  return HEED_OK;
}

/* The next message.  \param[out] found  false at the end */
static heed_status next(walk *w, message *m, bool *found) {
  for (*found = false; w->left > 0 && !*found;) {
    unsigned char header[8];
    if (w->end - w->at < sizeof header || w->at > w->end) {
      if (w->next_block == w->block_count)
        return HEED_OK;
      w->at = w->blocks[w->next_block].at;
      uint64_t bytes = w->blocks[w->next_block++].bytes;
      if (bytes > w->hdf5->bytes || w->at > w->hdf5->bytes - bytes)
        return heed_error(HEED_INVALID, "its structure leads beyond the end of the file");
      w->end = w->at + bytes;
      continue;
    }
    HEED_TRY(heed_hdf5_get(w->hdf5, w->at, header, sizeof header));
    *m = (message){.type = (unsigned)heed_hdf5_number(header, 2),
                   .bytes = (unsigned)heed_hdf5_number(header + 2, 2),
                   .flags = header[4],
                   .at = w->at + sizeof header};
    if (m->bytes > w->end - m->at)
      return heed_error(HEED_INVALID, "its structure is damaged: a part of an object reaches beyond it");
    w->at = m->at + m->bytes;
    w->left--;
    if (m->type == CONTINUATION)
      HEED_TRY(note_block(w, m));
    else
      *found = true;
  }
  return HEED_OK;
}

heed_status heed_hdf5_read_group(heed_hdf5 *h, uint64_t at, const char *what, heed_hdf5_links *links) {
  walk w;
  message m;
  bool found;
  unsigned char body[16];
  HEED_TRY(begin(&w, h, at));
  for (;;) {
    HEED_TRY(next(&w, &m, &found));
    if (!found)
      return heed_error(HEED_INVALID, "%s is not in a group", what);
    if (m.type == LINK_INFO || m.type == LINK)
      return heed_error(HEED_INVALID, "%s is in a group of external links or of a newer layout, which Heed does not follow", what);
    if (m.type == SYMBOL_TABLE && m.bytes >= sizeof body)
      break;
  }
  HEED_TRY(heed_hdf5_get(h, m.at, body, sizeof body));
  *links = (heed_hdf5_links){.tree = heed_hdf5_number(body, 8), .heap = heed_hdf5_number(body + 8, 8)};
  return HEED_OK;
}

/* The beginning of a message's body, zeros behind it. */
static heed_status get_body(heed_hdf5 *h, const message *m, unsigned char body[MOST_BODY]) {
  memset(body, 0, MOST_BODY);
  return heed_hdf5_get(h, m->at, body, m->bytes < MOST_BODY ? m->bytes : MOST_BODY);
}

/* The first byte also holds the version of the encoding, in which these types do not differ. */
static heed_hdf5_type type_of(const unsigned char *body, uint32_t *width) {
  enum { CLASS = 15, STRING = 3 };
  static const struct {
    heed_hdf5_type type;
    unsigned char bytes[20];
    size_t length;
  } known[] = {{HEED_HDF5_UINT16, {0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 16}, 12},
               {HEED_HDF5_UINT32, {0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 32}, 12},
               {HEED_HDF5_INT64, {0, 8, 0, 0, 8, 0, 0, 0, 0, 0, 64}, 12},
               {HEED_HDF5_UINT64, {0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 64}, 12},
               {HEED_HDF5_FLOAT32, {1, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127}, 20}};
  *width = (uint32_t)heed_hdf5_number(body + 4, 4);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if ((body[0] & CLASS) == known[i].bytes[0] && memcmp(body + 1, known[i].bytes + 1, known[i].length - 1) == 0)
      return known[i].type;
  return (body[0] & CLASS) == STRING ? HEED_HDF5_TEXT : HEED_HDF5_OTHER;
}

/* Reads a dataspace into rank, shape and count.  What is wrong with it, NULL for nothing. */
static const char *space_fault(const unsigned char body[MOST_BODY], heed_hdf5_dataset *dataset) {
  enum { SIMPLE_OF_2 = 1 };
  int version = body[0], first = version == 1 ? 8 : 4;
  bool sized = version == 1 || (version == 2 && body[3] <= SIMPLE_OF_2);
  if (!sized || body[1] > HEED_HDF5_MAX_RANK)
    return "has a shape of no elements or of more than 4 dimensions";
  dataset->rank = body[1];
  dataset->count = 1;
  for (int axis = 0; axis < dataset->rank; axis++) {
    uint64_t size = heed_hdf5_number(body + first + 8 * axis, 8);
    if (size == 0 || size > INT64_MAX / 8 || __builtin_mul_overflow(dataset->count, (int64_t)size, &dataset->count))
      return "has an impossible shape";
    dataset->shape[axis] = (int64_t)size;
  }
  return NULL;
}

static const char *storage_fault(const unsigned char body[MOST_BODY], heed_hdf5_dataset *dataset, uint64_t file_bytes) {
  enum { CONTIGUOUS = 1, VIRTUAL = 3 };
  uint64_t offset = heed_hdf5_number(body + 2, 8), stored = heed_hdf5_number(body + 10, 8);
  if ((body[0] != 3 && body[0] != 4) || body[1] != CONTIGUOUS)
    return body[0] == 4 && body[1] == VIRTUAL ? "is a virtual dataset, which Heed does not read"
                                              : "is not stored contiguously, as Heed's datasets are";
  if (offset == HEED_HDF5_NOWHERE || offset == 0)
    return "has no storage in the file";
  if (__builtin_mul_overflow(dataset->count, (int64_t)dataset->width, &dataset->bytes) || (uint64_t)dataset->bytes != stored)
    return "has no storage of the size of its shape";
  if (stored > file_bytes || offset > file_bytes - stored)
    return "reaches beyond the end of the file";
  dataset->offset = (int64_t)offset;
  return NULL;
}

/* What of a dataset its header has told. */
typedef struct parts {
  message space, type, layout; /* type 0: not there */
  bool external, filtered;
} parts;

static heed_status collect(heed_hdf5 *h, uint64_t at, parts *p) {
  walk w;
  message m;
  bool found;
  *p = (parts){0};
  HEED_TRY(begin(&w, h, at));
  for (;;) {
    HEED_TRY(next(&w, &m, &found));
    if (!found)
      return HEED_OK;
    message *place = m.type == DATASPACE ? &p->space : m.type == DATATYPE ? &p->type : m.type == LAYOUT ? &p->layout : NULL;
    if (place && place->type)
      return heed_error(HEED_INVALID, "its structure is damaged: an object is described twice");
    if (place)
      *place = m;
    p->external = p->external || m.type == EXTERNAL_FILES;
    p->filtered = p->filtered || m.type == FILTERS;
  }
}

heed_status heed_hdf5_read_dataset(heed_hdf5 *h, uint64_t at, const char *what, heed_hdf5_dataset *dataset) {
  unsigned char body[MOST_BODY];
  parts p;
  *dataset = (heed_hdf5_dataset){0};
  HEED_TRY(collect(h, at, &p));
  const char *fault = !p.space.type || !p.type.type || !p.layout.type ? "is not a dataset"
                      : p.external                                    ? "lies in another file (external storage), which Heed does not read"
                      : p.filtered                                    ? "is stored through filters, which Heed does not read"
                      : p.type.flags & SHARED                         ? "is of a committed type, which Heed does not read"
                      : (p.space.flags | p.layout.flags) & SHARED     ? "shares its description, which Heed does not read"
                                                                      : NULL;
  if (!fault) {
    HEED_TRY(get_body(h, &p.type, body));
    dataset->type = type_of(body, &dataset->width);
    HEED_TRY(get_body(h, &p.space, body));
    fault = space_fault(body, dataset);
  }
  if (!fault) {
    HEED_TRY(get_body(h, &p.layout, body));
    fault = storage_fault(body, dataset, h->bytes);
  }
  return fault ? heed_error(HEED_INVALID, "%s %s", what, fault) : HEED_OK;
}

/* An attribute's message: where its parts lie. */
typedef struct attribute {
  char name[MOST_NAME];
  uint64_t type, space, value; /* in the file */
  unsigned type_bytes, space_bytes, value_bytes;
} attribute;

/* Takes an attribute's message apart.  \param[out] known  whether it is in a form that Heed reads */
static heed_status take_apart(heed_hdf5 *h, const message *m, attribute *a, bool *known) {
  unsigned char header[8];
  unsigned version, sizes[3], places[3], at = sizeof header;
  *known = false;
  if (m->bytes < sizeof header || (m->flags & SHARED))
    return HEED_OK;
  HEED_TRY(heed_hdf5_get(h, m->at, header, sizeof header));
  version = header[0];
  if (version < 1 || version > 3 || (version > 1 && header[1] != 0)) /* a shared type or space */
    return HEED_OK;
  at += version == 3; /* the name's character set */
  for (int i = 0; i < 3; i++) {
    sizes[i] = (unsigned)heed_hdf5_number(header + 2 + 2 * i, 2);
    places[i] = at;
    at += version == 1 ? (sizes[i] + 7) / 8 * 8 : sizes[i];
  }
  if (at > m->bytes)
    return HEED_OK;
  memset(a->name, 0, MOST_NAME); /* a longer one is none that Heed asks for */
  HEED_TRY(heed_hdf5_get(h, m->at + places[0], a->name, sizes[0] < MOST_NAME ? sizes[0] : MOST_NAME - 1));
  a->type = m->at + places[1], a->type_bytes = sizes[1];
  a->space = m->at + places[2], a->space_bytes = sizes[2];
  a->value = m->at + at, a->value_bytes = m->bytes - at;
  *known = true;
  return HEED_OK;
}

/* Reads the value of an attribute that has been found. */
static heed_status read_value(heed_hdf5 *h, const attribute *a, heed_hdf5_type type, void *value, size_t bytes) {
  unsigned char body[MOST_BODY];
  heed_hdf5_dataset one = {0};
  HEED_TRY(get_body(h, &(message){.at = a->type, .bytes = a->type_bytes}, body));
  one.type = type_of(body, &one.width);
  HEED_TRY(get_body(h, &(message){.at = a->space, .bytes = a->space_bytes}, body));
  bool text = type == HEED_HDF5_TEXT;
  if (one.type != type || space_fault(body, &one) || one.rank != 0 || one.width > a->value_bytes || one.width > bytes)
    return heed_error(HEED_INVALID, "its attribute %s is not %s", a->name, text ? "a short text" : "one number of the right type");
  memset(value, 0, bytes);
  HEED_TRY(heed_hdf5_get(h, a->value, value, one.width));
  if (text)
    ((char *)value)[bytes - 1] = 0;
  return HEED_OK;
}

heed_status heed_hdf5_attribute(heed_hdf5 *h, const char *name, heed_hdf5_type type, void *value, size_t bytes) {
  walk w;
  message m;
  attribute a;
  bool found, known = false;
  HEED_TRY(begin(&w, h, h->root));
  do {
    HEED_TRY(next(&w, &m, &found));
    if (!found)
      return heed_error(HEED_INVALID, "it has no attribute %s", name);
    if (m.type == ATTRIBUTE)
      HEED_TRY(take_apart(h, &m, &a, &known));
  } while (m.type != ATTRIBUTE || !known || strcmp(a.name, name) != 0);
  return read_value(h, &a, type, value, bytes);
}

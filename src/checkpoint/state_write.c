/* A file of the state is put together window by window: the structure that HDF5 made, tensors and texts laid over it.  Each window is
 * written once, past the page cache where the file system can: a copy into the cache costs the processors of a training job many times
 * what the disk's own work does, and what is read back past it comes from the disk. */
#include "checkpoint/state_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/pulse.h"
#include "checkpoint/direct.h"
#include "checkpoint/file.h"

enum { WINDOW = HEED_DIRECT_BLOCK };

/* Takes the disk space of the whole file now, so that a full disk is known before tensors are streamed.  File systems that cannot
 * (NFS, some parallel ones) find out later. */
static heed_status reserve(const heed_state_writer *w) {
  int failed;
  do
    failed = fallocate(w->file, 0, 0, w->bytes);
  while (failed && errno == EINTR);
  if (failed && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO))
    return heed_error(HEED_IO, "%s: no place for its %.1f MiB: %s", w->name, (double)w->bytes / 1048576.0, strerror(errno));
  do
    failed = failed ? ftruncate(w->file, w->bytes) : 0;
  while (failed && errno == EINTR);
  return failed ? heed_error(HEED_IO, "%s could not be written: %s", w->name, strerror(errno)) : HEED_OK;
}

heed_status heed_state_create(heed_state_writer *w, int folder, heed_manifest *manifest, int index) {
  *w = (heed_state_writer){.file = -1};
  heed_state_name(w->name, index);
  HEED_TRY(heed_file_create(folder, w->name, &w->file));
  HEED_TRY(heed_state_lay_out(&w->image, manifest, index));
  w->bytes = w->image.bytes;
  return reserve(w);
}

static size_t window_bytes(const heed_state_writer *w) {
  int64_t left = w->bytes - w->start;
  return left < WINDOW ? (size_t)left : WINDOW;
}

static heed_status open_window(heed_state_writer *w) {
  if (w->window)
    return HEED_OK;
  if (!(w->window = aligned_alloc(HEED_DIRECT_PAGE, WINDOW)))
    return heed_error(HEED_FAILED, "out of memory for writing %s", w->name);
  heed_image_read(&w->image, w->start, window_bytes(w), w->window);
  return heed_hasher_begin(&w->hasher);
}

/* Writes the window, which moves on. */
static heed_status flush(heed_state_writer *w) {
  const size_t bytes = window_bytes(w);
  heed_pulse_beat();
  heed_hasher_add(w->hasher, w->window, bytes);
  HEED_TRY(heed_direct_write(w->file, w->name, w->window, bytes, w->start));
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_WINDOW));
  w->start += (int64_t)bytes;
  heed_image_read(&w->image, w->start, window_bytes(w), w->window);
  return HEED_OK;
}

heed_status heed_state_put(heed_state_writer *w, const void *data, size_t bytes, int64_t offset) {
  HEED_TRY(open_window(w));
  if (offset < w->start || offset + (int64_t)bytes > w->bytes)
    return heed_error(HEED_FAILED, "%s is not written in order", w->name);
  for (const char *from = data; bytes > 0;) {
    while (offset >= w->start + WINDOW)
      HEED_TRY(flush(w));
    const size_t inside = (size_t)(offset - w->start), part = bytes < WINDOW - inside ? bytes : WINDOW - inside;
    memcpy(w->window + inside, from, part);
    from += part;
    offset += (int64_t)part;
    bytes -= part;
  }
  return HEED_OK;
}

heed_status heed_state_complete(heed_state_writer *w, uint64_t *checksum) {
  HEED_TRY(open_window(w));
  while (w->start < w->bytes)
    HEED_TRY(flush(w));
  *checksum = heed_hasher_end(w->hasher);
  w->hasher = NULL;
  free(w->window);
  w->window = NULL;
  heed_image_free(&w->image);
  return HEED_OK;
}

/* What is read back, and the items that it is compared with, which follow each other. */
typedef struct comparison {
  const heed_item *item, *end; /* the one being read; behind the last of the file */
  heed_hasher *whole, *of_item;
} comparison;

static heed_status compare_block(void *taker, const char *block, size_t bytes, int64_t offset) {
  comparison *c = taker;
  heed_hasher_add(c->whole, block, bytes);
  for (const int64_t stop = offset + (int64_t)bytes; c->item < c->end && c->item->offset < stop; c->item++) {
    const int64_t first = c->item->offset > offset ? c->item->offset : offset, last = c->item->offset + c->item->bytes;
    if (!c->of_item)
      HEED_TRY(heed_hasher_begin(&c->of_item));
    heed_hasher_add(c->of_item, block + (first - offset), (size_t)((last < stop ? last : stop) - first));
    if (last > stop)
      break;
    const uint64_t hash = heed_hasher_end(c->of_item);
    c->of_item = NULL;
    if (hash != c->item->checksum)
      return heed_state_damaged(c->item);
  }
  return HEED_OK;
}

heed_status heed_state_read_back(const heed_state_writer *w, const heed_manifest *manifest, int index) {
  const heed_manifest_file *file = &manifest->files[index];
  comparison c = {.item = manifest->items + file->first, .end = manifest->items + file->end};
  HEED_TRY(heed_hasher_begin(&c.whole));
  heed_status status = heed_direct_read(w->file, w->name, w->bytes, compare_block, &c);
  const uint64_t hash = heed_hasher_end(c.whole);
  if (c.of_item)
    heed_hasher_end(c.of_item);
  if (status == HEED_OK && (hash != file->checksum || c.item != c.end))
    status = heed_error(HEED_INVALID, "%s does not match its checksum", w->name);
  return status;
}

void heed_state_drop(heed_state_writer *w) {
  if (w->hasher)
    heed_hasher_end(w->hasher);
  free(w->window);
  heed_image_free(&w->image);
  if (w->file >= 0)
    close(w->file);
  *w = (heed_state_writer){.file = -1};
}

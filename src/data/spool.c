#include "data/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"

enum { BUFFER_BYTES = 1 << 20 };

heed_status heed_spool_create(heed_spool *spool, const char *beside) {
  char *name;
  *spool = (heed_spool){.file = -1, .beside = beside};
  HEED_TRY(heed_output_begin(beside, &name, &spool->file));
  unlink(name); /* nameless from now on */
  free(name);
  spool->buffer = malloc(BUFFER_BYTES);
  heed_status status =
      spool->buffer ? heed_hasher_begin(&spool->hasher) : heed_error(HEED_FAILED, "out of memory for a temporary file's buffer");
  if (status != HEED_OK)
    heed_spool_free(spool);
  return status;
}

static heed_status flush(heed_spool *spool) {
  size_t written = 0;
  while (written < spool->used) {
    ssize_t got = write(spool->file, spool->buffer + written, spool->used - written);
    if (got < 0 && errno != EINTR)
      return heed_error(HEED_IO, "%s: a temporary file beside it could not be written: %s", spool->beside, strerror(errno));
    if (got > 0)
      written += (size_t)got;
  }
  spool->used = 0;
  return HEED_OK;
}

heed_status heed_spool_add(heed_spool *spool, const void *data, size_t bytes) {
  const char *from = data;
  heed_hasher_add(spool->hasher, data, bytes);
  while (bytes > 0) {
    size_t part = BUFFER_BYTES - spool->used < bytes ? BUFFER_BYTES - spool->used : bytes;
    memcpy(spool->buffer + spool->used, from, part);
    spool->used += part;
    spool->bytes += (int64_t)part;
    from += part;
    bytes -= part;
    if (spool->used == BUFFER_BYTES)
      HEED_TRY(flush(spool));
  }
  return HEED_OK;
}

heed_status heed_spool_read(heed_spool *spool, void *data, int64_t from, size_t bytes) {
  char *to = data;
  HEED_TRY(flush(spool));
  while (bytes > 0) {
    ssize_t got = pread(spool->file, to, bytes, from);
    if (got == 0 || (got < 0 && errno != EINTR))
      return heed_error(HEED_IO, "%s: a temporary file beside it could not be read back: %s", spool->beside,
                        got ? strerror(errno) : "it ends early");
    if (got > 0) {
      to += got;
      from += got;
      bytes -= (size_t)got;
    }
  }
  return HEED_OK;
}

uint64_t heed_spool_hash(heed_spool *spool) {
  uint64_t hash = heed_hasher_end(spool->hasher);
  spool->hasher = NULL;
  return hash;
}

void heed_spool_free(heed_spool *spool) {
  if (spool->hasher)
    heed_hasher_end(spool->hasher);
  if (spool->file >= 0)
    close(spool->file);
  free(spool->buffer);
  *spool = (heed_spool){.file = -1};
}

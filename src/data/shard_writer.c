#include "data/shard_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "data/isolated.h"
#include "data/output.h"
#include "data/shard.h"
#include "data/shard_layout.h"
#include "data/spool.h"

enum { MOST_HASHES = 4096, BLOCK_BYTES = 4 << 20, ALIGNMENT = 64 };

struct heed_shard_writer {
  char *path;
  const heed_tokenizer *tokenizer;
  heed_spool tokens, sentences, documents; /* sentences and documents: first entries, without the last one */
  bool wide;
  int64_t token_count, sentence_count, document_count;
  int64_t document_begin; /* first sentence of the current document */
  uint64_t content_hash;  /* of what was added, known at the end */
  uint64_t *sources;
  int64_t source_count, source_capacity;
};

/* An output that is there already must be a shard's successor: a slip of the command line must not cost someone's text or model. */
static heed_status check_output(const char *path) {
  struct stat about;
  heed_shard_layout layout;
  if (stat(path, &about) != 0)
    return errno == ENOENT ? HEED_OK : heed_error(HEED_INVALID, "%s: %s", path, strerror(errno));
  if (S_ISDIR(about.st_mode))
    return heed_error(HEED_INVALID, "%s: a folder; the output is one file, for example train.h5", path);
  int file = S_ISREG(about.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  bool shard = file >= 0 && heed_shard_layout_read(&layout, file, about.st_size, path) == HEED_OK;
  if (file >= 0)
    close(file);
  if (!shard)
    return heed_error(HEED_INVALID, "%s: exists and is no token shard; it is not replaced: remove it or choose another output", path);
  return HEED_OK;
}

heed_status heed_shard_writer_create(heed_shard_writer **writer, const char *path, const heed_tokenizer *tokenizer) {
  *writer = NULL;
  HEED_TRY(check_output(path));
  heed_shard_writer *w = calloc(1, sizeof *w);
  if (!w)
    return heed_error(HEED_FAILED, "out of memory for a token shard");
  w->tokenizer = tokenizer;
  w->wide = heed_tokenizer_size(tokenizer) > HEED_SHARD_WIDE_FROM;
  w->tokens.file = w->sentences.file = w->documents.file = -1;
  heed_status status = (w->path = strdup(path)) ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a token shard");
  if (status == HEED_OK)
    status = heed_spool_create(&w->tokens, path);
  if (status == HEED_OK)
    status = heed_spool_create(&w->sentences, path);
  if (status == HEED_OK)
    status = heed_spool_create(&w->documents, path);
  if (status == HEED_OK)
    *writer = w;
  else
    heed_shard_writer_free(w);
  return status;
}

void heed_shard_writer_free(heed_shard_writer *writer) {
  if (!writer)
    return;
  heed_spool_free(&writer->tokens);
  heed_spool_free(&writer->sentences);
  heed_spool_free(&writer->documents);
  free(writer->sources);
  free(writer->path);
  free(writer);
}

/* Ids in the width of the file; int32 and uint32 are the same bits for ids. */
static heed_status add_tokens(heed_shard_writer *writer, const int32_t *ids, int64_t count) {
  uint16_t narrow[1024];
  const int64_t most = sizeof narrow / sizeof *narrow;
  if (writer->wide)
    return heed_spool_add(&writer->tokens, ids, (size_t)count * sizeof *ids);
  for (int64_t done = 0; done < count; done += most) {
    int64_t part = count - done < most ? count - done : most;
    for (int64_t i = 0; i < part; i++)
      narrow[i] = (uint16_t)ids[done + i];
    HEED_TRY(heed_spool_add(&writer->tokens, narrow, (size_t)part * sizeof *narrow));
  }
  return HEED_OK;
}

heed_status heed_shard_writer_sentence(heed_shard_writer *writer, const int32_t *ids, int64_t count) {
  int64_t size = heed_tokenizer_size(writer->tokenizer);
  if (count == 0)
    return HEED_OK;
  for (int64_t i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= size)
      return heed_error(HEED_INVALID, "token id %d is outside the vocabulary of %lld", (int)ids[i], (long long)size);
  HEED_TRY(heed_spool_add(&writer->sentences, &writer->token_count, sizeof writer->token_count));
  HEED_TRY(add_tokens(writer, ids, count));
  writer->token_count += count;
  writer->sentence_count++;
  return HEED_OK;
}

heed_status heed_shard_writer_document(heed_shard_writer *writer) {
  if (writer->document_begin == writer->sentence_count)
    return HEED_OK;
  HEED_TRY(heed_spool_add(&writer->documents, &writer->document_begin, sizeof writer->document_begin));
  writer->document_begin = writer->sentence_count;
  writer->document_count++;
  return HEED_OK;
}

heed_status heed_shard_writer_source(heed_shard_writer *writer, uint64_t hash) {
  if (writer->source_count == writer->source_capacity) {
    int64_t capacity = writer->source_capacity ? 2 * writer->source_capacity : 16;
    uint64_t *sources = realloc(writer->sources, (size_t)capacity * sizeof *sources);
    if (!sources)
      return heed_error(HEED_FAILED, "out of memory for the hashes of the inputs");
    writer->sources = sources;
    writer->source_capacity = capacity;
  }
  writer->sources[writer->source_count++] = hash;
  return HEED_OK;
}

heed_shard_counts heed_shard_writer_counts(const heed_shard_writer *writer) {
  return (heed_shard_counts){writer->token_count, writer->sentence_count, writer->document_count};
}

static bool write_attribute(hid_t root, const char *name, hid_t type, const void *value, int64_t count) {
  hsize_t size = (hsize_t)count;
  hid_t space = count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, NULL);
  hid_t attribute = H5Acreate2(root, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool written = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
  H5Sclose(space);
  return H5Aclose(attribute) >= 0 && written;
}

static bool write_attributes(const heed_shard_writer *w, hid_t root) {
  int64_t format = HEED_SHARD_FORMAT, size = heed_tokenizer_size(w->tokenizer), cased = heed_tokenizer_is_cased(w->tokenizer);
  uint64_t hash = heed_tokenizer_hash(w->tokenizer), all = heed_hash(w->sources, (size_t)w->source_count * sizeof *w->sources);
  bool each = w->source_count > 0 && w->source_count <= MOST_HASHES; /* an attribute holds at most 64 KiB */
  hid_t text = H5Tcopy(H5T_C_S1);
  char name[HEED_TOKENIZER_NAME] = {0};
  snprintf(name, sizeof name, "%s", heed_tokenizer_kind_name(w->tokenizer));
  bool written = H5Tset_size(text, sizeof name) >= 0 && write_attribute(root, "tokenizer", text, name, 1) &&
                 write_attribute(root, "format_version", H5T_STD_I64LE, &format, 1) &&
                 write_attribute(root, "vocabulary_hash", H5T_STD_U64LE, &hash, 1) &&
                 write_attribute(root, "content_hash", H5T_STD_U64LE, &w->content_hash, 1) &&
                 write_attribute(root, "vocabulary_size", H5T_STD_I64LE, &size, 1) &&
                 write_attribute(root, "cased", H5T_STD_I64LE, &cased, 1) &&
                 write_attribute(root, "token_count", H5T_STD_I64LE, &w->token_count, 1) &&
                 write_attribute(root, "sentence_count", H5T_STD_I64LE, &w->sentence_count, 1) &&
                 write_attribute(root, "document_count", H5T_STD_I64LE, &w->document_count, 1) &&
                 write_attribute(root, "source_count", H5T_STD_I64LE, &w->source_count, 1) &&
                 write_attribute(root, "source_hashes", H5T_STD_U64LE, each ? w->sources : &all, each ? w->source_count : 1);
  H5Tclose(text);
  return written;
}

/* HDF5 keeps the reason to itself; what the operating system said last is most often it. */
static heed_status failed(const char *what) {
  return heed_error(HEED_IO, "%s: %s", what, errno ? strerror(errno) : "is the disk full?");
}

/* Copies a spool into a contiguous dataset, a block at a time.  Errors: HEED_IO. */
static heed_status write_blocks(hid_t set, hid_t space, hid_t type, heed_spool *spool, char *block) {
  size_t width = H5Tget_size(type);
  for (int64_t done = 0; done < spool->bytes;) {
    int64_t left = spool->bytes - done;
    size_t bytes = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    hsize_t first = (hsize_t)done / width, count = bytes / width;
    HEED_TRY(heed_spool_read(spool, block, done, bytes));
    hid_t memory = H5Screate_simple(1, &count, NULL);
    bool written = H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL) >= 0 &&
                   H5Dwrite(set, type, memory, space, H5P_DEFAULT, block) >= 0;
    H5Sclose(memory);
    if (!written)
      return failed("a write failed");
    done += (int64_t)bytes;
  }
  return HEED_OK;
}

static heed_status write_dataset(hid_t root, const char *name, hid_t type, heed_spool *spool) {
  hsize_t size = (hsize_t)spool->bytes / H5Tget_size(type);
  char *block = malloc(BLOCK_BYTES);
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &size, NULL);
  H5Pset_layout(plan, H5D_CONTIGUOUS);
  H5Pset_obj_track_times(plan, 0); /* the same input gives the same bytes */
  H5Pset_fill_time(plan, H5D_FILL_TIME_NEVER);
  hid_t set = H5Dcreate2(root, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
  heed_status status = block && set >= 0 ? write_blocks(set, space, type, spool, block) : failed("an array could not be made");
  if (set >= 0 && H5Dclose(set) < 0 && status == HEED_OK)
    status = failed("an array could not be completed");
  H5Sclose(space), H5Pclose(plan);
  free(block);
  return status;
}

static heed_status write_content(heed_shard_writer *w, hid_t file) {
  hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
  heed_status status = write_attributes(w, root) ? HEED_OK : failed("the attributes could not be written");
  if (status == HEED_OK)
    status = write_dataset(root, "tokens", w->wide ? H5T_STD_U32LE : H5T_STD_U16LE, &w->tokens);
  if (status == HEED_OK)
    status = write_dataset(root, "sentences", H5T_STD_I64LE, &w->sentences);
  if (status == HEED_OK)
    status = write_dataset(root, "documents", H5T_STD_I64LE, &w->documents);
  if (H5Gclose(root) < 0 && status == HEED_OK)
    status = failed("the root group could not be completed");
  return status;
}

typedef struct writing {
  heed_shard_writer *writer;
  int descriptor;
} writing;

/* In a child process.  Writes through the kept descriptor's inode, so that what is synced later is what HDF5 wrote. */
static heed_status write_hdf5(void *result, const void *argument) {
  const writing *what = argument;
  heed_shard_writer *w = what->writer;
  char name[64];
  (void)result;
  snprintf(name, sizeof name, "/proc/self/fd/%d", what->descriptor);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  errno = 0;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), plan = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST); /* the layout that base/hdf5_reader.h reads */
  H5Pset_alignment(access, 1, ALIGNMENT);                               /* arrays are read in place */
  H5Pset_small_data_block_size(access, 0);
  H5Pset_file_locking(access, 0, 1);
  H5Pset_obj_track_times(plan, 0);
  hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, plan, access);
  heed_status status = file >= 0 ? write_content(w, file) : failed("HDF5 could not make the file");
  if (file >= 0 && H5Fclose(file) < 0 && status == HEED_OK)
    status = failed("HDF5 could not complete the file");
  H5Pclose(plan), H5Pclose(access);
  return status;
}

/* What was written is opened and checked as any reader would before it gets its name. */
static heed_status commit(heed_shard_writer *w, int descriptor, const char *temporary) {
  heed_shard written;
  writing what = {w, descriptor};
  bool died;
  heed_status status = heed_isolated_run(&(heed_isolated){.work = write_hdf5, .argument = &what}, &died);
  if (died)
    return heed_error(HEED_IO, "%s: the HDF5 library failed to write it (is the disk full?)", w->path);
  if (status != HEED_OK)
    return heed_error_in(status, "%s", w->path);
  status = heed_shard_open(&written, temporary); /* its hash is that of what was added */
  heed_shard_close(&written);
  if (status == HEED_INVALID)
    status = heed_error(HEED_IO, "%s: the disk does not give back what was written (%s)", w->path, heed_error_text());
  HEED_TRY(status);
  return heed_output_end(w->path, temporary, descriptor);
}

heed_status heed_shard_writer_finish(heed_shard_writer *writer) {
  char *temporary;
  int descriptor;
  HEED_TRY(heed_shard_writer_document(writer));
  if (writer->token_count == 0)
    return heed_error(HEED_INVALID, "%s: not written, since the input holds no text", writer->path);
  HEED_TRY(heed_spool_add(&writer->sentences, &writer->token_count, sizeof writer->token_count));
  HEED_TRY(heed_spool_add(&writer->documents, &writer->sentence_count, sizeof writer->sentence_count));
  writer->content_hash =
      heed_shard_content_hash(heed_spool_hash(&writer->sentences), heed_spool_hash(&writer->documents), heed_spool_hash(&writer->tokens));
  HEED_TRY(heed_output_begin(writer->path, &temporary, &descriptor));
  heed_status status = commit(writer, descriptor, temporary);
  if (status != HEED_OK)
    unlink(temporary);
  close(descriptor);
  free(temporary);
  return status;
}

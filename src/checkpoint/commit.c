/* Saving: the commit protocol.
 *
 *  1. rank 0 makes step-S.tmp-X/ and in it state.h5, state-1.h5 …, lays them out and takes their space on the disk   (prepare)
 *  2. the ranks stream their parts and shards to rank 0, which writes them in order and keeps checksums   (stream); what was read
 *     is still what the caller watches over   (is_sound)
 *  3. rank 0 syncs the files, reads them back past the page cache and compares files and tensors      (seal)
 *  4. rank 0 writes MANIFEST, syncs it, reads it back too, and then syncs the folder                  (seal)
 *  5. the ranks agree that all went well; only then does the folder get its name, and checkpoints/ is synced   (publish)
 *  6. older checkpoints are retired                                                                   (retention.c)
 *
 *  A kill before the rename in 5 leaves a temporary folder, which the next job sweeps; a kill after it leaves a whole checkpoint.  Any
 *  failure removes what this save made.  A failed fsync is never tried again: the file is discarded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/hash.h"
#include "base/pulse.h"
#include "checkpoint/direct.h"
#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "checkpoint/save.h"
#include "heed/log.h"

enum { TEXTS = 2 };

/* Of tensors a file.  Two files that follow each other hold more than that, so there are never too many. */
static int64_t most_of_file(const heed_save *s) {
  const int64_t all = (1 + s->tensors->moments) * heed_parameters_whole_total(s->tensors->table) * (int64_t)sizeof(float);
  const int64_t least = all / (HEED_MAX_FILES / 2 - 1) + 1;
  return s->store->file_bytes > least ? s->store->file_bytes : least;
}

/* A tensor goes to the file before it if that has room for it, `most` in all, and to a new one if not. */
static heed_status add_tensor(heed_save *s, int block, int64_t parameter, int64_t most, int64_t *filled) {
  const heed_parameter *p = &s->tensors->table->items[parameter];
  const int64_t bytes = heed_parameters_whole_count(s->tensors->table, parameter) * (int64_t)sizeof(float);
  heed_item item = {.type = HEED_ITEM_FLOAT32, .rank = p->rank};
  memcpy(item.shape, p->shape, sizeof item.shape);
  heed_item_path(item.path, s->tensors, block, parameter);
  if (*filled > 0 && *filled + bytes > most) {
    HEED_TRY(heed_manifest_add_file(&s->manifest));
    *filled = 0;
  }
  *filled += bytes;
  return heed_manifest_add(&s->manifest, &item);
}

static heed_status add_items(heed_save *s) {
  const char *const texts[TEXTS][2] = {{"/config", s->info.config}, {"/vocabulary", s->info.vocabulary}};
  const int64_t most[TEXTS] = {HEED_MAX_CONFIG, HEED_MAX_VOCABULARY};
  HEED_TRY(heed_manifest_add_file(&s->manifest));
  for (int i = 0; i < TEXTS; i++) {
    const char *text = texts[i][1] ? texts[i][1] : "";
    int64_t length = (int64_t)strlen(text), bytes = length ? length : 1; /* HDF5 has no type of size 0: a NUL stands for no text */
    heed_item item = {.type = HEED_ITEM_TEXT, .rank = 1, .shape = {bytes}, .checksum = heed_hash(text, (size_t)bytes)};
    strcpy(item.path, texts[i][0]);
    if (length > most[i])
      return heed_error(HEED_INVALID, "%s is longer than %lld bytes", item.path, (long long)most[i]);
    HEED_TRY(heed_manifest_add(&s->manifest, &item));
  }
  const int64_t most_bytes = most_of_file(s);
  int64_t filled = 0;
  for (int block = 0; block <= s->tensors->moments; block++)
    for (int64_t i = 0; i < s->tensors->table->count; i++)
      HEED_TRY(add_tensor(s, block, i, most_bytes, &filled));
  return HEED_OK;
}

static heed_status create_files(heed_save *s) {
  const int count = s->manifest.file_count;
  if (!(s->files = malloc((size_t)count * sizeof *s->files)))
    return heed_error(HEED_FAILED, "out of memory for the files of a state");
  for (int i = 0; i < count; i++)
    s->files[i] = (heed_state_writer){.file = -1};
  for (int i = 0; i < count; i++)
    HEED_TRY(heed_state_create(&s->files[i], s->folder, &s->manifest, i));
  return heed_failpoint(HEED_AT_SAVE_CREATE);
}

/* Bytes of an item, the first at its place `at`.  The last of a file's items completes the file. */
static heed_status put(heed_save *s, int64_t index, const void *data, size_t bytes, int64_t at) {
  const heed_item *item = &s->manifest.items[index];
  heed_state_writer *writer = &s->files[item->file];
  heed_manifest_file *file = &s->manifest.files[item->file];
  HEED_TRY(heed_state_put(writer, data, bytes, item->offset + at));
  const bool is_last = index + 1 == file->end && at + (int64_t)bytes == item->bytes;
  return is_last ? heed_state_complete(writer, &file->checksum) : HEED_OK;
}

static heed_status write_texts(heed_save *s) {
  const char *const texts[TEXTS] = {s->info.config, s->info.vocabulary};
  for (int i = 0; i < TEXTS; i++)
    HEED_TRY(put(s, i, texts[i] ? texts[i] : "", (size_t)s->manifest.items[i].bytes, 0));
  return HEED_OK;
}

/* 1, on rank 0. */
heed_status heed_save_prepare(heed_save *s) {
  char digits[17];
  HEED_TRY(heed_lock_check(s->store->lock));
  if (s->replace) /* into a run */
    HEED_TRY(heed_store_mend(s->store));
  int folder = s->store->folder;
  s->manifest.info = s->info;
  s->manifest.info.config = s->manifest.info.vocabulary = NULL;
  HEED_TRY(add_items(s));
  heed_random_digits(digits);
  snprintf(s->temporary, sizeof s->temporary, "%s.tmp-%s", s->name, digits);
  if (!s->replace && faccessat(folder, s->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return heed_error(HEED_INVALID, "something of that name is there already; choose another, or remove it");
  if (mkdirat(folder, s->temporary, 0777) != 0)
    return heed_error(HEED_IO, "%s could not be made: %s", s->temporary, strerror(errno));
  s->made = true;
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_FOLDER));
  HEED_TRY(heed_folder_open(folder, s->temporary, s->temporary, false, &s->folder));
  HEED_TRY(create_files(s));
  HEED_TRY(write_texts(s));
  return heed_failpoint(HEED_AT_SAVE_TEXTS);
}

/* Rank 0: the checksum is of what is in memory. */
heed_status heed_save_write(heed_save *s, int block, const heed_piece *piece, const float *values) {
  const heed_parameter_table *table = s->tensors->table;
  const int64_t index = TEXTS + block * table->count + piece->parameter;
  size_t bytes = (size_t)(piece->end - piece->first) * sizeof *values;
  if (!s->hasher)
    HEED_TRY(heed_hasher_begin(&s->hasher));
  heed_hasher_add(s->hasher, values, bytes);
  HEED_TRY(put(s, index, values, bytes, piece->first * (int64_t)sizeof *values));
  if (heed_piece_is_last(table, piece)) {
    s->manifest.items[index].checksum = heed_hasher_end(s->hasher);
    s->hasher = NULL;
  }
  return heed_failpoint(HEED_AT_SAVE_PIECE);
}

/* 2, on every rank.  After a failure rank 0 goes on gathering, since the others cannot know. */
static heed_status stream(heed_save *s) {
  const bool root = s->store->communication->rank == 0;
  heed_status status = HEED_OK;
  for (int block = 0; block <= s->tensors->moments; block++)
    for (heed_piece piece = {0}; heed_piece_next(s->tensors->table, &piece);) {
      const float *values = heed_parts_gather(&s->parts, block, &piece);
      if (root && status == HEED_OK)
        status = heed_save_write(s, block, &piece, values);
    }
  return status;
}

/* 3, of one file: what the disk has is what memory had. */
static heed_status read_back(heed_save *s, int index) {
  heed_state_writer *writer = &s->files[index];
  heed_pulse_enter(HEED_PHASE_SYNCING);
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_SYNC));
  HEED_TRY(heed_file_sync(writer->file, writer->name));
  heed_pulse_enter(HEED_PHASE_READING_BACK);
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_READ_BACK));
  heed_status status = heed_state_read_back(writer, &s->manifest, index);
  if (status == HEED_OK)
    status = heed_state_check(writer->file, &s->manifest, index);
  if (status == HEED_INVALID)
    status = heed_error(HEED_IO, "the disk does not give back what was written (%s)", heed_error_text());
  return status == HEED_OK ? heed_file_close(&writer->file, writer->name) : status;
}

/* As of state.h5: what the disk has of it is what memory had. */
static heed_status compare_text(void *text, const char *block, size_t bytes, int64_t offset) {
  return memcmp(block, (const char *)text + offset, bytes) == 0 ? HEED_OK : heed_error(HEED_INVALID, HEED_MANIFEST_FILE " is damaged");
}
static heed_status read_manifest_back(int file, char *text, size_t bytes) {
  heed_status status = heed_direct_read(file, HEED_MANIFEST_FILE, (int64_t)bytes, compare_text, text);
  if (status == HEED_INVALID)
    status = heed_error(HEED_IO, "the disk does not give back what was written (%s)", heed_error_text());
  return status;
}

/* 4. */
static heed_status write_manifest(heed_save *s) {
  char *text;
  size_t bytes;
  HEED_TRY(heed_manifest_print(&s->manifest, &text, &bytes));
  int file;
  heed_status status = heed_file_create(s->folder, HEED_MANIFEST_FILE, &file);
  if (status == HEED_OK)
    status = heed_file_write(file, HEED_MANIFEST_FILE, text, bytes, 0);
  if (status == HEED_OK)
    status = heed_failpoint(HEED_AT_SAVE_MANIFEST);
  if (status == HEED_OK)
    status = heed_failpoint(HEED_AT_SAVE_MANIFEST_SYNC);
  if (status == HEED_OK)
    status = heed_file_sync(file, HEED_MANIFEST_FILE);
  if (status == HEED_OK)
    status = read_manifest_back(file, text, bytes);
  free(text);
  if (status == HEED_OK)
    return heed_file_close(&file, HEED_MANIFEST_FILE);
  if (file >= 0)
    close(file);
  return status;
}

/* 3 and 4, on rank 0. */
heed_status heed_save_seal(heed_save *s) {
  for (int i = 0; i < s->manifest.file_count; i++)
    HEED_TRY(read_back(s, i));
  heed_pulse_enter(HEED_PHASE_PUBLISHING);
  HEED_TRY(write_manifest(s));
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_FOLDER_SYNC));
  HEED_TRY(heed_file_sync(s->folder, s->temporary));
  return heed_failpoint(HEED_AT_SAVE_AGREE);
}

/* A folder of this step is there already: a damaged one that resume has passed over, or the same step saved before.  It changes
 * places with the new one at once; where the file system cannot, it steps aside first. */
static bool displace(heed_save *s) {
  int folder = s->store->folder;
  if (renameat2(folder, s->temporary, folder, s->name, RENAME_EXCHANGE) == 0) {
    strcpy(s->displaced, s->temporary);
    return true;
  }
  if (!heed_file_is_unsupported(errno))
    return false;
  char digits[17], aside[HEED_SAVE_NAME];
  heed_random_digits(digits);
  snprintf(aside, sizeof aside, HEED_TRASH_PREFIX "%s-%s", s->name, digits);
  if (renameat(folder, s->name, folder, aside) != 0)
    return false;
  if (renameat(folder, s->temporary, folder, s->name) != 0) {
    int error = errno;
    renameat(folder, aside, folder, s->name);
    errno = error;
    return false;
  }
  strcpy(s->displaced, aside);
  return true;
}

/* 5, on rank 0. */
heed_status heed_save_publish(heed_save *s) {
  int folder = s->store->folder;
  HEED_TRY(heed_lock_check(s->store->lock));
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_RENAME));
  int failed = renameat2(folder, s->temporary, folder, s->name, RENAME_NOREPLACE);
  if (failed && heed_file_is_unsupported(errno)) /* NFS: a plain rename, which replaces an empty folder at most */
    failed = renameat(folder, s->temporary, folder, s->name);
  if (failed && s->replace && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR))
    failed = !displace(s);
  if (failed)
    return heed_error(HEED_IO, "%s could not be renamed: %s", s->temporary, strerror(errno));
  s->named = true;
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_PARENT_SYNC));
  return heed_file_sync(folder, s->store->path);
}

/* Takes back what this save did, so that "failed" means that nothing of it is there.  Keeps the error text. */
static void withdraw(heed_save *s) {
  int folder = s->store->folder;
  if (s->named && !s->displaced[0])
    renameat(folder, s->name, folder, s->temporary);
  else if (s->named && renameat2(folder, s->temporary, folder, s->name, RENAME_EXCHANGE) != 0 &&
           renameat(folder, s->name, folder, s->temporary) == 0)
    renameat(folder, s->displaced, folder, s->name);
  if (s->made && !heed_tree_remove(folder, s->temporary))
    heed_warn("%s/%s: left by a save that failed, and cannot be removed: %s; %s", s->store->path, s->temporary, strerror(errno),
              s->store->lock ? "the next start sweeps it" : "remove it");
}

void heed_save_end(heed_save *s, heed_status status) {
  if (s->hasher)
    heed_hasher_end(s->hasher);
  for (int i = 0; s->files && i < s->manifest.file_count; i++)
    heed_state_drop(&s->files[i]);
  free(s->files);
  if (s->folder >= 0)
    close(s->folder);
  heed_parts_close(&s->parts);
  heed_manifest_free(&s->manifest);
  if (s->store->communication->rank != 0)
    return;
  if (status != HEED_OK)
    withdraw(s);
  else if (s->displaced[0] && !heed_tree_remove(s->store->folder, s->displaced))
    heed_warn("%s/%s: cannot be removed: %s; the next start sweeps it", s->store->path, s->displaced, strerror(errno));
}

heed_status heed_save_begin(heed_save *s) {
  heed_communication *communication = s->store->communication;
  heed_status status = heed_parts_open(&s->parts, s->tensors, communication);
  if (status == HEED_OK && (s->info.step < 0 || s->info.updates < 0 || s->info.data_position < 0 || s->info.samples_seen < 0))
    status = heed_error(HEED_INVALID, "a checkpoint's counts cannot be negative");
  if (status == HEED_OK)
    status = heed_failpoint(HEED_AT_SAVE_BEGIN);
  return communication->agree(communication, status);
}

heed_status heed_save_is_sound(const heed_save *s) {
  return s->tensors->are_sound ? s->tensors->are_sound(s->tensors->context) : HEED_OK;
}

/* The steps in order.  What one rank could not do, all agree on before the next. */
static heed_status run(heed_save *s) {
  heed_communication *communication = s->store->communication;
  bool root = communication->rank == 0;
  HEED_TRY(heed_save_begin(s));
  HEED_TRY(communication->agree(communication, root ? heed_save_prepare(s) : HEED_OK));
  HEED_TRY(communication->agree(communication, stream(s)));
  HEED_TRY(heed_save_is_sound(s));
  HEED_TRY(communication->agree(communication, root ? heed_save_seal(s) : HEED_OK));
  return communication->agree(communication, root ? heed_save_publish(s) : HEED_OK);
}

heed_status heed_checkpoint_save(heed_checkpoint_store *store, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors) {
  char name[32];
  heed_pulse_enter(HEED_PHASE_SAVING);
  heed_checkpoint_name(name, info->step);
  heed_save s = {.store = store, .name = name, .replace = true, .info = *info, .tensors = tensors, .folder = -1};
  heed_status status = run(&s);
  heed_save_end(&s, status);
  if (status != HEED_OK)
    return heed_save_failed(&s, status);
  if (store->communication->rank == 0)
    heed_checkpoint_retire(store, info->step);
  return HEED_OK;
}

heed_status heed_save_failed(const heed_save *s, heed_status status) {
  return heed_error_in(status, "%s/%s was not saved (earlier checkpoints are untouched)", s->store->path, s->name);
}

heed_status heed_checkpoint_write(const char *path, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors) {
  heed_target target;
  HEED_TRY(heed_target_open(&target, path));
  heed_checkpoint_store store = {
      .communication = heed_alone(), .file_bytes = HEED_STATE_FILE_BYTES, .path = target.parent, .run = -1, .folder = target.folder};
  heed_save s = {.store = &store, .name = target.name, .info = *info, .tensors = tensors, .folder = -1};
  heed_status status = run(&s);
  heed_save_end(&s, status);
  heed_target_close(&target);
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "%s was not written", path);
}

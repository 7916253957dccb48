/** Folders and files by descriptor: no link is followed that was not named by the user, short and interrupted calls go on, and every
 *  failure has a text that begins with the name of the file. */
#ifndef HEED_CHECKPOINT_FILE_H
#define HEED_CHECKPOINT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "heed/status.h"

/** Makes a folder and those above it, as far as they are missing, so that they outlive a power cut.
 *  Errors: HEED_IO when it cannot be made, HEED_INVALID when something else is in its place. */
heed_status heed_folder_make(const char *path);

/** Opens the folder `name` of the open folder `parent` (AT_FDCWD for a path).  A symbolic link is refused unless `follow`.
 *  \param[in] shown  its name in messages.  Errors: HEED_INVALID for anything but a folder, HEED_IO when it cannot be opened,
 *  HEED_FAILED when descriptors are short. */
heed_status heed_folder_open(int parent, const char *name, const char *shown, bool follow, int *folder);

/** A folder or file to be made: its name, and the folder that it is to be in, open. */
typedef struct heed_target {
  char *parent, *name; /**< texts; the name is the last part of the path */
  int folder;
} heed_target;

/** Takes a path apart and makes the folders above its last part, as far as they are missing.
 *  Errors: HEED_INVALID for a path without a last part, or with a file on its way; HEED_IO when a folder cannot be made or opened. */
heed_status heed_target_open(heed_target *target, const char *path);
void heed_target_close(heed_target *target);

/** Opens a regular file for reading; FIFOs and folders are refused, and links unless `follow`.  \param[out] bytes  its size. */
heed_status heed_file_open(int folder, const char *name, bool follow, int *file, int64_t *bytes);

/** Writes exactly `bytes` bytes at `offset`; what reads them is heed_file_read of base/file.h.  Errors: HEED_IO. */
heed_status heed_file_write(int file, const char *name, const void *data, size_t bytes, int64_t offset);

/** Makes a new file for reading and writing; one that is there, or a link, is not taken.  Errors: HEED_IO. */
heed_status heed_file_create(int folder, const char *name, int *file);

/** Ends the writing of an open file: makes it durable and closes it when `status` is HEED_OK, and only closes it otherwise; −1 is no file.
 *  Returns `status`, or HEED_IO when it was well until here. */
heed_status heed_file_finish(int *file, const char *name, heed_status status);

/** Whether an error of a call says that this file system, or this kernel, has no such thing. */
bool heed_file_is_unsupported(int error);

/** fsync, once: after a failed one the kernel may have dropped the pages, so a second that succeeds proves nothing. */
heed_status heed_file_sync(int file, const char *name);

/** Closes and reports what the file system kept back until then (NFS).  Sets the descriptor to −1. */
heed_status heed_file_close(int *file, const char *name);

/** The checksum of a part of a file. */
heed_status heed_file_hash(int file, const char *name, int64_t offset, int64_t bytes, uint64_t *hash);

/** Removes a file, or a folder with all below it, without following links.  False when something is left. */
bool heed_tree_remove(int parent, const char *name);

/** 16 random hexadecimal digits and a NUL. */
void heed_random_digits(char digits[17]);

#endif

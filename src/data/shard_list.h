/** Several token shards as one corpus. */
#ifndef HEED_DATA_SHARD_LIST_H
#define HEED_DATA_SHARD_LIST_H

#include "data/shard.h"

typedef struct heed_shard_list {
  heed_shard *items;
  int64_t count;
} heed_shard_list;

/** Whether a glob can be looked up in a moment.  Wildcards in many parts (a star, the parent, a star …) name more paths than
 * there are files: they may stand in the last two parts, and be eight in all.  Errors: HEED_INVALID for another. */
heed_status heed_shard_glob_check(const char *pattern);

/** Opens the files that the paths name, in their order, and no more than `most`.  A path that is no file is a glob; its files come sorted
 * by byte values, so that all ranks number the samples alike whatever their locale. Errors: HEED_INVALID for a path that names nothing;
 * those of heed_shard_open. */
heed_status heed_shard_list_open(heed_shard_list *list, const char *const *paths, unsigned path_count, int64_t most);
void heed_shard_list_close(heed_shard_list *list);

#endif

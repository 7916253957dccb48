#include "data/shard_list.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static heed_status open_one(heed_shard_list *list, const char *path) {
  heed_shard *items = realloc(list->items, (size_t)(list->count + 1) * sizeof *items);
  if (!items)
    return heed_error(HEED_FAILED, "%s: out of memory for the list of token shards", path);
  list->items = items;
  HEED_TRY(heed_shard_open(&items[list->count], path));
  list->count++;
  return HEED_OK;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

heed_status heed_shard_glob_check(const char *pattern) {
  enum { MOST_WILDCARDS = 8 };
  const char *first = strpbrk(pattern, "*?[");
  int slashes = 0, wildcards = 0;
  for (const char *at = first; at && *at; at++) {
    slashes += *at == '/';
    wildcards += *at == '*' || *at == '?' || *at == '[';
  }
  if (slashes <= 1 && wildcards <= MOST_WILDCARDS)
    return HEED_OK;
  return heed_error(HEED_INVALID, "%s: no such file; as a glob it may have up to %d wildcards, all in its last two parts", pattern,
                    MOST_WILDCARDS);
}

static heed_status open_matches(heed_shard_list *list, const char *pattern, int64_t most) {
  glob_t found = {0};
  HEED_TRY(heed_shard_glob_check(pattern));
  int result = glob(pattern, GLOB_NOSORT, NULL, &found);
  if (result == GLOB_NOMATCH)
    return heed_error(HEED_INVALID, "%s: no such file, and no file matches it; make token shards with `heed prepare`", pattern);
  if (result != 0) {
    globfree(&found);
    return result == GLOB_NOSPACE ? heed_error(HEED_FAILED, "%s: out of memory for the names of its files", pattern)
                                  : heed_error(HEED_IO, "%s: its folder could not be read", pattern);
  }
  qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
  heed_status status = HEED_OK;
  for (size_t i = 0; i < found.gl_pathc && list->count < most && status == HEED_OK; i++)
    status = open_one(list, found.gl_pathv[i]);
  globfree(&found);
  return status;
}

heed_status heed_shard_list_open(heed_shard_list *list, const char *const *paths, unsigned path_count, int64_t most) {
  *list = (heed_shard_list){0};
  heed_status status = HEED_OK;
  if (path_count == 0)
    status = heed_error(HEED_INVALID, "no token shard is named; name one in data.train or data.validation (`heed prepare` makes them)");
  for (unsigned i = 0; i < path_count && list->count < most && status == HEED_OK; i++)
    status = access(paths[i], F_OK) == 0 ? open_one(list, paths[i]) : open_matches(list, paths[i], most);
  if (status != HEED_OK)
    heed_shard_list_close(list);
  return status;
}

void heed_shard_list_close(heed_shard_list *list) {
  for (int64_t i = 0; i < list->count; i++)
    heed_shard_close(&list->items[i]);
  free(list->items);
  *list = (heed_shard_list){0};
}

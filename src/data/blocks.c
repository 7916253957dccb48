#include "data/blocks.h"

#include <stdlib.h>

heed_status heed_blocks_create(heed_blocks *blocks, const heed_shard *shards, int64_t count, int64_t length, int32_t separator) {
  *blocks = (heed_blocks){.shards = shards, .shard_count = count, .length = length, .separator = separator};
  blocks->starts = calloc((size_t)count + 1, sizeof *blocks->starts);
  if (!blocks->starts)
    return heed_error(HEED_FAILED, "out of memory for %lld token shards", (long long)count);
  for (int64_t s = 0; s < count; s++)
    blocks->starts[s + 1] = blocks->starts[s] + shards[s].token_count + shards[s].document_count;
  blocks->samples = (blocks->starts[count] + length - 1) / length;
  if (blocks->samples == 0)
    return heed_error(HEED_INVALID, "%s: the data hold no text", count > 0 ? shards[0].path : "no token shard");
  return HEED_OK;
}

void heed_blocks_free(heed_blocks *blocks) {
  free(blocks->starts);
  *blocks = (heed_blocks){0};
}

/* Where a walk along the stream stands: before the separator of a document, or at one of its tokens. */
typedef struct walk {
  int64_t shard, document;
  int64_t token; /* in the shard; −1: at the separator */
} walk;

/* Offsets and tokens were checked when the shard was opened, but its file may have been written to since. */
static int64_t first_token(const heed_shard *shard, int64_t document) {
  const int64_t sentence = shard->documents[document];
  if (sentence < 0 || sentence > shard->sentence_count)
    heed_shard_changed(shard);
  return shard->sentences[sentence];
}

static int32_t token_at(const heed_shard *shard, int64_t token) {
  const int32_t id = token < shard->token_count ? heed_shard_token(shard, token) : -1;
  if (id < 0 || id >= shard->vocabulary_size)
    heed_shard_changed(shard);
  return id;
}

static walk walk_to(const heed_blocks *blocks, int64_t place) {
  walk at = {.token = -1};
  while (at.shard < blocks->shard_count && blocks->starts[at.shard + 1] <= place)
    at.shard++;
  if (at.shard == blocks->shard_count)
    return at;
  const heed_shard *shard = &blocks->shards[at.shard];
  int64_t inside = place - blocks->starts[at.shard], low = 0, high = shard->document_count;
  while (high - low > 1) { /* the last document whose separator is not behind the place */
    int64_t middle = low + (high - low) / 2;
    if (first_token(shard, middle) + middle <= inside)
      low = middle;
    else
      high = middle;
  }
  at.document = low;
  at.token = inside - low - 1;
  if (at.token < first_token(shard, low))
    at.token = -1;
  return at;
}

/* The token that the walk stands at; moves on. */
static int32_t next(const heed_blocks *blocks, walk *at) {
  if (at->shard == blocks->shard_count)
    return blocks->separator;
  const heed_shard *shard = &blocks->shards[at->shard];
  int32_t id = at->token < 0 ? blocks->separator : token_at(shard, at->token);
  at->token = at->token < 0 ? first_token(shard, at->document) : at->token + 1;
  if (at->token == first_token(shard, at->document + 1)) { /* the last of its document */
    at->token = -1;
    at->document++;
  }
  if (at->document == shard->document_count) {
    at->document = 0;
    at->shard++;
  }
  return id;
}

int64_t heed_blocks_read(const heed_blocks *blocks, int64_t sample, int32_t *ids, int32_t *next_ids) {
  int64_t first = sample * blocks->length, left = blocks->starts[blocks->shard_count] - first;
  int64_t count = left < blocks->length ? left : blocks->length;
  walk at = walk_to(blocks, first);
  ids[0] = next(blocks, &at);
  for (int64_t i = 0; i < count; i++) {
    next_ids[i] = next(blocks, &at);
    if (i + 1 < count)
      ids[i + 1] = next_ids[i];
  }
  return count;
}

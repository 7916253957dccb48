#include "data/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mapping.h"
#include "base/pulse.h"
#include "data/shard_layout.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "shards are little-endian and mapped as they are");

enum { WORTH_THREADS = 1 << 18, WINDOW = 1 << 24 }; /* elements */

/* Whether the array is aligned so that it can be read in place. */
static heed_status check_place(const char *name, const heed_shard_array *array, int64_t least) {
  if (array->count < least)
    return heed_error(HEED_INVALID, "/%s is empty", name);
  if (array->offset % (uint64_t)array->width != 0)
    return heed_error(HEED_INVALID, "/%s is not aligned to its type; `heed prepare` writes it so", name);
  return HEED_OK;
}

static heed_status check_counts(const heed_shard_layout *layout) {
  HEED_TRY(check_place("tokens", &layout->tokens, 1));
  HEED_TRY(check_place("sentences", &layout->sentences, 2));
  HEED_TRY(check_place("documents", &layout->documents, 2));
  if (layout->token_count != layout->tokens.count || layout->sentence_count != layout->sentences.count - 1 ||
      layout->document_count != layout->documents.count - 1)
    return heed_error(HEED_INVALID, "its counts do not agree with its arrays");
  if (layout->vocabulary_size < 1 || layout->vocabulary_size > INT32_MAX)
    return heed_error(HEED_INVALID, "a vocabulary of %lld tokens is impossible", (long long)layout->vocabulary_size);
  if (layout->cased != 0 && layout->cased != 1)
    return heed_error(HEED_INVALID, "cased is neither 0 nor 1");
  if (strcmp(layout->tokenizer, "wordpiece") != 0 && strcmp(layout->tokenizer, "bpe") != 0)
    return heed_error(HEED_INVALID, "its tokenizer is neither wordpiece nor bpe");
  return HEED_OK;
}

/* Arrays are checked a window at a time; its pages are then given back, so that a large shard does not fill the process. */
static void give_back(const void *window, size_t bytes) {
  heed_pulse_beat();
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)window / page * page,
            end = ((uintptr_t)window + bytes) / page * page;
  if (end > first)
    madvise((void *)first, end - first, MADV_DONTNEED);
}

static int64_t window_end(int64_t first, int64_t count) {
  return count - first < WINDOW ? count : first + WINDOW;
}

uint64_t heed_shard_content_hash(uint64_t sentences, uint64_t documents, uint64_t tokens) {
  return heed_hash((uint64_t[]){sentences, documents, tokens}, 3 * sizeof tokens);
}

/* Offsets that begin at 0, end at `last` and rise: no sentence and no document is empty.  And their hash. */
static heed_status check_offsets(const char *name, const int64_t *offsets, int64_t count, int64_t last, uint64_t *hash) {
  heed_hasher *hasher;
  bool rising = true;
  if (offsets[0] != 0 || offsets[count] != last)
    return heed_error(HEED_INVALID, "/%s does not go from 0 to %lld", name, (long long)last);
  HEED_TRY(heed_hasher_begin(&hasher));
  for (int64_t first = 0; first < count; first += WINDOW) {
    int64_t end = window_end(first, count);
#pragma omp parallel for schedule(static) reduction(&& : rising) if (end - first > WORTH_THREADS)
    for (int64_t i = first; i < end; i++)
      rising = rising && offsets[i] < offsets[i + 1];
    heed_hasher_add(hasher, offsets + first, (size_t)(end - first) * sizeof *offsets);
    give_back(offsets + first, (size_t)(end - first) * sizeof *offsets);
  }
  heed_hasher_add(hasher, offsets + count, sizeof *offsets);
  *hash = heed_hasher_end(hasher);
  return rising ? HEED_OK : heed_error(HEED_INVALID, "/%s does not rise", name);
}

static uint32_t largest_narrow(const uint16_t *tokens, int64_t count) {
  uint32_t largest = 0;
#pragma omp parallel for simd schedule(static) reduction(max : largest) if (count > WORTH_THREADS)
  for (int64_t i = 0; i < count; i++)
    largest = tokens[i] > largest ? tokens[i] : largest;
  return largest;
}

static uint32_t largest_wide(const uint32_t *tokens, int64_t count) {
  uint32_t largest = 0;
#pragma omp parallel for simd schedule(static) reduction(max : largest) if (count > WORTH_THREADS)
  for (int64_t i = 0; i < count; i++)
    largest = tokens[i] > largest ? tokens[i] : largest;
  return largest;
}

static heed_status check_tokens(const heed_shard *shard, uint64_t *hash) {
  size_t width = shard->wide ? sizeof(uint32_t) : sizeof(uint16_t);
  uint32_t largest = 0;
  heed_hasher *hasher;
  HEED_TRY(heed_hasher_begin(&hasher));
  for (int64_t first = 0; first < shard->token_count; first += WINDOW) {
    int64_t count = window_end(first, shard->token_count) - first;
    const char *window = (const char *)shard->tokens + (size_t)first * width;
    uint32_t here = shard->wide ? largest_wide((const uint32_t *)(const void *)window, count)
                                : largest_narrow((const uint16_t *)(const void *)window, count);
    largest = here > largest ? here : largest;
    heed_hasher_add(hasher, window, (size_t)count * width);
    give_back(window, (size_t)count * width);
  }
  *hash = heed_hasher_end(hasher);
  if ((int64_t)largest >= shard->vocabulary_size)
    return heed_error(HEED_INVALID, "it holds token %lu of a vocabulary of %lld", (unsigned long)largest,
                      (long long)shard->vocabulary_size);
  return HEED_OK;
}

/* Everything that the arrays hold. */
static heed_status check_content(heed_shard *shard, const heed_shard_layout *layout) {
  uint64_t sentences, documents, tokens;
  HEED_TRY(check_offsets("sentences", shard->sentences, shard->sentence_count, shard->token_count, &sentences));
  HEED_TRY(check_offsets("documents", shard->documents, shard->document_count, shard->sentence_count, &documents));
  HEED_TRY(check_tokens(shard, &tokens));
  shard->content_hash = heed_shard_content_hash(sentences, documents, tokens);
  if (layout->format >= HEED_SHARD_HASHED && shard->content_hash != layout->content_hash)
    return heed_error(HEED_INVALID,
                      "it is damaged: its content is not what `heed prepare` wrote (hash %016llx in place of %016llx); copy it again, or "
                      "prepare it again",
                      (unsigned long long)shard->content_hash, (unsigned long long)layout->content_hash);
  return HEED_OK;
}

static heed_status map_file(heed_shard *shard, int file, size_t bytes) {
  heed_shard_layout layout;
  HEED_TRY(heed_shard_layout_read(&layout, file, (int64_t)bytes, shard->path));
  heed_status status = check_counts(&layout);
  if (status == HEED_OK) {
    HEED_TRY(heed_mapping_open(&shard->mapping, file, bytes, shard->path));
    shard->mapped_bytes = bytes;
    const char *base = shard->mapping;
    shard->tokens = base + layout.tokens.offset;
    shard->wide = layout.tokens.width == sizeof(uint32_t);
    shard->token_count = layout.token_count;
    shard->sentences = (const int64_t *)(const void *)(base + layout.sentences.offset);
    shard->sentence_count = layout.sentence_count;
    shard->documents = (const int64_t *)(const void *)(base + layout.documents.offset);
    shard->document_count = layout.document_count;
    shard->vocabulary_hash = layout.vocabulary_hash;
    shard->vocabulary_size = layout.vocabulary_size;
    shard->cased = layout.cased != 0;
    memcpy(shard->tokenizer, layout.tokenizer, sizeof shard->tokenizer);
    status = check_content(shard, &layout);
  }
  return status == HEED_OK ? status : heed_error_in(status, "%s: not a sound token shard", shard->path);
}

void heed_shard_changed(const heed_shard *shard) {
  heed_mapping_end(shard->path, "it was written to while in use; put back what was there, let a new file have another name, and go on with "
                                "--resume");
}

void heed_shard_look(const heed_shard *shard) {
  if (heed_mapping_was_written(shard->mapping))
    heed_shard_changed(shard);
}

heed_status heed_shard_open(heed_shard *shard, const char *path) {
  struct stat about;
  *shard = (heed_shard){.path = strdup(path)};
  if (!shard->path)
    return heed_error(HEED_FAILED, "out of memory for the name of a token shard");
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not make us wait */
  heed_status status;
  if (file < 0)
    status = heed_error(errno == EIO ? HEED_IO : HEED_INVALID, "%s: the token shard could not be opened: %s", path, strerror(errno));
  else if (fstat(file, &about) != 0)
    status = heed_error(HEED_IO, "%s: %s", path, strerror(errno));
  else if (!S_ISREG(about.st_mode) || about.st_size <= 0)
    status = heed_error(HEED_INVALID, "%s: empty or not a file; `heed prepare` makes token shards", path);
  else
    status = map_file(shard, file, (size_t)about.st_size);
  if (file >= 0)
    close(file);
  if (status != HEED_OK)
    heed_shard_close(shard);
  return status;
}

void heed_shard_close(heed_shard *shard) {
  heed_mapping_close(shard->mapping);
  free(shard->path);
  *shard = (heed_shard){0};
}

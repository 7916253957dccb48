#include "checkpoint/manifest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const char *const type_names[] = {[HEED_ITEM_FLOAT32] = "float32", [HEED_ITEM_TEXT] = "text"};
static const char FIRST_WORD[] = "heed-checkpoint ", LAST_WORD[] = "manifest ";
enum { LAST_LINE = sizeof LAST_WORD - 1 + 16 + 1 };

static heed_status measure(heed_item *item) {
  int64_t count = 1, most = item->type == HEED_ITEM_TEXT ? HEED_MAX_VOCABULARY : INT64_MAX / 8;
  bool fits = item->rank >= 1 && item->rank <= (item->type == HEED_ITEM_TEXT ? 1 : HEED_MAX_RANK);
  for (int axis = 0; fits && axis < item->rank; axis++)
    fits = item->shape[axis] >= 1 && !__builtin_mul_overflow(count, item->shape[axis], &count) && count <= most;
  if (!fits)
    return heed_error(HEED_INVALID, "%s has an impossible shape", item->path);
  item->bytes = item->type == HEED_ITEM_TEXT ? count : count * (int64_t)sizeof(float);
  return HEED_OK;
}

/* A path names groups and a dataset: "/a/b", no component empty or of dots alone, and nothing that would break a line of text. */
static bool path_is_good(const char *path) {
  if (path[0] != '/')
    return false;
  for (const char *part = path + 1;; part++) {
    size_t length = strcspn(part, "/");
    if (length == 0 || strspn(part, ".") == length)
      return false;
    for (size_t i = 0; i < length; i++)
      if ((unsigned char)part[i] <= ' ' || part[i] == 127)
        return false;
    part += length;
    if (!*part)
      return true;
  }
}

heed_status heed_manifest_add_file(heed_manifest *manifest) {
  if (manifest->file_count == HEED_MAX_FILES)
    return heed_error(HEED_INVALID, "more than %d files", HEED_MAX_FILES);
  manifest->files[manifest->file_count++] = (heed_manifest_file){.first = manifest->count, .end = manifest->count};
  return HEED_OK;
}

heed_status heed_manifest_add(heed_manifest *manifest, const heed_item *item) {
  if (!path_is_good(item->path))
    return heed_error(HEED_INVALID, "'%s' cannot be the name of a tensor in a checkpoint", item->path);
  if (manifest->count == HEED_MAX_ITEMS)
    return heed_error(HEED_INVALID, "more than %d items", HEED_MAX_ITEMS);
  if (manifest->count == manifest->capacity) {
    int64_t capacity = manifest->capacity ? 2 * manifest->capacity : 64;
    heed_item *items = realloc(manifest->items, (size_t)capacity * sizeof *items);
    if (!items)
      return heed_error(HEED_FAILED, "out of memory for the list of tensors");
    manifest->items = items;
    manifest->capacity = capacity;
  }
  heed_item *added = &manifest->items[manifest->count];
  *added = *item;
  added->file = manifest->file_count - 1;
  HEED_TRY(measure(added));
  manifest->files[added->file].end = ++manifest->count;
  return HEED_OK;
}

int heed_manifest_version(const heed_manifest *manifest) {
  return manifest->file_count > 1 || manifest->info.data_hash ? HEED_FORMAT_VERSION : 1;
}

int64_t heed_manifest_bytes(const heed_manifest *manifest) {
  int64_t bytes = 0;
  for (int i = 0; i < manifest->file_count; i++)
    bytes += manifest->files[i].bytes;
  return bytes;
}

const heed_item *heed_manifest_find(const heed_manifest *manifest, const char *path, int64_t *hint) {
  int64_t at = *hint, low = 0, high = manifest->count;
  bool found = at >= 0 && at < manifest->count && strcmp(manifest->items[at].path, path) == 0;
  while (!found && low < high) { /* a stranger's manifest may have any order */
    int64_t middle = (low + high) / 2;
    at = manifest->by_path[middle];
    int order = strcmp(path, manifest->items[at].path);
    found = order == 0;
    low = order > 0 ? middle + 1 : low;
    high = order > 0 ? high : middle;
  }
  if (!found)
    return NULL;
  *hint = at + 1;
  return &manifest->items[at];
}

void heed_manifest_free(heed_manifest *manifest) {
  free(manifest->items);
  free(manifest->by_path);
  *manifest = (heed_manifest){0};
}

/* Free text on a line of its own. */
static void print_word(FILE *out, const char *key, const char *value) {
  fprintf(out, "%s ", key);
  for (; *value; value++)
    fputc(iscntrl((unsigned char)*value) ? '?' : *value, out);
  fputc('\n', out);
}

static void print_item(FILE *out, const heed_item *item) {
  fprintf(out, "item %s %016llx ", type_names[item->type], (unsigned long long)item->checksum);
  for (int axis = 0; axis < item->rank; axis++)
    fprintf(out, "%s%lld", axis ? "x" : "", (long long)item->shape[axis]);
  fprintf(out, " %s\n", item->path);
}

heed_status heed_manifest_print(const heed_manifest *manifest, char **text, size_t *bytes) {
  const heed_checkpoint_info *info = &manifest->info;
  *text = NULL;
  FILE *out = open_memstream(text, bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for a manifest");
  fprintf(out, "%s%d\nstep %lld\nupdates %lld\ndata_position %lld\nsamples_seen %lld\nseed %lu\ncased %d\n", FIRST_WORD,
          heed_manifest_version(manifest), (long long)info->step, (long long)info->updates, (long long)info->data_position,
          (long long)info->samples_seen, (unsigned long)info->seed, info->cased);
  fprintf(out, "validation_loss %.17g\n", isnan(info->validation_loss) ? (double)NAN : info->validation_loss);
  print_word(out, "isa", info->isa);
  print_word(out, "blas", info->blas);
  if (info->data_hash)
    fprintf(out, "content %016llx\n", (unsigned long long)info->data_hash);
  for (const heed_manifest_file *file = manifest->files; file < manifest->files + manifest->file_count; file++) {
    fprintf(out, "file %lld %016llx\n", (long long)file->bytes, (unsigned long long)file->checksum);
    for (int64_t i = file->first; i < file->end; i++)
      print_item(out, &manifest->items[i]);
  }
  if (fflush(out) == 0)
    fprintf(out, "%s%016llx\n", LAST_WORD, (unsigned long long)heed_hash(*text, *bytes));
  if (ferror(out) | fclose(out)) {
    free(*text);
    *text = NULL;
    return heed_error(HEED_FAILED, "out of memory for a manifest");
  }
  if (*bytes <= HEED_MAX_MANIFEST)
    return HEED_OK;
  free(*text);
  *text = NULL;
  return heed_error(HEED_INVALID, "a manifest of more than %d bytes", HEED_MAX_MANIFEST);
}

/* Reading: a cursor over the lines; `good` falls and stays down at the first thing that is not as it should be. */
typedef struct cursor {
  char *at, *end;
  int line;
  bool good;
} cursor;

static bool is_next(const cursor *c, const char *key) {
  size_t length = strlen(key), left = (size_t)(c->end - c->at);
  return left > length && strncmp(c->at, key, length) == 0 && c->at[length] == ' ';
}

/* The rest of the next line after "KEY ", NUL-terminated; empty when the line is another. */
static char *take_line(cursor *c, const char *key) {
  static char none[1];
  char *line = c->at, *stop = c->good && is_next(c, key) ? memchr(line, '\n', (size_t)(c->end - line)) : NULL;
  c->line += c->good;
  c->good = stop != NULL;
  if (!c->good)
    return none;
  *stop = 0;
  c->at = stop + 1;
  return line + strlen(key) + 1;
}

/* A count in decimal digits that ends at one of `stops`, not consumed. */
static int64_t take_count(cursor *c, char **text, const char *stops) {
  int64_t value = 0;
  size_t digits = strspn(*text, "0123456789");
  c->good = c->good && digits > 0 && digits <= 18 && ((*text)[digits] == 0 || strchr(stops, (*text)[digits]));
  for (size_t i = 0; c->good && i < digits; i++)
    value = 10 * value + ((*text)[i] - '0');
  if (c->good)
    *text += digits;
  return value;
}

static int64_t take_number(cursor *c, const char *key) {
  char *text = take_line(c, key);
  int64_t value = take_count(c, &text, "");
  c->good = c->good && !*text;
  return value;
}

static uint64_t take_checksum(cursor *c, char **text) {
  char digits[17] = "";
  c->good = c->good && strspn(*text, "0123456789abcdef") == 16;
  if (!c->good)
    return 0;
  memcpy(digits, *text, 16);
  *text += 16;
  return strtoull(digits, NULL, 16);
}

static void take_space(cursor *c, char **text) {
  c->good = c->good && **text == ' ';
  *text += c->good;
}

static void take_word(cursor *c, const char *key, char *word, size_t capacity) {
  const char *text = take_line(c, key);
  c->good = c->good && strlen(text) < capacity;
  if (c->good)
    strcpy(word, text);
}

static heed_status take_file(cursor *c, heed_manifest *manifest) {
  char *text = take_line(c, "file");
  HEED_TRY(heed_manifest_add_file(manifest));
  heed_manifest_file *file = &manifest->files[manifest->file_count - 1];
  file->bytes = take_count(c, &text, " ");
  c->good = c->good && file->bytes <= INT64_MAX / HEED_MAX_FILES; /* so that all together can be told */
  take_space(c, &text);
  file->checksum = take_checksum(c, &text);
  c->good = c->good && !*text;
  return HEED_OK;
}

static heed_status take_item(cursor *c, heed_manifest *manifest) {
  heed_item item = {0};
  char *text = take_line(c, "item");
  size_t length = strcspn(text, " ");
  bool known = false;
  for (int type = 0; !known && type < (int)(sizeof type_names / sizeof *type_names); type++) {
    known = strlen(type_names[type]) == length && strncmp(text, type_names[type], length) == 0;
    if (known)
      item.type = (heed_item_type)type;
  }
  c->good = c->good && known;
  text += length;
  take_space(c, &text);
  item.checksum = take_checksum(c, &text);
  take_space(c, &text);
  do {
    text += item.rank > 0; /* the x */
    item.shape[item.rank++] = take_count(c, &text, "x ");
  } while (c->good && *text == 'x' && item.rank < HEED_MAX_RANK);
  take_space(c, &text);
  c->good = c->good && strlen(text) < sizeof item.path;
  if (!c->good)
    return HEED_OK; /* the caller says which line */
  strcpy(item.path, text);
  return heed_manifest_add(manifest, &item);
}

static void take_info(cursor *c, heed_checkpoint_info *info) {
  info->step = take_number(c, "step");
  info->updates = take_number(c, "updates");
  info->data_position = take_number(c, "data_position");
  info->samples_seen = take_number(c, "samples_seen");
  int64_t seed = take_number(c, "seed"), cased = take_number(c, "cased");
  c->good = c->good && seed <= UINT32_MAX && cased <= 1;
  info->seed = (uint32_t)seed;
  info->cased = cased == 1;
  char *end, *loss = take_line(c, "validation_loss");
  info->validation_loss = strtod(loss, &end);
  c->good = c->good && end != loss && !*end;
  take_word(c, "isa", info->isa, sizeof info->isa);
  take_word(c, "blas", info->blas, sizeof info->blas);
  const bool known = c->good && is_next(c, "content"), older = c->good && !known && is_next(c, "data");
  if (known || older) {
    char *hash = take_line(c, known ? "content" : "data");
    const uint64_t value = take_checksum(c, &hash);
    info->data_hash = known ? value : 0; /* a `data` line's was worked out otherwise, and compares with nothing */
    c->good = c->good && !*hash;
  }
}

static int by_path(const void *a, const void *b, void *items) {
  return strcmp(((const heed_item *)items)[*(const int32_t *)a].path, ((const heed_item *)items)[*(const int32_t *)b].path);
}

static heed_status sort_items(heed_manifest *manifest) {
  int32_t *order = manifest->by_path = malloc(((size_t)manifest->count + 1) * sizeof *order);
  if (!order)
    return heed_error(HEED_FAILED, "out of memory for the list of tensors");
  for (int32_t i = 0; i < manifest->count; i++)
    order[i] = i;
  qsort_r(order, (size_t)manifest->count, sizeof *order, by_path, manifest->items);
  for (int64_t i = 1; i < manifest->count; i++)
    if (strcmp(manifest->items[order[i]].path, manifest->items[order[i - 1]].path) == 0)
      return heed_error(HEED_INVALID, "MANIFEST lists %s twice", manifest->items[order[i]].path);
  return HEED_OK;
}

heed_status heed_manifest_parse(heed_manifest *manifest, char *text, size_t bytes) {
  *manifest = (heed_manifest){0};
  char last[LAST_LINE + 1];
  size_t body = bytes >= LAST_LINE ? bytes - LAST_LINE : 0;
  snprintf(last, sizeof last, "%s%016llx\n", LAST_WORD, (unsigned long long)heed_hash(text, body));
  if (body == 0 || memcmp(text + body, last, LAST_LINE) != 0)
    return heed_error(HEED_INVALID, "MANIFEST is damaged: it does not match its own checksum");
  if (memchr(text, 0, body))
    return heed_error(HEED_INVALID, "MANIFEST is not text");
  cursor c = {.at = text, .end = text + body, .good = true};
  char *first = strncmp(text, FIRST_WORD, sizeof FIRST_WORD - 1) == 0 ? take_line(&c, "heed-checkpoint") : NULL;
  if (!first || !c.good)
    return heed_error(HEED_INVALID, "MANIFEST is not a manifest of Heed's");
  if (strcmp(first, "1") != 0 && strcmp(first, "2") != 0)
    return heed_error(HEED_INVALID, "MANIFEST is of format '%.16s', this Heed reads formats 1 to %d; use the Heed that wrote it", first,
                      HEED_FORMAT_VERSION);
  take_info(&c, &manifest->info);
  heed_status status = take_file(&c, manifest);
  while (status == HEED_OK && c.good && c.at < c.end)
    status = is_next(&c, "file") ? take_file(&c, manifest) : take_item(&c, manifest);
  if (status == HEED_OK && !c.good)
    status = heed_error(HEED_INVALID, "MANIFEST, line %d: not understood", c.line);
  if (status == HEED_OK)
    status = sort_items(manifest);
  if (status != HEED_OK)
    heed_manifest_free(manifest);
  return status;
}

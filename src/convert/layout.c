#include "convert/layout.h"

#include <stdlib.h>
#include <string.h>

/* Whether a name is `pattern`, with a number where it has %d.  \param[out] number */
static bool matches(const char *name, const char *pattern, int *number) {
  size_t before = strcspn(pattern, "%");
  *number = 0;
  if (!pattern[before])
    return strcmp(name, pattern) == 0;
  if (strncmp(name, pattern, before) != 0)
    return false;
  char *end;
  *number = (int)strtol(name + before, &end, 10);
  return end > name + before && strcmp(end, pattern + before + 2) == 0;
}

static const heed_class_rename *rename_of(const heed_class *class, const char *name, int *number) {
  for (const heed_class_rename *r = class->renames; r->ours; r++)
    if (matches(name, r->ours, number))
      return r;
  return NULL;
}

/* `pattern` with the number in the place of %d. */
static void print_name(char name[HEED_MAX_NAME + 1], const char *pattern, int number) {
  size_t before = strcspn(pattern, "%");
  if (pattern[before])
    snprintf(name, HEED_MAX_NAME + 1, "%.*s%d%s", (int)before, pattern, number, pattern + before + 2);
  else
    snprintf(name, HEED_MAX_NAME + 1, "%s", pattern);
}

static void fill_item(heed_layout_item *item, const heed_parameter_table *table, int64_t index, const heed_class_rename *rename,
                      int number) {
  const heed_parameter *p = &table->items[index];
  int parts = rename ? rename->parts : 1;
  *item = (heed_layout_item){.first = index,
                             .parts = parts,
                             .transposed = rename && rename->transposed,
                             .rank = p->rank,
                             .offset = p->offset,
                             .count = parts * p->count};
  print_name(item->name, rename && rename->theirs ? rename->theirs : p->name, number);
  memcpy(item->shape, p->shape, sizeof item->shape);
  item->shape[0] *= parts;
  if (item->transposed) {
    int64_t rows = item->shape[0];
    item->shape[0] = item->shape[1];
    item->shape[1] = rows;
  }
}

heed_status heed_layout_create(heed_layout *layout, const heed_parameter_table *table, const heed_class *class) {
  *layout = (heed_layout){.items = calloc((size_t)table->count, sizeof *layout->items)};
  if (!layout->items)
    return heed_error(HEED_FAILED, "out of memory for a list of tensors");
  bool renames_all = class->renames->theirs != NULL; /* then what has no rename has no place */
  for (int64_t i = 0; i < table->count; i += layout->items[layout->count - 1].parts) {
    int number = 0;
    const heed_class_rename *rename = rename_of(class, table->items[i].name, &number);
    if (!rename && renames_all)
      return heed_error(HEED_INVALID, "transformers' %s has no place for %s", class->architecture, table->items[i].name);
    fill_item(&layout->items[layout->count++], table, i, rename, number);
  }
  return HEED_OK;
}

void heed_layout_free(heed_layout *layout) {
  free(layout->items);
  *layout = (heed_layout){0};
}

void heed_layout_transpose(float *y, const float *x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      y[c * rows + r] = x[r * columns + c];
}

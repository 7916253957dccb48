/* Embeddings: rows of three tables added, normalised and dropped from in one pass; backward sums the gradients of equal ids.
 *
 *     forward    sum = word + position (or wave) + type,  y = dropout(norm(sum)), or dropout(sum)
 *
 * Backward of the tables walks the tokens of each slice sorted by id (embedding_sort), so that threads share the rows of the table, nothing
 * is added by two threads, and ids that do not occur cost a row of zeros.  A slice without an id adds an exact zero: its branch is left
 * out. */
#include <string.h>

#include "base/tree.h"
#include "kernels/dropout_rows.h"
#include "kernels/layer_norm_rows.h"
#include "kernels/tree.h"

enum { ROWS = 64, COLUMNS = 128 }; /* of the table that a thread takes at a time */

/** What a table's row holds at place i. */
static inline float entry(const void *row, int64_t i, const bool wide) {
  return heed_value_of(wide ? heed_element_of(((const float *)row)[i]) : ((const heed_element *)row)[i]);
}

/** The row of a table; NULL: there is no such table. */
static inline const void *row_of(const void *table, const int32_t *rows, int64_t t, int64_t width, const bool wide) {
  return table ? (const char *)table + rows[t] * width * (int64_t)(wide ? sizeof(float) : sizeof(heed_element)) : NULL;
}

/** y = a (+ b) (+ c) of one token; b and c may be NULL; b is floats with `wave`. */
static inline __attribute__((always_inline)) void add_rows(float *y, const void *a, const void *b, const void *c, int64_t width,
                                                           const bool wide, const bool wave) {
  if (b && c) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
      y[i] = entry(a, i, wide) + (wave ? ((const float *)b)[i] : entry(b, i, wide)) + entry(c, i, wide);
  } else if (b) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
      y[i] = entry(a, i, wide) + (wave ? ((const float *)b)[i] : entry(b, i, wide));
  } else if (c) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
      y[i] = entry(a, i, wide) + entry(c, i, wide);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
      y[i] = entry(a, i, wide);
  }
}

static inline __attribute__((always_inline)) void add_token(float *y, const heed_embedding_rows *rows, int64_t t, int64_t width,
                                                            const bool wide) {
  const void *word = row_of(rows->words, rows->ids, t, width, wide), *type = row_of(rows->types, rows->type, t, width, wide);
  if (rows->waves)
    add_rows(y, word, rows->waves + rows->position[t] * width, type, width, wide, true);
  else
    add_rows(y, word, row_of(rows->positions, rows->position, t, width, wide), type, width, wide, false);
}

/** Words lie anywhere in the largest table, out of every cache: the next token's is on its way while this one's is worked on. */
static void fetch_row(const heed_embedding_rows *rows, int64_t t, int64_t width) {
  const int64_t bytes = width * (int64_t)(rows->wide ? sizeof(float) : sizeof(heed_element));
  const char *row = (const char *)rows->words + rows->ids[t] * bytes;
  for (int64_t c = 0; c < bytes; c += HEED_LANES * (int64_t)sizeof(float))
    __builtin_prefetch(row + c);
}

void HEED_KERNEL(embedding_forward)(float *y, void *elements, float *sum, float *mean, float *rstd, const heed_embedding_rows *rows,
                                    const float *gamma, const float *beta, const int32_t *sequence_of, const int64_t *offsets,
                                    int64_t tokens, int64_t width, float epsilon, const heed_dropout *dropout) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    float *out = y + t * width, *added = gamma ? sum + t * width : out;
    if (t + 1 < tokens)
      fetch_row(rows, t + 1, width);
    heed_row_draws draws = heed_row_draws_of(t, sequence_of, offsets, width, dropout);
    if (rows->wide)
      add_token(added, rows, t, width, true);
    else
      add_token(added, rows, t, width, false);
    if (gamma)
      heed_normalise_row(out, NULL, mean + t, rstd + t, added, gamma, beta, width, epsilon);
    heed_drop_row(out, out, width, &draws);
    if (elements)
      heed_elements((heed_element *)elements + t * width, out, width);
  }
}

void HEED_KERNEL(embedding_norm_backward)(float *d_sum, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                          const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                          const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width,
                                          const heed_dropout *dropout, float *workspace, float *scratch) {
  heed_norm_backward n = {d_sum, d_sum, sum, mean, rstd, gamma, width};
  heed_dropped_rows rows = {d_sum, d_y, sequence_of, offsets, width, dropout};
  if (gamma) {
    heed_norm_backward_blocks(&n, false, heed_drop_rows, NULL, &rows, d_gamma, d_beta, starts, slices, workspace, scratch);
    return;
  }
#pragma omp for schedule(static)
  for (int64_t t = starts[0]; t < starts[slices]; t++)
    heed_drop_rows(&rows, t, t + 1);
}

/** Tokens are ordered by id, equal ids by token: no two are equal, so any sort is stable. */
static bool comes_before(const int32_t *ids, int32_t a, int32_t b) {
  return ids[a] < ids[b] || (ids[a] == ids[b] && a < b);
}

static void sift_down(int32_t *heap, int64_t at, int64_t count, const int32_t *ids) {
  int32_t sinking = heap[at];
  for (int64_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && comes_before(ids, heap[child], heap[child + 1]))
      child++;
    if (!comes_before(ids, sinking, heap[child]))
      break;
    heap[at] = heap[child];
  }
  heap[at] = sinking;
}

/* A heap sort: in place, and never slow. */
void HEED_KERNEL(embedding_sort)(int32_t *order, const int32_t *ids, const int64_t *starts, int64_t slices) {
#pragma omp for schedule(dynamic)
  for (int64_t g = 0; g < slices; g++) {
    int32_t *heap = order + starts[g];
    int64_t count = starts[g + 1] - starts[g];
    for (int64_t i = 0; i < count; i++)
      heap[i] = (int32_t)(starts[g] + i);
    for (int64_t i = count / 2; i-- > 0;)
      sift_down(heap, i, count, ids);
    for (int64_t end = count; end-- > 1;) {
      int32_t largest = heap[0];
      heap[0] = heap[end];
      heap[end] = largest;
      sift_down(heap, 0, end, ids);
    }
  }
}

int64_t HEED_KERNEL(embedding_scratch)(int64_t slices) {
  return COLUMNS * heed_tree_room(slices) + 2 * slices; /* cursors are int64_t */
}

/** The first place in order[begin, end) whose id is at least `id`. */
static int64_t find(const int32_t *order, const int32_t *ids, int64_t begin, int64_t end, int64_t id) {
  while (begin < end) {
    int64_t middle = begin + (end - begin) / 2;
    if (ids[order[middle]] < id)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

/** What backward reads of one call, and the place of each slice in the sorted order. */
typedef struct walk {
  const float *d_y;
  const int32_t *order, *ids;
  const int64_t *starts;
  int64_t width, *cursor;
} walk;

/** sum[0 … columns) = Σ of slice g's tokens of `id`; the slice's cursor passes them.  In double: [CLS] and the token types occur often. */
static void sum_of_slice(float *sum, const walk *w, int64_t g, int64_t id, int64_t column, int64_t columns) {
  double total[COLUMNS] = {0};
  int64_t at = w->cursor[g];
  for (; at < w->starts[g + 1] && w->ids[w->order[at]] == id; at++) {
    const float *row = w->d_y + w->order[at] * w->width + column;
#pragma omp simd
    for (int64_t c = 0; c < columns; c++)
      total[c] += (double)row[c];
  }
  w->cursor[g] = at;
#pragma omp simd
  for (int64_t c = 0; c < columns; c++)
    sum[c] = (float)total[c];
}

/** sum = Σ over slices [first, first + count) along the tree (base/tree.h), level by level in scratch.  False when no slice has the id:
 *  nothing is written then. */
static bool sum_of_slices(float *sum, const walk *w, int64_t first, int64_t count, int64_t id, int64_t column, int64_t columns) {
  if (count == 1) {
    int64_t at = w->cursor[first];
    if (at == w->starts[first + 1] || w->ids[w->order[at]] != id)
      return false;
    sum_of_slice(sum, w, first, id, column, columns);
    return true;
  }
  int64_t split = heed_tree_split(count);
  if (!sum_of_slices(sum, w, first, split, id, column, columns))
    return sum_of_slices(sum, w, first + split, count - split, id, column, columns);
  if (sum_of_slices(sum + COLUMNS, w, first + split, count - split, id, column, columns))
    heed_tree_add(sum, sum + COLUMNS, columns);
  return true;
}

/** The lowest id below `end` that a cursor stands on, or `end`. */
static int64_t next_id(const walk *w, int64_t slices, int64_t end) {
  int64_t next = end;
  for (int64_t g = 0; g < slices; g++)
    if (w->cursor[g] < w->starts[g + 1])
      next = heed_at_most(next, w->ids[w->order[w->cursor[g]]]);
  return next;
}

void HEED_KERNEL(embedding_backward)(float *d_table, const float *d_y, const int32_t *order, const int32_t *ids, const int64_t *starts,
                                     int64_t slices, int64_t rows, int64_t width, float *scratch) {
  walk w = {d_y, order, ids, starts, width, (void *)(scratch + COLUMNS * heed_tree_room(slices))};
  int64_t bands = (width + COLUMNS - 1) / COLUMNS, blocks = (rows + ROWS - 1) / ROWS;
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < blocks * bands; item++) {
    int64_t first = item / bands * ROWS, end = heed_at_most(rows, first + ROWS);
    int64_t column = item % bands * COLUMNS, columns = heed_at_most(COLUMNS, width - column);
    for (int64_t g = 0; g < slices; g++)
      w.cursor[g] = find(order, ids, starts[g], starts[g + 1], first);
    for (int64_t row = first; row < end; row++)
      memset(d_table + row * width + column, 0, (size_t)columns * sizeof *d_table);
    for (int64_t id; (id = next_id(&w, slices, end)) < end;)
      if (sum_of_slices(scratch, &w, 0, slices, id, column, columns))
        heed_tree_write(d_table + id * width + column, scratch, columns);
  }
}

/** How a model's parameters lie in a file of transformers': one entry a tensor of the file. */
#ifndef HEED_CONVERT_LAYOUT_H
#define HEED_CONVERT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "convert/classes.h"
#include "heed/parameters.h"

typedef struct heed_layout_item {
  char name[HEED_MAX_NAME + 1]; /**< theirs */
  int64_t first;                /**< index of the first of our tensors that it is made of; they lie one behind the other */
  int parts;
  bool transposed;
  int rank;
  int64_t shape[HEED_MAX_RANK]; /**< theirs */
  int64_t offset, count;        /**< of the floats in the flat block */
} heed_layout_item;

typedef struct heed_layout {
  heed_layout_item *items;
  int64_t count;
} heed_layout;

/** The layout of a table's tensors in files of that class, in the order of the table.  Errors: HEED_INVALID for a tensor that the class has
 * no place for; HEED_FAILED when memory is short. */
heed_status heed_layout_create(heed_layout *layout, const heed_parameter_table *table, const heed_class *class);
void heed_layout_free(heed_layout *layout);

/** y[columns, rows] = x[rows, columns] turned over. */
void heed_layout_transpose(float *y, const float *x, int64_t rows, int64_t columns);

#endif

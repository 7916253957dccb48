/** safetensors: weights as other programs keep them.
 *
 *      8 bytes      N, the header's length, little-endian
 *      N bytes      JSON: {"NAME": {"dtype": "F32", "shape": [30522, 256], "data_offsets": [first, end]}, …, "__metadata__": {…}}
 *      the rest     the tensors, row-major, little-endian, one behind the other; offsets count from here
 *
 *  Source: the format's own description (github.com/huggingface/safetensors, README). */
#ifndef HEED_CHECKPOINT_SAFETENSORS_H
#define HEED_CHECKPOINT_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/parameters.h"
#include "heed/status.h"

/** A tensor of the file. */
typedef struct heed_safetensor {
  char name[HEED_MAX_NAME + 1];
  const char *type; /**< "F32", "BF16", … (static) */
  int rank;         /**< 0 for a single number */
  int64_t shape[HEED_MAX_RANK];
  int64_t count;         /**< product of shape */
  int64_t offset, bytes; /**< in the file */
} heed_safetensor;

/** An open file, its header checked.  Tensors are in the order of their data. */
typedef struct heed_safetensors {
  char *path; /**< in messages */
  int file;
  heed_safetensor *items;
  const heed_safetensor **by_name; /**< [count] the same in the order of their names */
  int64_t count;
} heed_safetensors;

/** Opens a file and checks its header: the tensors must lie one behind the other, in order or not, without overlap or gap, and fill the
 * file. Memory stays below 256 MiB whatever the file says.  Rank-local. Errors: HEED_INVALID for what is no sound safetensors file, HEED_IO
 * for a failed read, HEED_FAILED when memory is short. */
heed_status heed_safetensors_open(heed_safetensors *file, const char *path);
void heed_safetensors_close(heed_safetensors *file);

/** The tensor of that name, or NULL. */
const heed_safetensor *heed_safetensors_find(const heed_safetensors *file, const char *name);

/** Reads a tensor as fp32: exact from F32, F16 and BF16, rounded to nearest from F64.  \param[out] values  [tensor->count]
 *  Errors: HEED_INVALID for another type, HEED_IO for a failed read. */
heed_status heed_safetensors_read(const heed_safetensors *file, const heed_safetensor *tensor, float *values);

/** Writes all tensors of the table as F32 into the new file `name` of the open folder, and makes it durable.
 *  \param[in] values  the flat block.  Errors: HEED_IO, HEED_FAILED when memory is short. */
heed_status heed_safetensors_write(int folder, const char *name, const heed_parameter_table *table, const float *values);

#endif

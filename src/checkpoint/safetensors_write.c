#include <stdio.h>
#include <stdlib.h>

#include "checkpoint/file.h"
#include "checkpoint/safetensors.h"

/* The header with its length before it, padded by spaces so that the data are aligned.  transformers wants to know the framework that
 * the tensors were laid out for: "pt" has linear weights as [out, in], as Heed does. */
static heed_status print_header(const heed_parameter_table *table, char **text, size_t *bytes) {
  *text = NULL;
  FILE *out = open_memstream(text, bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for a header");
  fwrite("\0\0\0\0\0\0\0", 1, 8, out);
  fputs("{\"__metadata__\":{\"format\":\"pt\"}", out);
  for (int64_t i = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    fprintf(out, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", p->name);
    for (int axis = 0; axis < p->rank; axis++)
      fprintf(out, "%s%lld", axis ? "," : "", (long long)p->shape[axis]);
    fprintf(out, "],\"data_offsets\":[%lld,%lld]}", (long long)p->offset * 4, (long long)(p->offset + p->count) * 4);
  }
  fputc('}', out);
  while (fflush(out) == 0 && *bytes % 8 != 0)
    fputc(' ', out);
  if (ferror(out) | fclose(out)) {
    free(*text);
    *text = NULL;
    return heed_error(HEED_FAILED, "out of memory for a header");
  }
  uint64_t length = *bytes - 8;
  for (int i = 0; i < 8; i++, length >>= 8)
    (*text)[i] = (char)(length & 0xFF);
  return HEED_OK;
}

/* The flat block has no gaps and is in the order of the table: it is the file's data as it stands. */
heed_status heed_safetensors_write(int folder, const char *name, const heed_parameter_table *table, const float *values) {
  char *header;
  size_t bytes;
  HEED_TRY(print_header(table, &header, &bytes));
  int file;
  heed_status status = heed_file_create(folder, name, &file);
  if (status == HEED_OK)
    status = heed_file_write(file, name, header, bytes, 0);
  free(header);
  if (status == HEED_OK)
    status = heed_file_write(file, name, values, (size_t)table->total * sizeof *values, (int64_t)bytes);
  return heed_file_finish(&file, name, status);
}

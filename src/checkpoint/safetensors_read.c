#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "checkpoint/file.h"
#include "checkpoint/safetensors.h"

/* The format allows headers of 100 MB.  65,536 tensors with long names need a quarter of that, and so no more is taken into memory; 16
 * values of JSON are enough for a tensor. */
enum { MOST_HEADER = 25 << 20, PIECE = 1 << 16 };
_Static_assert((int)HEED_JSON_MOST_VALUES >= 16 * (int)HEED_MAX_PARAMETERS, "every file that may have so many tensors can be read");

static const struct {
  const char *name;
  int bytes;
} types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
             {"U64", 8}, {"U32", 4}, {"U16", 2},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

static heed_status refuse_start(const unsigned char *start) {
  if (memcmp(start, "PK\3\4", 4) == 0 || start[0] == 0x80)
    return heed_error(HEED_INVALID, "is a PyTorch pickle, not safetensors; save it anew with save_pretrained(…), which writes "
                                    "model.safetensors");
  if (memcmp(start, "version ", 8) == 0)
    return heed_error(HEED_INVALID, "is a pointer of Git LFS, not the weights; fetch them with `git lfs pull`");
  return heed_error(HEED_INVALID, "is not a safetensors file: its header would have an impossible length");
}

/* \param[out] json  the header, parsed; \param[out] data  where the tensors begin */
static heed_status read_header(int file, int64_t bytes, json_t **json, int64_t *data) {
  unsigned char start[8];
  uint64_t length = 0;
  if (bytes < 10)
    return heed_error(HEED_INVALID, "is not a safetensors file: it has only %lld bytes", (long long)bytes);
  HEED_TRY(heed_file_read(file, "it", start, sizeof start, 0));
  for (int i = 7; i >= 0; i--)
    length = length << 8 | start[i];
  if (length < 2 || length > (uint64_t)(bytes - 8))
    return refuse_start(start);
  if (length > MOST_HEADER)
    return heed_error(HEED_INVALID, "has a header of %.1f MiB; Heed takes up to %d MiB", (double)length / 1048576.0, MOST_HEADER >> 20);
  char *text = malloc(length);
  if (!text)
    return heed_error(HEED_FAILED, "out of memory for its header");
  heed_status status = heed_file_read(file, "it", text, length, 8);
  json_error_t error;
  if (status == HEED_OK && heed_json_values(text, length) > HEED_JSON_MOST_VALUES)
    status = heed_error(HEED_INVALID, "has a header of more than %d values, too many for a model", HEED_JSON_MOST_VALUES);
  if (status == HEED_OK && !(*json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error)))
    status = heed_error(HEED_INVALID, "has a header that is not JSON: %s at byte %d", error.text, error.position);
  if (status == HEED_OK && !json_is_object(*json))
    status = heed_error(HEED_INVALID, "has a header that is not a JSON object");
  free(text);
  *data = 8 + (int64_t)length;
  return status;
}

/* A count ≥ 0 of the header; −1 for anything else. */
static int64_t count_of(const json_t *value) {
  return json_is_integer(value) && json_integer_value(value) >= 0 ? (int64_t)json_integer_value(value) : -1;
}

/* Reads one entry.  \param[in,out] tensor  its offset is still that of the header. */
static const char *entry_fault(heed_safetensor *tensor, const char *name, const json_t *entry) {
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
  size_t known = 0, length = strlen(name);
  if (length == 0 || length > HEED_MAX_NAME)
    return "has a name that is empty or longer than 255 bytes";
  if (!type || !json_is_array(shape) || json_array_size(offsets) != 2)
    return "has no dtype, shape and data_offsets";
  while (known < sizeof types / sizeof *types && strcmp(types[known].name, type) != 0)
    known++;
  if (known == sizeof types / sizeof *types)
    return "is of a dtype that Heed does not know";
  if (json_array_size(shape) > HEED_MAX_RANK)
    return "has more than 4 dimensions";
  strcpy(tensor->name, name);
  tensor->type = types[known].name;
  tensor->rank = (int)json_array_size(shape);
  tensor->count = 1;
  for (int axis = 0; axis < tensor->rank; axis++) {
    tensor->shape[axis] = count_of(json_array_get(shape, (size_t)axis));
    if (tensor->shape[axis] < 0 || __builtin_mul_overflow(tensor->count, tensor->shape[axis], &tensor->count))
      return "has an impossible shape";
  }
  int64_t first = count_of(json_array_get(offsets, 0)), end = count_of(json_array_get(offsets, 1));
  if (first < 0 || end < first)
    return "has impossible data_offsets";
  if (__builtin_mul_overflow(tensor->count, types[known].bytes, &tensor->bytes) || tensor->bytes != end - first)
    return "has data_offsets that are not of the size of its shape";
  tensor->offset = first;
  return NULL;
}

static int by_offset(const void *a, const void *b) {
  const heed_safetensor *x = a, *y = b;
  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes; /* an empty tensor lies before the one that begins at its place */
}

/* Puts the tensors in the order of their data and checks that they fill [data, bytes) of the file. */
static heed_status place_items(heed_safetensors *file, int64_t data, int64_t bytes) {
  int64_t end = 0;
  qsort(file->items, (size_t)file->count, sizeof *file->items, by_offset);
  for (int64_t i = 0; i < file->count; i++) {
    heed_safetensor *tensor = &file->items[i];
    if (tensor->offset != end)
      return heed_error(HEED_INVALID, "%s: its data %s", tensor->name,
                        tensor->offset < end ? "overlap another tensor's" : "lie behind a gap");
    if (tensor->bytes > bytes - data - end)
      return heed_error(HEED_INVALID, "%s: its data reach beyond the end of the file, which was cut or not written whole", tensor->name);
    end += tensor->bytes;
    tensor->offset += data;
  }
  if (data + end != bytes)
    return heed_error(HEED_INVALID, "has %lld bytes behind its last tensor", (long long)(bytes - data - end));
  return HEED_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const heed_safetensor *const *)a)->name, (*(const heed_safetensor *const *)b)->name);
}

static heed_status sort_names(heed_safetensors *file) {
  if (!(file->by_name = malloc((size_t)file->count * sizeof *file->by_name)))
    return heed_error(HEED_FAILED, "out of memory for its list of tensors");
  for (int64_t i = 0; i < file->count; i++)
    file->by_name[i] = &file->items[i];
  qsort(file->by_name, (size_t)file->count, sizeof *file->by_name, by_name);
  return HEED_OK;
}

static heed_status read_entries(heed_safetensors *file, json_t *json) {
  const char *name;
  json_t *entry;
  size_t count = json_object_size(json);
  if (count > HEED_MAX_PARAMETERS)
    return heed_error(HEED_INVALID, "has %zu tensors; Heed takes up to %d", count, HEED_MAX_PARAMETERS);
  file->items = calloc(count + 1, sizeof *file->items);
  if (!file->items)
    return heed_error(HEED_FAILED, "out of memory for its list of tensors");
  json_object_foreach(json, name, entry) {
    if (strcmp(name, "__metadata__") == 0)
      continue;
    const char *fault = entry_fault(&file->items[file->count++], name, entry);
    if (fault)
      return heed_error(HEED_INVALID, "%.255s %s", name, fault);
  }
  return file->count > 0 ? HEED_OK : heed_error(HEED_INVALID, "holds no tensor");
}

heed_status heed_safetensors_open(heed_safetensors *file, const char *path) {
  json_t *json = NULL;
  int64_t bytes, data = 0;
  *file = (heed_safetensors){.file = -1};
  HEED_TRY(heed_file_open(AT_FDCWD, path, true, &file->file, &bytes));
  heed_status status = (file->path = strdup(path)) ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
  if (status == HEED_OK)
    status = read_header(file->file, bytes, &json, &data);
  if (status == HEED_OK)
    status = read_entries(file, json);
  if (status == HEED_OK)
    status = place_items(file, data, bytes);
  if (status == HEED_OK)
    status = sort_names(file);
  json_decref(json);
  if (status == HEED_OK)
    return HEED_OK;
  heed_safetensors_close(file);
  return heed_error_in(status, "%s", path);
}

void heed_safetensors_close(heed_safetensors *file) {
  if (file->file >= 0)
    close(file->file);
  free(file->items);
  free(file->by_name);
  free(file->path);
  *file = (heed_safetensors){.file = -1};
}

const heed_safetensor *heed_safetensors_find(const heed_safetensors *file, const char *name) {
  for (int64_t low = 0, high = file->count; low < high;) {
    int64_t middle = (low + high) / 2;
    int order = strcmp(name, file->by_name[middle]->name);
    if (order == 0)
      return file->by_name[middle];
    low = order > 0 ? middle + 1 : low;
    high = order > 0 ? high : middle;
  }
  return NULL;
}

static float of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* IEEE 754 binary16.  Subnormal numbers are a multiple of 2⁻²⁴. */
static float of_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0)
    return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
  return of_bits(sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | fraction << 13);
}

static void convert(float *values, const void *stored, int64_t count, const char *type) {
  const uint16_t *halves = stored;
  const double *doubles = stored;
  bool half = strcmp(type, "F16") == 0, brain = strcmp(type, "BF16") == 0;
  if (strcmp(type, "F32") == 0)
    memcpy(values, stored, (size_t)count * sizeof *values);
  else
    for (int64_t i = 0; i < count; i++)
      values[i] = half ? of_half(halves[i]) : brain ? of_bits((uint32_t)halves[i] << 16) : (float)doubles[i];
}

heed_status heed_safetensors_read(const heed_safetensors *file, const heed_safetensor *tensor, float *values) {
  _Alignas(64) char piece[PIECE];
  bool real = strcmp(tensor->type, "F32") == 0 || strcmp(tensor->type, "F16") == 0 || strcmp(tensor->type, "BF16") == 0 ||
              strcmp(tensor->type, "F64") == 0;
  if (!real)
    return heed_error(HEED_INVALID, "%s: %s is of type %s; F32, F16, BF16 or F64 is needed", file->path, tensor->name, tensor->type);
  int64_t each = tensor->count > 0 ? tensor->bytes / tensor->count : 1, step = PIECE / each;
  for (int64_t first = 0; first < tensor->count; first += step) {
    int64_t part = tensor->count - first < step ? tensor->count - first : step;
    HEED_TRY(heed_file_read(file->file, file->path, piece, (size_t)(part * each), tensor->offset + first * each));
    convert(values + first, piece, part, tensor->type);
  }
  return HEED_OK;
}

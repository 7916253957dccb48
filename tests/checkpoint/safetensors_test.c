/* safetensors: what is written is read back bit for bit; other types are widened exactly; what a stranger may have made is refused. */
#include "checkpoint/safetensors.h"

#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>

#include "data/folder.h"
#include "stranger.h"
#include "test.h"

/* A file of this header and so many bytes of data behind it. */
static const char *write_file(const char *header, size_t header_bytes, const void *data, size_t bytes) {
  char *text = calloc(1, 8 + header_bytes + bytes);
  for (int i = 0; i < 8; i++)
    text[i] = (char)((uint64_t)header_bytes >> (8 * i) & 0xFF);
  memcpy(text + 8, header, header_bytes);
  if (data)
    memcpy(text + 8 + header_bytes, data, bytes);
  const char *path = folder_write("m.safetensors", text, 8 + header_bytes + bytes);
  free(text);
  return path;
}

static void tensors_keep_their_bits(void) {
  heed_parameter_table table = {0};
  const heed_parameter specs[] = {{.name = "a.weight", .rank = 2, .shape = {3, 5}}, {.name = "ünï", .rank = 1, .shape = {1}}};
  float values[16], back[16];
  heed_safetensors file;
  folder_make();
  for (int i = 0; i < 2; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&table, &specs[i], NULL), HEED_OK);
  for (int i = 0; i < 16; i++)
    values[i] = (float)i * 0.1f - 0.7f;
  values[3] = -0.0f;
  values[4] = 1e-42f;
  int parent = open(folder, O_RDONLY | O_DIRECTORY);
  CU_ASSERT_EQUAL_FATAL(heed_safetensors_write(parent, "out.safetensors", &table, values), HEED_OK);
  CU_ASSERT_EQUAL(heed_safetensors_write(parent, "out.safetensors", &table, values), HEED_IO); /* never over another */
  CU_ASSERT_EQUAL_FATAL(heed_safetensors_open(&file, folder_path("out.safetensors")), HEED_OK);
  CU_ASSERT_EQUAL(file.count, 2);
  CU_ASSERT_EQUAL(file.items[0].offset % 8, 0);
  for (int i = 0; i < 2; i++) {
    const heed_safetensor *tensor = heed_safetensors_find(&file, specs[i].name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    CU_ASSERT_EQUAL(tensor->rank, specs[i].rank);
    CU_ASSERT_EQUAL(memcmp(tensor->shape, specs[i].shape, sizeof tensor->shape), 0);
    CU_ASSERT_EQUAL(heed_safetensors_read(&file, tensor, back + table.items[i].offset), HEED_OK);
  }
  CU_ASSERT_EQUAL(memcmp(back, values, sizeof values), 0);
  CU_ASSERT_PTR_NULL(heed_safetensors_find(&file, "b"));
  heed_safetensors_close(&file);
  heed_parameters_free(&table);
  close(parent);
  folder_remove();
}

static void narrow_types_are_widened(void) {
  static const char header[] = "{\"h\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[8,20]},"
                               "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
                               "\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[20,24]},"
                               "\"i\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[24,24]}}";
  static const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000}, brains[] = {0x3F80, 0xC049};
  static const float expected[] = {1.0f, -2.0f, 0x1p-24f, 65504.0f, INFINITY, -0.0f};
  char data[24];
  double number = 0.1;
  float values[6];
  heed_safetensors file;
  folder_make();
  memcpy(data, &number, 8);
  memcpy(data + 8, halves, 12);
  memcpy(data + 20, brains, 4);
  CU_ASSERT_EQUAL_FATAL(heed_safetensors_open(&file, write_file(header, strlen(header), data, sizeof data)), HEED_OK);
  CU_ASSERT_STRING_EQUAL(file.items[0].name, "d"); /* in the order of the data */
  CU_ASSERT_EQUAL(heed_safetensors_read(&file, heed_safetensors_find(&file, "h"), values), HEED_OK);
  CU_ASSERT_EQUAL(memcmp(values, expected, sizeof expected), 0);
  CU_ASSERT_EQUAL(heed_safetensors_read(&file, heed_safetensors_find(&file, "b"), values), HEED_OK);
  CU_ASSERT(values[0] == 1.0f && values[1] == -3.140625f);
  CU_ASSERT_EQUAL(heed_safetensors_read(&file, heed_safetensors_find(&file, "d"), values), HEED_OK);
  CU_ASSERT(values[0] == 0.1f);
  CU_ASSERT_EQUAL(heed_safetensors_read(&file, heed_safetensors_find(&file, "i"), values), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "I64"));
  heed_safetensors_close(&file);
  folder_remove();
}

#define TENSOR(name, type, shape, offsets) "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* header, bytes of data, what the message says */
static const struct {
  const char *header;
  size_t bytes;
  const char *message;
} refused[] = {
    {"{}", 0, "no tensor"},
    {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, "no tensor"},
    {"[]", 0, "not a JSON object"},
    {"{\"a\":", 0, "not JSON"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("a", "F32", "[2]", "[0,8]") "}", 8, "not JSON"},
    {"{\"a\":1}", 8, "no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "no dtype"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8,9]") "}", 8, "no dtype"},
    {"{" TENSOR("a", "F31", "[2]", "[0,8]") "}", 8, "does not know"},
    {"{" TENSOR("", "F32", "[2]", "[0,8]") "}", 8, "a name"},
    {"{" TENSOR("a", "F32", "[1,1,1,1,2]", "[0,8]") "}", 8, "4 dimensions"},
    {"{" TENSOR("a", "F32", "[-2]", "[0,8]") "}", 8, "impossible shape"},
    {"{" TENSOR("a", "F32", "[2.0]", "[0,8]") "}", 8, "impossible shape"},
    {"{" TENSOR("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") "}", 8, "impossible shape"},
    {"{" TENSOR("a", "F64", "[2305843009213693952]", "[0,8]") "}", 8, "not of the size"},
    {"{" TENSOR("a", "F32", "[2]", "[8,0]") "}", 8, "impossible data_offsets"},
    {"{" TENSOR("a", "F32", "[2]", "[-8,0]") "}", 8, "impossible data_offsets"},
    {"{" TENSOR("a", "F32", "[2]", "[0,9223372036854775808]") "}", 8, "not JSON"},
    {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 8, "not of the size"},
    {"{" TENSOR("a", "F32", "[2305843009213693951]", "[0,9223372036854775804]") "}", 8, "beyond the end"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12, "overlap"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[0,8]") "}", 8, "overlap"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[12,20]") "}", 20, "gap"},
    {"{" TENSOR("a", "F32", "[2]", "[4,12]") "}", 12, "gap"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 7, "beyond the end"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 9, "behind its last"},
};

static void expect_refused(const char *path, const char *message) {
  heed_safetensors file;
  heed_status status = heed_safetensors_open(&file, path);
  bool said = strstr(heed_error_text(), message) && strstr(heed_error_text(), path);
  if (status != HEED_INVALID || !said)
    fprintf(stderr, "\n%s: status %d, said: %s\n", message, status, heed_error_text());
  CU_ASSERT_EQUAL(status, HEED_INVALID);
  CU_ASSERT_TRUE(said);
  if (status == HEED_OK)
    heed_safetensors_close(&file);
}

static void unsound_files_are_refused(void) {
  folder_make();
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    expect_refused(write_file(refused[i].header, strlen(refused[i].header), NULL, refused[i].bytes), refused[i].message);
  expect_refused(folder_path("none"), "missing");
  expect_refused(folder, "a folder");
  expect_refused(folder_write_text("m", ""), "only 0 bytes");
  expect_refused(folder_write("m", "\377\377\377\377\377\377\377\377{}", 10), "impossible length");
  expect_refused(folder_write("m", "PK\3\4\0\0\0\0\0\0\0\0", 12), "pickle");
  expect_refused(folder_write("m", "\0\0\0\0\0\0\0\0{}", 10), "impossible length");
  folder_remove();
}

/* Headers made to take memory: within 256 MiB the answer is a refusal. */
static void large_headers_take_bounded_memory(void) {
  enum { BYTES = 24 << 20 };
  char *text = malloc(BYTES);
  folder_make();
  memset(text, ' ', BYTES);
  memcpy(text, "{\"a\":[", 6);
  for (size_t i = 6; i + 2 < BYTES; i += 2)
    memcpy(text + i, "0,", 2);
  expect_refused(write_file(text, BYTES, NULL, 8), "values");
  memset(text, '[', BYTES);
  expect_refused(write_file(text, BYTES, NULL, 8), "values");
  memset(text, 'a', BYTES);
  memcpy(text, "{\"", 2);
  memcpy(text + BYTES - 4, "\":1}", 4);
  expect_refused(write_file(text, BYTES, NULL, 8), "a name"); /* one endless name */
  char *larger = calloc(1, 26 << 20);
  memset(larger, ' ', 26 << 20);
  expect_refused(write_file(larger, 26 << 20, NULL, 0), "header of 26.0 MiB");
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#if !defined(__SANITIZE_ADDRESS__)
  CU_ASSERT(usage.ru_maxrss < 256 * 1024);
#endif
  free(larger);
  free(text);
  folder_remove();
}

/* As many tensors as there may be, each looked for by name. */
static int find_many(const void *path) {
  heed_safetensors file;
  char name[48];
  if (heed_safetensors_open(&file, path) != HEED_OK)
    return 1;
  int64_t found = 0;
  for (int64_t i = file.count; i-- > 0;) {
    snprintf(name, sizeof name, "layer.%lld.weight", (long long)i);
    found += heed_safetensors_find(&file, name) == &file.items[i] && !heed_safetensors_find(&file, strcat(name, "x"));
  }
  return found == HEED_MAX_PARAMETERS ? 0 : 2;
}

static void many_tensors_are_found_quickly(void) {
  char *header = malloc((size_t)HEED_MAX_PARAMETERS * 96);
  int length = 0;
  folder_make();
  for (int i = 0; i < HEED_MAX_PARAMETERS; i++)
    length += sprintf(header + length, "%c" TENSOR("layer.%d.weight", "F32", "[1]", "[%d,%d]"), i ? ',' : '{', i, 4 * i, 4 * i + 4);
  header[length++] = '}';
  CU_ASSERT_EQUAL(limits_run(find_many, write_file(header, (size_t)length, NULL, (size_t)HEED_MAX_PARAMETERS * 4)), 0);
  free(header);
  folder_remove();
}

HEED_TESTS({"many tensors are found quickly", many_tensors_are_found_quickly}, {"tensors keep their bits", tensors_keep_their_bits},
           {"narrow types are widened", narrow_types_are_widened}, {"unsound files are refused", unsound_files_are_refused},
           {"large headers take bounded memory", large_headers_take_bounded_memory})

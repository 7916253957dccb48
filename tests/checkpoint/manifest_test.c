#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "checkpoint/manifest.h"
#include "stranger.h"
#include "test.h"

/* Reads a text whose last line is made right, as a stranger would. */
static heed_status parse_signed(heed_manifest *manifest, const char *body) {
  size_t bytes = strlen(body);
  char *text = malloc(bytes + 64);
  sprintf(text, "%smanifest %016llx\n", body, (unsigned long long)heed_hash(body, bytes));
  heed_status status = heed_manifest_parse(manifest, text, strlen(text));
  free(text);
  return status;
}

#define HEAD "heed-checkpoint 1\nstep 5\nupdates 4\ndata_position 5\nsamples_seen 320\nseed 7\ncased 0\nvalidation_loss nan\n"
#define MIDDLE "isa x86-64-v3\nblas \nfile 4096 0123456789abcdef\n"
#define ITEM "item float32 00000000000000ff 3x4 /parameters/x\n"

static void what_is_printed_is_read(void) {
  heed_manifest manifest = {.info = {.step = 123456789012,
                                     .updates = 1,
                                     .seed = UINT32_MAX,
                                     .cased = true,
                                     .data_hash = 0xfedcba9876543210u,
                                     .validation_loss = 0.1,
                                     .isa = "line\nbreak",
                                     .blas = "two words"}},
                read;
  for (int i = 0; i < 200; i++) {
    if (i % 100 == 0)
      CU_ASSERT_EQUAL(heed_manifest_add_file(&manifest), HEED_OK);
    heed_item item = {.type = HEED_ITEM_FLOAT32, .rank = 1 + i % 4, .shape = {1 + i, 2, 3, 4}, .checksum = (uint64_t)i << 40};
    snprintf(item.path, sizeof item.path, "/parameters/layer.%d", i);
    CU_ASSERT_EQUAL(heed_manifest_add(&manifest, &item), HEED_OK);
  }
  char *text;
  size_t bytes;
  manifest.files[0].bytes = 77;
  manifest.files[1].bytes = 1000;
  manifest.files[1].checksum = 0xfedcba9876543210u;
  CU_ASSERT_EQUAL_FATAL(heed_manifest_print(&manifest, &text, &bytes), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_manifest_parse(&read, text, bytes), HEED_OK);
  CU_ASSERT_EQUAL(read.info.step, 123456789012);
  CU_ASSERT_EQUAL(read.info.seed, UINT32_MAX);
  CU_ASSERT_EQUAL(read.info.validation_loss, 0.1);
  CU_ASSERT_EQUAL(read.info.data_hash, 0xfedcba9876543210u);
  CU_ASSERT_STRING_EQUAL(read.info.isa, "line?break");
  CU_ASSERT_STRING_EQUAL(read.info.blas, "two words");
  CU_ASSERT_EQUAL_FATAL(read.file_count, 2);
  CU_ASSERT_EQUAL(read.files[0].bytes, 77);
  CU_ASSERT_EQUAL(read.files[1].checksum, 0xfedcba9876543210u);
  CU_ASSERT(read.files[0].first == 0 && read.files[0].end == 100 && read.files[1].first == 100 && read.files[1].end == 200);
  CU_ASSERT(read.items[99].file == 0 && read.items[100].file == 1);
  CU_ASSERT_EQUAL(heed_manifest_bytes(&read), 1077);
  CU_ASSERT_EQUAL(read.count, 200);
  CU_ASSERT_EQUAL(heed_manifest_version(&read), 2);
  int64_t hint = 0;
  const heed_item *item = heed_manifest_find(&read, "/parameters/layer.7", &hint);
  CU_ASSERT_PTR_NOT_NULL_FATAL(item);
  CU_ASSERT_EQUAL(item->rank, 4);
  CU_ASSERT_EQUAL(item->bytes, 8 * 2 * 3 * 4 * 4);
  CU_ASSERT_EQUAL(item->checksum, 7ull << 40);
  CU_ASSERT_EQUAL(hint, 8);
  CU_ASSERT_PTR_NOT_NULL(heed_manifest_find(&read, "/parameters/layer.6", &hint));
  CU_ASSERT_PTR_NULL(heed_manifest_find(&read, "/parameters/layer", &hint));
  free(text);
  heed_manifest_free(&manifest);
  heed_manifest_free(&read);
}

static void lies_with_a_right_checksum_are_refused(void) {
  heed_manifest manifest;
  CU_ASSERT_EQUAL(parse_signed(&manifest, HEAD MIDDLE ITEM), HEED_OK);
  CU_ASSERT_TRUE(isnan(manifest.info.validation_loss));
  CU_ASSERT_STRING_EQUAL(manifest.info.blas, "");
  CU_ASSERT_EQUAL(manifest.info.data_hash, 0);
  heed_manifest_free(&manifest);
  CU_ASSERT_EQUAL(parse_signed(&manifest, HEAD "isa x\nblas y\ncontent 00000000000001ff\nfile 4096 0123456789abcdef\n" ITEM), HEED_OK);
  CU_ASSERT_EQUAL(manifest.info.data_hash, 0x1ff);
  heed_manifest_free(&manifest);
  /* For some days there was a hash of another kind: it is passed over. */
  CU_ASSERT_EQUAL(parse_signed(&manifest, HEAD "isa x\nblas y\ndata 00000000000001ff\nfile 4096 0123456789abcdef\n" ITEM), HEED_OK);
  CU_ASSERT_EQUAL(manifest.info.data_hash, 0);
  heed_manifest_free(&manifest);
  static const char *const bad[] = {"",
                                    "\n",
                                    "heed-checkpoint 1\n",
                                    "other 1\n",
                                    HEAD,
                                    HEAD "isa x\nblas y\nfile 1\n",
                                    HEAD "isa x\nblas y\ncontent 123\nfile 4096 0123456789abcdef\n",
                                    HEAD "isa x\nblas y\ndata 123\nfile 4096 0123456789abcdef\n",
                                    HEAD "isa x\nblas y\nfile 99999999999999999 0123456789abcdef\n",
                                    HEAD MIDDLE "item\n",
                                    HEAD MIDDLE "junk\n",
                                    HEAD MIDDLE "item float64 00000000000000ff 3x4 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000f 3x4 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000FF 3x4 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x4x5x6x7 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x0 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff -3x4 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 4294967296x4294967296 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 99999999999999999999 /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff  /parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x4 parameters/x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x4 /parameters/../x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x4 /parameters//x\n",
                                    HEAD MIDDLE "item float32 00000000000000ff 3x4 /\n",
                                    HEAD MIDDLE "item text 00000000000000ff 3x4 /config\n",
                                    HEAD MIDDLE "item text 00000000000000ff 99999999999 /config\n",
                                    HEAD MIDDLE ITEM "item float32 00000000000000ff 3x4 /parameters/y"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    heed_status status = parse_signed(&manifest, bad[i]);
    if (status != HEED_INVALID)
      fprintf(stderr, "accepted: %s\n", bad[i]);
    CU_ASSERT_EQUAL(status, HEED_INVALID);
  }
  char name[HEED_MAX_PATH + 512] = HEAD MIDDLE "item float32 00000000000000ff 3x4 /";
  size_t used = strlen(name);
  memset(name + used, 'n', HEED_MAX_PATH);
  strcpy(name + used + HEED_MAX_PATH, "\n");
  CU_ASSERT_EQUAL(parse_signed(&manifest, name), HEED_INVALID);
}

static void another_format_is_named(void) {
  heed_manifest manifest;
  CU_ASSERT_EQUAL(parse_signed(&manifest, "heed-checkpoint 3\nanything\n"), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "format '3'"));
}

/* As many tensors as there may be, looked for in the order that is worst for a search from the last place on. */
static int read_many(const void *twice) {
  const int64_t count = HEED_MAX_ITEMS;
  size_t bytes, capacity = (size_t)count * 64 + 1024;
  char *text = malloc(capacity), path[64];
  heed_manifest manifest;
  if (!text)
    return 1;
  size_t length = (size_t)sprintf(text, HEAD MIDDLE);
  for (int64_t i = 0; i < count; i++)
    length += (size_t)sprintf(text + length, "item float32 00000000000000ff 1 /parameters/%lld\n", (long long)(twice && i == 7 ? 8 : i));
  bytes = length + (size_t)sprintf(text + length, "manifest %016llx\n", (unsigned long long)heed_hash(text, length));
  heed_status status = heed_manifest_parse(&manifest, text, bytes);
  free(text);
  if (twice)
    return status == HEED_INVALID && strstr(heed_error_text(), "/parameters/8 twice") ? 0 : 2;
  int64_t hint = 0, found = 0;
  for (int64_t i = count; i-- > 0;) {
    snprintf(path, sizeof path, "/parameters/%lld", (long long)i);
    found += heed_manifest_find(&manifest, path, &hint) == &manifest.items[i];
  }
  heed_manifest_free(&manifest);
  return status == HEED_OK && found == count ? 0 : 3;
}

static void any_order_is_quick(void) {
  CU_ASSERT_EQUAL(limits_run(read_many, NULL), 0);
}

static void a_path_twice_is_refused(void) {
  CU_ASSERT_EQUAL(limits_run(read_many, "twice"), 0);
}

HEED_TESTS({"any order is quick", any_order_is_quick}, {"a path twice is refused", a_path_twice_is_refused},
           {"what is printed is read", what_is_printed_is_read},
           {"lies with a right checksum are refused", lies_with_a_right_checksum_are_refused},
           {"another format is named", another_format_is_named})

/* A file of a state on its way to the disk and back. */
#include "base/hash.h"
#include "checkpoint/state_write.h"
#include "fixture.h"

enum { LARGE = 1500000 }; /* floats: over one window, and not to the end of the second */

static float *large, small[3] = {1, 2, 3};

/* The file of two tensors, completed. */
static heed_state_writer written(const fixture *f, heed_manifest *manifest) {
  static const heed_item items[] = {{.path = "/parameters/large", .type = HEED_ITEM_FLOAT32, .rank = 1, .shape = {LARGE}},
                                    {.path = "/parameters/small", .type = HEED_ITEM_FLOAT32, .rank = 1, .shape = {3}}};
  heed_state_writer writer;
  int folder;
  *manifest = (heed_manifest){0};
  CU_ASSERT_EQUAL_FATAL(heed_manifest_add_file(manifest), HEED_OK);
  for (int i = 0; i < 2; i++)
    CU_ASSERT_EQUAL_FATAL(heed_manifest_add(manifest, &items[i]), HEED_OK);
  manifest->items[0].checksum = heed_hash(large, LARGE * sizeof *large);
  manifest->items[1].checksum = heed_hash(small, sizeof small);
  CU_ASSERT_EQUAL_FATAL(heed_folder_open(AT_FDCWD, f->folder, f->folder, false, &folder), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_state_create(&writer, folder, manifest, 0), HEED_OK);
  close(folder);
  CU_ASSERT_EQUAL(heed_state_put(&writer, large, LARGE * sizeof *large, manifest->items[0].offset), HEED_OK);
  CU_ASSERT_EQUAL(heed_state_put(&writer, small, sizeof small, manifest->items[1].offset), HEED_OK);
  CU_ASSERT_EQUAL(heed_state_complete(&writer, &manifest->files[0].checksum), HEED_OK);
  CU_ASSERT_EQUAL(heed_file_sync(writer.file, writer.name), HEED_OK);
  return writer;
}

static void begin(fixture *f) {
  fixture_open(f);
  large = malloc(LARGE * sizeof *large);
  CU_ASSERT_PTR_NOT_NULL_FATAL(large);
  for (int i = 0; i < LARGE; i++)
    large[i] = (float)i;
}

static void end(fixture *f, heed_state_writer *writer, heed_manifest *manifest) {
  heed_state_drop(writer);
  heed_manifest_free(manifest);
  free(large);
  fixture_close(f);
}

static void what_was_written_is_read_back(void) {
  fixture f;
  heed_manifest manifest;
  begin(&f);
  heed_state_writer writer = written(&f, &manifest);
  CU_ASSERT_EQUAL(heed_state_read_back(&writer, &manifest, 0), HEED_OK);
  CU_ASSERT_EQUAL(heed_state_check(writer.file, &manifest, 0), HEED_OK);
  float last;
  CU_ASSERT_EQUAL(pread(writer.file, &last, sizeof last, manifest.items[0].offset + (LARGE - 1) * (off_t)sizeof last), sizeof last);
  CU_ASSERT_EQUAL(last, LARGE - 1);
  end(&f, &writer, &manifest);
}

/* A tensor that is not what its checksum says, in a file that is what was written: memory that changed on the way. */
static void each_tensor_is_compared(void) {
  fixture f;
  heed_manifest manifest;
  begin(&f);
  heed_state_writer writer = written(&f, &manifest);
  for (int i = 0; i < 2; i++) {
    manifest.items[i].checksum ^= 1;
    CU_ASSERT_EQUAL(heed_state_read_back(&writer, &manifest, 0), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), manifest.items[i].path));
    manifest.items[i].checksum ^= 1;
  }
  CU_ASSERT_EQUAL(heed_state_read_back(&writer, &manifest, 0), HEED_OK);
  end(&f, &writer, &manifest);
}

/* Of the structure, the tensors and the space between them. */
static void each_byte_is_compared(void) {
  fixture f;
  heed_manifest manifest;
  begin(&f);
  heed_state_writer writer = written(&f, &manifest);
  const off_t places[] = {0, manifest.items[0].offset - 1, manifest.items[0].offset, manifest.items[1].offset, writer.bytes - 1};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char kept, other;
    CU_ASSERT_EQUAL(pread(writer.file, &kept, 1, places[i]), 1);
    other = (char)(kept ^ 8);
    CU_ASSERT_EQUAL(pwrite(writer.file, &other, 1, places[i]), 1);
    CU_ASSERT_EQUAL(fsync(writer.file), 0);
    CU_ASSERT_EQUAL(heed_state_read_back(&writer, &manifest, 0), HEED_INVALID);
    CU_ASSERT_EQUAL(pwrite(writer.file, &kept, 1, places[i]), 1);
    CU_ASSERT_EQUAL(fsync(writer.file), 0);
  }
  CU_ASSERT_EQUAL(heed_state_read_back(&writer, &manifest, 0), HEED_OK);
  end(&f, &writer, &manifest);
}

static void only_in_order(void) {
  fixture f;
  heed_manifest manifest;
  begin(&f);
  heed_state_writer writer = written(&f, &manifest);
  CU_ASSERT_EQUAL(heed_state_put(&writer, small, sizeof small, manifest.items[0].offset), HEED_FAILED);
  CU_ASSERT_EQUAL(heed_state_put(&writer, small, sizeof small, writer.bytes - 4), HEED_FAILED);
  end(&f, &writer, &manifest);
}

HEED_TESTS({"what was written is read back", what_was_written_is_read_back}, {"each tensor is compared", each_tensor_is_compared},
           {"each byte is compared", each_byte_is_compared}, {"only in order", only_in_order})

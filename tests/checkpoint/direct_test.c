/* Writing and reading past the page cache: as far as the file system lets it, and in the end the bytes are the same. */
#include "faults/calls.h"

#include <string.h>

#include "checkpoint/direct.h"
#include "checkpoint/fixture.h"

enum { BYTES = 2 * HEED_DIRECT_BLOCK + 3 * HEED_DIRECT_PAGE + 77 };

static char *data;
static int direct, cached; /* writes that were seen */

static void count(const seen_call *seen) {
  if (seen->which == PWRITE)
    *(fcntl(seen->folder, F_GETFL) & O_DIRECT ? &direct : &cached) += 1;
}

static heed_status compare(void *taken, const char *block, size_t bytes, int64_t offset) {
  if (memcmp(data + offset, block, bytes) != 0)
    return heed_error(HEED_INVALID, "other bytes");
  *(int64_t *)taken += (int64_t)bytes;
  return HEED_OK;
}

/* Writes a file in blocks and reads it back with a fault armed for each way. */
static void pass(const fixture *f, call writing, int error, int nth) {
  char path[128];
  int64_t taken = 0;
  snprintf(path, sizeof path, "%s/file", f->folder);
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CU_ASSERT_TRUE_FATAL(file >= 0);
  direct = cached = 0;
  watch = count;
  arm(writing, nth, error, false);
  for (int64_t at = 0; at < BYTES; at += HEED_DIRECT_BLOCK)
    CU_ASSERT_EQUAL(
        heed_direct_write(file, "file", data + at, BYTES - at < HEED_DIRECT_BLOCK ? (size_t)(BYTES - at) : HEED_DIRECT_BLOCK, at), HEED_OK);
  CU_ASSERT_EQUAL(fsync(file), 0);
  CU_ASSERT_EQUAL(heed_direct_read(file, "file", BYTES, compare, &taken), HEED_OK);
  CU_ASSERT_TRUE(disarm());
  watch = NULL;
  CU_ASSERT_EQUAL(taken, BYTES);
  CU_ASSERT_EQUAL(fcntl(file, F_GETFL) & O_DIRECT, 0);
  close(file);
}

static void begin(fixture *f) {
  fixture_open(f);
  data = aligned_alloc(HEED_DIRECT_PAGE, 3 * HEED_DIRECT_BLOCK);
  CU_ASSERT_PTR_NOT_NULL_FATAL(data);
  for (int i = 0; i < BYTES; i++)
    data[i] = (char)(i * 31 + i / 4096);
}

static void end(fixture *f) {
  free(data);
  fixture_close(f);
}

/* Whole pages directly, the tail through the cache, where this file system can. */
static void whole_pages_go_past_the_cache(void) {
  fixture f;
  begin(&f);
  char path[128];
  snprintf(path, sizeof path, "%s/can", f.folder);
  const int can = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
  pass(&f, NO_CALL, 0, 0);
  CU_ASSERT(can < 0 ? direct == 0 && cached == 3 : direct == 3 && cached == 1);
  if (can >= 0)
    close(can);
  end(&f);
}

/* A call that the file system will not have, and one that does half, odd bytes of it: the rest goes through the cache. */
static void what_it_will_not_have_goes_through_it(void) {
  static const int refusals[] = {EINVAL, EOPNOTSUPP, CALL_SHORT, EINTR};
  fixture f;
  begin(&f);
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    for (int nth = 1; nth <= 3; nth++) {
      pass(&f, PWRITE, refusals[i], nth);
      pass(&f, PREAD, refusals[i], nth);
    }
  end(&f);
}

static void other_failures_are_told(void) {
  fixture f;
  begin(&f);
  char path[128];
  int64_t taken = 0;
  snprintf(path, sizeof path, "%s/file", f.folder);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  arm(PWRITE, 1, ENOSPC, false);
  CU_ASSERT_EQUAL(heed_direct_write(file, "file", data, HEED_DIRECT_BLOCK, 0), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "file could not be written: No space left"));
  CU_ASSERT_EQUAL(heed_direct_write(file, "file", data, HEED_DIRECT_BLOCK, 0), HEED_OK);
  arm(PREAD, 1, EIO, false);
  CU_ASSERT_EQUAL(heed_direct_read(file, "file", HEED_DIRECT_BLOCK, compare, &taken), HEED_IO);
  CU_ASSERT_EQUAL(heed_direct_read(file, "file", HEED_DIRECT_BLOCK + 1, compare, &taken), HEED_INVALID); /* it is shorter */
  data[7] ^= 1;
  CU_ASSERT_EQUAL(heed_direct_read(file, "file", HEED_DIRECT_BLOCK, compare, &taken), HEED_INVALID);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "other bytes");
  close(file);
  end(&f);
}

HEED_TESTS({"whole pages go past the cache", whole_pages_go_past_the_cache},
           {"what it will not have goes through it", what_it_will_not_have_goes_through_it},
           {"other failures are told", other_failures_are_told})

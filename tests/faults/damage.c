/* A checkpoint that is damaged after it was saved: each bit of MANIFEST, random bits of state.h5, both cut short, both away.  The one
 * before it must be taken, with a message that says why. */
#define FIXTURE_PARENT "/dev/shm"
#include "checkpoint/fixture.h"
#include "report.h"

static fixture f;
static char *manifest, *state;
static size_t manifest_bytes, state_bytes;
static FILE *messages; /* what goes to the standard error */

static void write_step_2(const char *file, const char *data, size_t bytes) {
  file_write(fixture_path(&f, 2, file), data, bytes);
}

/* What is loaded now must be step 1. */
static void expect_the_one_before(const char *format, size_t at, size_t bit) {
  char why[200] = "", said[1024], what[100];
  const unsigned failures = CU_get_number_of_failures();
  snprintf(what, sizeof what, format, at, bit);
  CU_ASSERT_EQUAL_FATAL(ftruncate(fileno(messages), 0), 0);
  rewind(messages);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  const int64_t newest = fixture_newest(&f, store);
  heed_checkpoint_store_close(store);
  fflush(stderr);
  const ssize_t length = pread(fileno(messages), said, sizeof said - 1, 0);
  said[length > 0 ? length : 0] = 0;
  if (newest != 1)
    snprintf(why, sizeof why, "step %lld was taken", (long long)newest);
  else if (CU_get_number_of_failures() != failures)
    snprintf(why, sizeof why, "it does not hold what was saved");
  else if (!strstr(said, "step-00000002: ") || !strstr(said, "passed over"))
    snprintf(why, sizeof why, "it did not say why: %.100s", said);
  report(why, "%s", what);
}

static void each_bit_of_the_manifest(void) {
  for (size_t bit = 0; bit < 8 * manifest_bytes; bit++) {
    manifest[bit / 8] ^= (char)(1 << bit % 8);
    write_step_2("MANIFEST", manifest, manifest_bytes);
    expect_the_one_before("MANIFEST-byte-%zu-bit-%zu", bit / 8, bit % 8);
    manifest[bit / 8] ^= (char)(1 << bit % 8);
  }
  write_step_2("MANIFEST", manifest, manifest_bytes);
}

static void random_bits_of_the_state(void) {
  srand(seed());
  for (int i = 0; i < (is_long() ? 10000 : 500); i++) {
    const size_t at = (size_t)rand() % state_bytes, bit = (size_t)rand() % 8;
    state[at] ^= (char)(1 << bit);
    write_step_2("state.h5", state, state_bytes);
    expect_the_one_before("state.h5-byte-%zu-bit-%zu", at, bit);
    state[at] ^= (char)(1 << bit);
  }
  write_step_2("state.h5", state, state_bytes);
}

static void cut_short(void) {
  for (size_t bytes = 0; bytes < state_bytes; bytes += is_long() ? 256 : 4096) {
    write_step_2("state.h5", state, bytes);
    expect_the_one_before("state.h5-of-%zu-bytes-not-%zu", bytes, state_bytes);
  }
  write_step_2("state.h5", state, state_bytes);
  for (size_t bytes = 0; bytes < manifest_bytes; bytes++) {
    write_step_2("MANIFEST", manifest, bytes);
    expect_the_one_before("MANIFEST-of-%zu-bytes-not-%zu", bytes, manifest_bytes);
  }
  write_step_2("MANIFEST", manifest, manifest_bytes);
}

static void longer(void) {
  for (size_t more = 1; more <= 4097; more += 4096) {
    char *long_state = calloc(1, state_bytes + more);
    memcpy(long_state, state, state_bytes);
    write_step_2("state.h5", long_state, state_bytes + more);
    expect_the_one_before("state.h5-of-%zu-bytes-not-%zu", state_bytes + more, state_bytes);
    free(long_state);
  }
  write_step_2("state.h5", state, state_bytes);
}

static void missing(void) {
  unlink(fixture_path(&f, 2, "MANIFEST"));
  expect_the_one_before("MANIFEST-missing", 0, 0);
  unlink(fixture_path(&f, 2, "state.h5"));
  expect_the_one_before("both-missing", 0, 0);
  write_step_2("MANIFEST", manifest, manifest_bytes);
  expect_the_one_before("state.h5-missing", 0, 0);
  write_step_2("state.h5", state, state_bytes);
}

/* The other step's files: each good, but not of one checkpoint. */
static void exchanged(void) {
  size_t bytes;
  char *other = file_read(fixture_path(&f, 1, "state.h5"), &bytes);
  write_step_2("state.h5", other, bytes);
  expect_the_one_before("state.h5-of-step-%zu", 1, 0);
  free(other);
  write_step_2("state.h5", state, state_bytes);
}

static void begins(void) {
  fixture_open(&f);
  messages = tmpfile();
  CU_ASSERT_FATAL(messages && dup2(fileno(messages), STDERR_FILENO) >= 0);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int64_t step = 1; step <= 2; step++)
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, NAN), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(fixture_newest(&f, store), 2);
  heed_checkpoint_store_close(store);
  manifest = file_read(fixture_path(&f, 2, "MANIFEST"), &manifest_bytes);
  state = file_read(fixture_path(&f, 2, "state.h5"), &state_bytes);
}

/* Whole again, it is taken: what was refused was refused for the damage. */
static void ends(void) {
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 2);
  heed_checkpoint_store_close(store);
  free(manifest);
  free(state);
  fixture_close(&f);
}

int main(void) {
  static const CU_TestInfo tests[] = {{"begins", begins},
                                      {"each bit of the manifest", each_bit_of_the_manifest},
                                      {"random bits", random_bits_of_the_state},
                                      {"cut short", cut_short},
                                      {"longer", longer},
                                      {"missing", missing},
                                      {"exchanged", exchanged},
                                      {"ends", ends},
                                      CU_TEST_INFO_NULL};
  return heed_tests_run(__FILE__, tests);
}

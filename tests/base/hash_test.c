#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static void gives_known_values(void) {
  CU_ASSERT_EQUAL(heed_hash("", 0), UINT64_C(0x2d06800538d394c2));
  CU_ASSERT_EQUAL(heed_hash("a", 1), UINT64_C(0xe6c632b61e964e1f));
  CU_ASSERT_EQUAL(heed_hash("abc", 3), UINT64_C(0x78af5f94892f3950));
}

static void pieces_equal_the_whole(void) {
  char data[5000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char)(i * 31 + i / 7);
  for (size_t piece = 1; piece < sizeof data; piece = piece * 3 + 1) {
    heed_hasher *hasher;
    CU_ASSERT_EQUAL_FATAL(heed_hasher_begin(&hasher), HEED_OK);
    for (size_t at = 0; at < sizeof data; at += piece)
      heed_hasher_add(hasher, data + at, at + piece < sizeof data ? piece : sizeof data - at);
    CU_ASSERT_EQUAL(heed_hasher_end(hasher), heed_hash(data, sizeof data));
  }
}

static void a_file_equals_its_content(void) {
  char path[] = "/tmp/heed-hash-XXXXXX";
  size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
  char *data = malloc(200000);
  int fd = mkstemp(path);
  CU_ASSERT_FATAL(data && fd >= 0);
  close(fd);
  for (size_t i = 0; i < 200000; i++)
    data[i] = (char)(i * i >> 5);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint64_t hash = 0;
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(data, 1, sizes[i], file), sizes[i]);
    fclose(file);
    CU_ASSERT_EQUAL(heed_hash_file(path, &hash), HEED_OK);
    CU_ASSERT_EQUAL(hash, heed_hash(data, sizes[i]));
  }
  free(data);
  unlink(path);
}

static void refuses_what_cannot_be_read(void) {
  uint64_t hash;
  CU_ASSERT_EQUAL(heed_hash_file("/tmp/heed/no/such/file", &hash), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/tmp/heed/no/such/file: No such file"));
  CU_ASSERT_EQUAL(heed_hash_file("/tmp", &hash), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/tmp: could not be read: Is a directory"));
}

HEED_TESTS({"gives known values", gives_known_values}, {"pieces equal the whole", pieces_equal_the_whole},
           {"a file equals its content", a_file_equals_its_content}, {"refuses what cannot be read", refuses_what_cannot_be_read})

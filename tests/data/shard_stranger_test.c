/* Shards from strangers and from failing disks: whatever is wrong is refused with a reason, and never crashes. */
#include <stdlib.h>
#include <sys/stat.h>

#include "data/small_shard.h"

static void expect_refusal(const char *name, const char *reason) {
  heed_shard shard;
  heed_status status = heed_shard_open(&shard, folder_path(name));
  CU_ASSERT_EQUAL(status, HEED_INVALID);
  if (!strstr(heed_error_text(), reason))
    fprintf(stderr, "\n%s: expected '%s', got '%s'\n", name, reason, heed_error_text());
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
  if (status == HEED_OK)
    heed_shard_close(&shard);
}

static void not_shards(void) {
  expect_refusal("missing.h5", "could not be opened");
  expect_refusal(".", "not a file");
  folder_write_text("empty.h5", "");
  expect_refusal("empty.h5", "empty");
  folder_write_text("text.h5", "Once upon a time\n");
  expect_refusal("text.h5", "not an HDF5 file");
  CU_ASSERT_EQUAL(mkfifo(folder_path("pipe.h5"), 0600), 0);
  expect_refusal("pipe.h5", "not a file"); /* and does not wait */
}

/* A copy of the small shard with some change: what a change makes of it is given by the functions below. */
typedef struct hostile {
  const char *reason;
  void (*change)(hid_t file);
} hostile;

static void replace(hid_t file, const char *name, hid_t type, hsize_t size, const void *data, hid_t plan) {
  hid_t space = H5Screate_simple(1, &size, NULL);
  if (H5Lexists(file, name, H5P_DEFAULT) > 0)
    H5Ldelete(file, name, H5P_DEFAULT);
  hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
  CU_ASSERT_TRUE(set >= 0);
  if (data)
    CU_ASSERT_TRUE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  H5Dclose(set);
  H5Sclose(space);
}

static void set_number(hid_t file, const char *name, hid_t type, hid_t space, const void *value) {
  H5Adelete(file, name);
  hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (value)
    H5Awrite(attribute, type, value);
  H5Aclose(attribute);
}

static void set_count(hid_t file, const char *name, int64_t value) {
  hid_t space = H5Screate(H5S_SCALAR);
  set_number(file, name, H5T_STD_I64LE, space, &value);
  H5Sclose(space);
}

static const uint16_t narrow[6] = {5, 6, 7, 8, 9, 9};

static void soft_link(hid_t file) {
  H5Lmove(file, "tokens", file, "hidden", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/hidden", file, "tokens", H5P_DEFAULT, H5P_DEFAULT);
}
static void external_link(hid_t file) {
  H5Ldelete(file, "sentences", H5P_DEFAULT);
  H5Lcreate_external("/etc/passwd", "/sentences", file, "sentences", H5P_DEFAULT, H5P_DEFAULT);
}
static void external_storage(hid_t file) {
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(plan, "/etc/passwd", 0, 12);
  replace(file, "tokens", H5T_STD_U16LE, 6, NULL, plan);
  H5Pclose(plan);
}
static void filtered(hid_t file) {
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t chunk = 6;
  H5Pset_chunk(plan, 1, &chunk);
  H5Pset_deflate(plan, 6);
  replace(file, "tokens", H5T_STD_U16LE, 6, narrow, plan);
  H5Pclose(plan);
}
static void compact(hid_t file) {
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(plan, H5D_COMPACT);
  replace(file, "tokens", H5T_STD_U16LE, 6, narrow, plan);
  H5Pclose(plan);
}
static void floats(hid_t file) {
  static const float values[6] = {5, 6, 7, 8, 9, 9};
  replace(file, "tokens", H5T_IEEE_F32LE, 6, values, H5P_DEFAULT);
}
static void big_endian(hid_t file) {
  replace(file, "tokens", H5T_STD_U16BE, 6, narrow, H5P_DEFAULT);
}
static void committed_type(hid_t file) {
  hid_t type = H5Tcopy(H5T_STD_U16LE);
  H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  replace(file, "tokens", type, 6, narrow, H5P_DEFAULT);
  H5Tclose(type);
}
static void with_storage(hid_t file, hid_t type) {
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY);
  replace(file, "tokens", type, 6, NULL, plan);
  H5Pclose(plan);
}
static void variable_length(hid_t file) {
  hid_t type = H5Tvlen_create(H5T_STD_U16LE);
  with_storage(file, type);
  H5Tclose(type);
}
static void references(hid_t file) {
  with_storage(file, H5T_STD_REF_OBJ);
}
static void compound(hid_t file) {
  hid_t type = H5Tcreate(H5T_COMPOUND, 2);
  H5Tinsert(type, "token", 0, H5T_STD_U16LE);
  replace(file, "tokens", type, 6, narrow, H5P_DEFAULT);
  H5Tclose(type);
}
static void virtual_layout(hid_t file) {
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t size = 6;
  hid_t space = H5Screate_simple(1, &size, NULL);
  H5Pset_virtual(plan, space, "/etc/passwd", "/x", space);
  replace(file, "tokens", H5T_STD_U16LE, 6, NULL, plan);
  H5Sclose(space);
  H5Pclose(plan);
}
static void chunk_bomb(hid_t file) { /* a few bytes that become 2 GiB */
  hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t chunk = (hsize_t)1 << 30;
  H5Pset_chunk(plan, 1, &chunk);
  H5Pset_deflate(plan, 9);
  replace(file, "tokens", H5T_STD_U16LE, chunk, NULL, plan);
  H5Pclose(plan);
}
static void circle(hid_t file) {
  H5Ldelete(file, "tokens", H5P_DEFAULT);
  H5Lcreate_hard(file, "/", file, "tokens", H5P_DEFAULT, H5P_DEFAULT);
}
static void group(hid_t file) {
  H5Ldelete(file, "tokens", H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "tokens", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void no_documents(hid_t file) {
  H5Ldelete(file, "documents", H5P_DEFAULT);
}
static void unwritten(hid_t file) {
  replace(file, "tokens", H5T_STD_U16LE, 6, NULL, H5P_DEFAULT);
}
static void huge(hid_t file) {
  replace(file, "tokens", H5T_STD_U16LE, (hsize_t)1 << 50, NULL, H5P_DEFAULT);
}
static void too_many_tokens(hid_t file) {
  set_count(file, "token_count", INT64_MAX);
}
static void negative_count(hid_t file) {
  set_count(file, "document_count", -1);
}
static void newer_format(hid_t file) {
  set_count(file, "format_version", 3);
}
static void unhashed(hid_t file) {
  H5Adelete(file, "content_hash");
}
static void small_vocabulary(hid_t file) {
  set_count(file, "vocabulary_size", 9);
}
static void huge_vocabulary(hid_t file) {
  set_count(file, "vocabulary_size", INT64_MIN);
}
static void no_hash(hid_t file) {
  H5Adelete(file, "vocabulary_hash");
}
static void list_attribute(hid_t file) {
  hsize_t size = 1000;
  hid_t space = H5Screate_simple(1, &size, NULL);
  set_number(file, "cased", H5T_STD_I64LE, space, NULL);
  H5Sclose(space);
}
static void long_name(hid_t file) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, 5000);
  set_number(file, "tokenizer", type, space, NULL);
  H5Tclose(type);
  H5Sclose(space);
}
static void variable_name(hid_t file) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  const char *value = "wordpiece";
  H5Tset_size(type, H5T_VARIABLE);
  set_number(file, "tokenizer", type, space, &value);
  H5Tclose(type);
  H5Sclose(space);
}
static void other_tokenizer(hid_t file) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, 9);
  set_number(file, "tokenizer", type, space, "wordspace");
  H5Tclose(type);
  H5Sclose(space);
}
static void not_cased(hid_t file) {
  set_count(file, "cased", 2);
}
static void change_offsets(hid_t file, const char *name, const int64_t *values) {
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  CU_ASSERT_TRUE(H5Dwrite(set, H5T_STD_I64LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(set);
}
static void sentences_fall(hid_t file) {
  change_offsets(file, "sentences", (const int64_t[]){0, 4, 3, 6});
}
static void sentences_negative(hid_t file) {
  change_offsets(file, "sentences", (const int64_t[]){0, INT64_MIN, 3, 6});
}
static void sentences_beyond(hid_t file) {
  change_offsets(file, "sentences", (const int64_t[]){0, 2, 3, 7});
}
static void sentences_late(hid_t file) {
  change_offsets(file, "sentences", (const int64_t[]){1, 2, 3, 6});
}
static void documents_equal(hid_t file) {
  change_offsets(file, "documents", (const int64_t[]){0, 0, 3});
}

static void hostile_shards(void) {
  static const hostile cases[] = {
      {"/tokens is a soft link", soft_link},
      {"external links", external_link},
      {"in another file", external_storage},
      {"through filters", filtered},
      {"not stored contiguously", compact},
      {"another type", floats},
      {"another type", big_endian},
      {"a committed type", committed_type},
      {"another type", variable_length},
      {"another type", references},
      {"another type", compound},
      {"a virtual dataset", virtual_layout},
      {"through filters", chunk_bomb},
      {"not a dataset", circle},
      {"not a dataset", group},
      {"/documents is missing", no_documents},
      {"no storage", unwritten},
      {"no storage", huge},
      {"counts do not agree", too_many_tokens},
      {"counts do not agree", negative_count},
      {"format is 3", newer_format},
      {"no attribute content_hash", unhashed},
      {"token 9 of a vocabulary of 9", small_vocabulary},
      {"is impossible", huge_vocabulary},
      {"no attribute vocabulary_hash", no_hash},
      {"attribute cased", list_attribute},
      {"attribute tokenizer", long_name},
      {"attribute tokenizer", variable_name},
      {"neither wordpiece", other_tokenizer},
      {"cased is neither", not_cased},
      {"/sentences does not rise", sentences_fall},
      {"/sentences does not rise", sentences_negative},
      {"/sentences does not go", sentences_beyond},
      {"/sentences does not go", sentences_late},
      {"/documents does not rise", documents_equal},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unlink(folder_path("hostile.h5")); /* the one before is no shard: it would not be replaced */
    small_shard_write(folder_path("hostile.h5"));
    hid_t file = H5Fopen(folder_path("hostile.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    cases[i].change(file);
    H5Fclose(file);
    expect_refusal("hostile.h5", cases[i].reason);
  }
}

static void user_block(void) {
  hid_t plan = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_userblock(plan, 512);
  H5Fclose(H5Fcreate(folder_path("block.h5"), H5F_ACC_TRUNC, plan, H5P_DEFAULT));
  H5Pclose(plan);
  expect_refusal("block.h5", "user block");
}

/* A shard from before there was a hash in it is read, and known as the same. */
static void first_format(void) {
  small_shard_write(folder_path("small.h5"));
  small_shard_write(folder_path("first.h5"));
  hid_t file = H5Fopen(folder_path("first.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
  unhashed(file);
  set_count(file, "format_version", 1);
  H5Fclose(file);
  CU_ASSERT_EQUAL(small_shard_hash(folder_path("first.h5")), small_shard_hash(folder_path("small.h5")));
}

/* Each bit of each array: also one that leaves a possible token, or offsets that still rise. */
static void every_bit_of_the_arrays(void) {
  heed_shard shard;
  size_t bytes = 0, possible = 0;
  small_shard_write(folder_path("small.h5"));
  char *good = folder_read("small.h5", &bytes);
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, folder_path("small.h5")), HEED_OK);
  const struct {
    size_t first, bytes;
  } arrays[] = {{(size_t)((const char *)shard.tokens - (const char *)shard.mapping), 6 * sizeof(uint16_t)},
                {(size_t)((const char *)shard.sentences - (const char *)shard.mapping), 4 * sizeof(int64_t)},
                {(size_t)((const char *)shard.documents - (const char *)shard.mapping), 3 * sizeof(int64_t)}};
  heed_shard_close(&shard);
  for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
    for (size_t bit = 0; bit < 8 * arrays[a].bytes; bit++) {
      char *at = good + arrays[a].first + bit / 8;
      *at ^= (char)(1 << bit % 8);
      folder_write("flipped.h5", good, bytes);
      *at ^= (char)(1 << bit % 8);
      CU_ASSERT_EQUAL(heed_shard_open(&shard, folder_path("flipped.h5")), HEED_INVALID);
      possible += strstr(heed_error_text(), "it is damaged: its content is not what") != NULL;
    }
  CU_ASSERT_TRUE(possible > 8); /* what the checks of tokens and offsets alone let pass */
  free(good);
}

/* Cut at many lengths, and bits flipped all over: refused, or still the same shard; never a crash. */
static void damaged_everywhere(void) {
  size_t bytes = 0;
  heed_shard shard;
  small_shard_write(folder_path("small.h5"));
  char *good = folder_read("small.h5", &bytes);
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, folder_path("small.h5")), HEED_OK);
  heed_shard_close(&shard);
  size_t opened = 0, refused = 0;
  for (size_t cut = 1; cut < bytes; cut += 397) {
    folder_write("damaged.h5", good, cut);
    CU_ASSERT_EQUAL(heed_shard_open(&shard, folder_path("damaged.h5")), HEED_INVALID);
  }
  for (size_t at = 0; at < bytes; at += 19) {
    good[at] ^= (char)(1 << at % 8);
    folder_write("damaged.h5", good, bytes);
    good[at] ^= (char)(1 << at % 8);
    heed_status status = heed_shard_open(&shard, folder_path("damaged.h5"));
    if (status == HEED_OK) {
      opened++;
      CU_ASSERT_TRUE(shard.token_count == 6 && shard.sentence_count == 3 && shard.document_count == 2);
      for (int64_t i = 0; i < shard.token_count; i++)
        CU_ASSERT_EQUAL(heed_shard_token(&shard, i), small_shard_ids[i]);
      heed_shard_close(&shard);
    } else {
      CU_ASSERT_EQUAL(status, HEED_INVALID);
      refused++;
    }
  }
  CU_ASSERT_TRUE(refused > 0 && opened > 0);
  free(good);
}

HEED_TESTS({"begin", small_shard_begin}, {"not shards", not_shards}, {"hostile shards", hostile_shards}, {"user block", user_block},
           {"first format", first_format}, {"every bit of the arrays", every_bit_of_the_arrays}, {"damaged everywhere", damaged_everywhere},
           {"end", folder_remove})

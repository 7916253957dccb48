/* The arrows between the rooms, read from the #include lines of every file: who may know whom. */
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

/* Rooms that a room's files may include, besides heed/ (the public headers), itself and base. */
static const struct {
  const char *room, *may;
} arrows[] = {
    {"include", ""},
    {"base", ""},
    {"kernels", ""},
    {"layers", "kernels"},
    {"models", "kernels layers"},
    {"data", ""},
    {"comm", ""},
    {"checkpoint", ""},
    {"evaluate", "kernels layers models data checkpoint"},
    {"inspect", "kernels layers models data checkpoint evaluate"},
    {"convert", "kernels layers models data checkpoint evaluate"},
    {"report", ""},
    {"train", "kernels layers models data checkpoint evaluate report"},
    {"measure", "kernels layers models data checkpoint train"},
    {"cli", "kernels layers models data comm checkpoint evaluate convert inspect train measure"},
};

/* Libraries that only some places may see. */
static const struct {
  const char *header, *places;
} fences[] = {
    {"mpi.h", "src/comm/"},
    {"hdf5.h", "src/checkpoint/ src/data/"},
    {"hdf5_hl.h", "src/checkpoint/ src/data/"},
    {"cblas.h", "src/measure/gemm_peer.c src/base/blas.c"},
};

enum { LONGEST_FILE = 500 };

static bool has_word(const char *words, const char *word, size_t length) {
  for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
    if (strcspn(at, " ") == length && memcmp(at, word, length) == 0)
      return true;
  return false;
}

static bool is_below(const char *path, const char *places) {
  for (const char *at = places; *at; at += strcspn(at, " "), at += *at == ' ')
    if (strncmp(path, at, strcspn(at, " ")) == 0)
      return true;
  return false;
}

/* The name of the room that holds `path` (from the source folder): src/ROOM/…, or include. */
static const char *room_of(const char *path, size_t *length) {
  const char *room = strncmp(path, "src/", 4) == 0 ? path + 4 : path;
  *length = strcspn(room, "/");
  return room;
}

/* Whether the file `path` may hold this line. */
static bool may_hold(const char *path, const char *line) {
  char name[256], close;
  size_t length;
  line += strspn(line, " \t");
  if (*line++ != '#')
    return true;
  line += strspn(line, " \t");
  if (strncmp(line, "include", 7) != 0)
    return true;
  if (sscanf(line + 7, " %*[<\"]%255[^>\"]%c", name, &close) != 2)
    return strchr(line, '<') == NULL && strchr(line, '"') == NULL; /* a macro's name */
  for (size_t i = 0; i < sizeof fences / sizeof *fences; i++)
    if (strcmp(name, fences[i].header) == 0)
      return is_below(path, fences[i].places);
  if (close == '>' || strncmp(name, "heed/", 5) == 0)
    return true;
  const char *room = room_of(path, &length);
  size_t target = strcspn(name, "/");
  if (name[target] == 0) /* a header beside the file would hide which room it is from */
    return false;
  for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++)
    if (strlen(arrows[i].room) == length && memcmp(arrows[i].room, room, length) == 0)
      return (target == length && memcmp(name, room, length) == 0) || has_word(arrows[i].may, name, target) ||
             (has_word("base", name, target) && strcmp(arrows[i].room, "include") != 0);
  return false; /* a room that the table does not know */
}

static int files_read;

static int check_file(const char *path, const struct stat *about, int kind, struct FTW *where) {
  (void)about, (void)where;
  size_t length = strlen(path), prefix = strlen(HEED_SOURCE "/");
  if (kind != FTW_F || length < 3 || (strcmp(path + length - 2, ".c") != 0 && strcmp(path + length - 2, ".h") != 0))
    return 0;
  char *line = NULL;
  size_t capacity = 0;
  int lines = 0;
  FILE *file = fopen(path, "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  for (; getline(&line, &capacity, file) >= 0; lines++)
    if (!may_hold(path + prefix, line)) {
      printf("\n    %s:%d: %s", path + prefix, lines + 1, line);
      CU_FAIL("an include against the arrows");
    }
  if (lines > LONGEST_FILE) {
    printf("\n    %s has %d lines\n", path + prefix, lines);
    CU_FAIL("a file that is too long");
  }
  free(line);
  fclose(file);
  files_read++;
  return 0;
}

static void files_keep_to_the_arrows(void) {
  files_read = 0;
  CU_ASSERT_EQUAL(nftw(HEED_SOURCE "/src", check_file, 16, FTW_PHYS), 0);
  CU_ASSERT_EQUAL(nftw(HEED_SOURCE "/include", check_file, 16, FTW_PHYS), 0);
  CU_ASSERT(files_read > 25);
}

/* The test of the test: what must be found is found, what must pass passes. */
static void wrong_arrows_are_found(void) {
  CU_ASSERT_FALSE(may_hold("src/base/arena.c", "#include \"kernels/kernels.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/layers/linear.c", "#include \"models/model.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/checkpoint/commit.c", "  #  include \"comm/world.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/checkpoint/deep/commit.c", "#include \"models/model.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/train/step.c", "#include <mpi.h>\n"));
  CU_ASSERT_FALSE(may_hold("src/train/step.c", "#include \"mpi.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/cli/main.c", "#include <hdf5.h>\n"));
  CU_ASSERT_FALSE(may_hold("src/layers/linear.c", "#include <cblas.h>\n"));
  CU_ASSERT_FALSE(may_hold("src/base/log.c", "#include <cblas.h>\n"));
  CU_ASSERT_FALSE(may_hold("src/base/log.c", "#include \"arena.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/base/log.c", "#include \"../kernels/kernels.h\"\n"));
  CU_ASSERT_FALSE(may_hold("include/heed/log.h", "#include \"base/arena.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/attic/new.c", "#include \"base/arena.h\"\n"));
  CU_ASSERT_FALSE(may_hold("src/layers/linear.c", "#include \"kernel/kernels.h\"\n")); /* no room's whole name */
  CU_ASSERT_TRUE(may_hold("src/layers/linear.c", "#include \"kernels/kernels.h\"\n"));
  CU_ASSERT_TRUE(may_hold("src/layers/linear.c", "#include \"layers/linear.h\"\n"));
  CU_ASSERT_TRUE(may_hold("src/layers/linear.c", "#include \"base/arena.h\"\n"));
  CU_ASSERT_TRUE(may_hold("src/layers/linear.c", "#include \"heed/config.h\"\n"));
  CU_ASSERT_TRUE(may_hold("src/layers/linear.c", "#include <math.h>\n"));
  CU_ASSERT_TRUE(may_hold("src/base/blas.c", "#include <cblas.h>\n"));
  CU_ASSERT_TRUE(may_hold("src/comm/world.c", "#include <mpi.h>\n"));
  CU_ASSERT_TRUE(may_hold("src/data/shard.c", "#include <hdf5.h>\n"));
  CU_ASSERT_TRUE(may_hold("src/data/shard.c", "/* #include \"comm/world.h\" */\n"));
}

HEED_TESTS({"files keep to the arrows", files_keep_to_the_arrows}, {"wrong arrows are found", wrong_arrows_are_found})

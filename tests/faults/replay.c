/* A power cut at every moment of a save.  What a save does to files and folders is recorded; then, for each of its beginnings, the folder
 * is built as a disk could hold it: what was synced is there, and of the rest nothing, all, the names alone, the contents alone, or a
 * random part: of a folder's changes the first few, as a journal keeps them in order; of writes any, and any part of one.  What is loaded
 * from it must be the old checkpoint or the new one, whole: the new one from the moment on when the save has synced its name. */
#define FIXTURE_PARENT "/dev/shm"
#include "calls.h"
#include "checkpoint/fixture.h"
#include "report.h"

enum { MOST_NODES = 64, MOST_NAMES = 16, MOST_CHANGES = 1024, SECTOR = 512 };

typedef struct node {
  ino_t number;
  bool is_folder;
  int names;
  char name[MOST_NAMES][NAME_MAX + 1];
  int target[MOST_NAMES];
  char *data;
  off_t bytes;
} node;

typedef struct change {
  call which;
  int node, made; /* of a file or folder; what a creation makes */
  char name[NAME_MAX + 1], new_name[NAME_MAX + 1];
  unsigned flags;
  char *data;
  off_t at, bytes;
} change;

static node before[MOST_NODES]; /* the disk as it was; number 0 is checkpoints/ */
static int nodes;
static change changes[MOST_CHANGES];
static int change_count;

/* The node of an open file or folder, −1 for one that is not below checkpoints/. */
static int node_of(int file) {
  struct stat is;
  if (file < 0 || fstat(file, &is) != 0)
    return -1;
  for (int i = 0; i < nodes; i++)
    if (before[i].number == is.st_ino)
      return i;
  return -1;
}

static int add_node(int folder, const char *name) {
  struct stat is;
  CU_ASSERT_FATAL(nodes < MOST_NODES && fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) == 0);
  before[nodes] = (node){.number = is.st_ino, .is_folder = S_ISDIR(is.st_mode)};
  return nodes++;
}

static void set_name(node *in, const char *name, int target) {
  CU_ASSERT_FATAL(in->names < MOST_NAMES);
  snprintf(in->name[in->names], sizeof *in->name, "%s", name);
  in->target[in->names++] = target;
}

static int find_name(const node *in, const char *name) {
  for (int i = 0; i < in->names; i++)
    if (strcmp(in->name[i], name) == 0)
      return i;
  return -1;
}

static void drop_name(node *in, int i) {
  in->names--;
  memmove(in->name[i], in->name[i + 1], sizeof *in->name * (size_t)(in->names - i));
  memmove(&in->target[i], &in->target[i + 1], sizeof *in->target * (size_t)(in->names - i));
}

/* The disk before: all of a folder, in which all is synced. */
static int take_in(int parent, const char *name) {
  const int own = add_node(parent, name), file = openat(parent, name, O_RDONLY);
  if (!before[own].is_folder) {
    struct stat is;
    CU_ASSERT_FATAL(fstat(file, &is) == 0);
    before[own].bytes = is.st_size;
    before[own].data = malloc((size_t)is.st_size);
    CU_ASSERT_EQUAL_FATAL(pread(file, before[own].data, (size_t)is.st_size, 0), is.st_size);
    close(file);
    return own;
  }
  DIR *entries = fdopendir(file);
  for (struct dirent *entry; (entry = readdir(entries));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      set_name(&before[own], entry->d_name, take_in(file, entry->d_name));
  closedir(entries);
  return own;
}

static void record(const seen_call *seen) {
  change c = {.which = seen->which, .node = node_of(seen->folder), .flags = seen->flags, .at = seen->at, .bytes = seen->bytes};
  if (c.node < 0)
    return;
  CU_ASSERT_FATAL(change_count < MOST_CHANGES);
  CU_ASSERT_FATAL(seen->which != RENAMEAT2 || node_of(seen->to) == c.node); /* within one folder */
  if (seen->name)
    snprintf(c.name, sizeof c.name, "%s", seen->name);
  if (seen->new_name)
    snprintf(c.new_name, sizeof c.new_name, "%s", seen->new_name);
  if (seen->which == MKDIRAT || seen->which == OPENAT)
    c.made = add_node(seen->folder, seen->name);
  if (seen->data) {
    c.data = malloc((size_t)seen->bytes);
    memcpy(c.data, seen->data, (size_t)seen->bytes);
  }
  changes[change_count++] = c;
}

static void resize(node *n, off_t bytes) {
  n->data = realloc(n->data, (size_t)bytes + 1);
  if (bytes > n->bytes)
    memset(n->data + n->bytes, 0, (size_t)(bytes - n->bytes));
  n->bytes = bytes;
}

/* \param[in] bytes  of a write: how many of them came to the disk */
static void apply(node *disk, const change *c, off_t bytes) {
  node *n = &disk[c->node];
  int old, new;
  switch (c->which) {
  case MKDIRAT:
  case OPENAT:
    set_name(n, c->name, c->made);
    return;
  case UNLINKAT:
    if ((old = find_name(n, c->name)) >= 0)
      drop_name(n, old);
    return;
  case RENAMEAT:
  case RENAMEAT2:
    old = find_name(n, c->name);
    new = find_name(n, c->new_name);
    CU_ASSERT_FATAL(old >= 0);
    if (c->flags & RENAME_EXCHANGE) {
      const int kept = n->target[old];
      n->target[old] = n->target[new];
      n->target[new] = kept;
      return;
    }
    set_name(n, c->new_name, n->target[old]);
    drop_name(n, old);
    return;
  case PWRITE:
    if (n->bytes < c->at + bytes)
      resize(n, c->at + bytes);
    memcpy(n->data + c->at, c->data, (size_t)bytes);
    return;
  case FALLOCATE:
  case FTRUNCATE:
    if (n->bytes < c->bytes || c->which == FTRUNCATE)
      resize(n, c->bytes);
    return;
  default: /* a sync changes nothing */
    return;
  }
}

static bool is_naming(call which) {
  return which == MKDIRAT || which == OPENAT || which == UNLINKAT || which == RENAMEAT || which == RENAMEAT2;
}

typedef enum keeping { NOTHING, EVERYTHING, NAMES, CONTENTS, RANDOM_PART } keeping;
static const char *const keepings[] = {"nothing", "everything", "the names", "the contents", "a random part"};

/* The disk after the first `count` changes. */
static void cut_power(node *disk, int count, keeping kept) {
  int stop[MOST_NODES]; /* behind the last change that is sure to be there, or kept in order */
  memcpy(disk, before, sizeof before);
  for (int i = 0; i < nodes; i++) {
    stop[i] = 0;
    if (disk[i].data) {
      disk[i].data = malloc((size_t)disk[i].bytes + 1);
      memcpy(disk[i].data, before[i].data, (size_t)disk[i].bytes);
    }
    for (int j = 0; j < count; j++)
      if (changes[j].which == FSYNC && changes[j].node == i)
        stop[i] = j;
    if (kept == RANDOM_PART && disk[i].is_folder && stop[i] < count)
      stop[i] += rand() % (count - stop[i] + 1);
  }
  for (int j = 0; j < count; j++) {
    const change *c = &changes[j];
    const bool naming = is_naming(c->which), sure = j < stop[c->node];
    off_t bytes = c->bytes;
    if (!sure && (kept == NOTHING || (kept == NAMES && !naming) || (kept == CONTENTS && naming)))
      continue;
    if (!sure && kept == RANDOM_PART && naming)
      continue;
    if (!sure && kept == RANDOM_PART && rand() % 2)
      bytes = c->which == PWRITE ? rand() % (c->bytes / SECTOR + 1) * SECTOR : c->bytes;
    apply(disk, c, bytes);
  }
}

static void build(const node *disk, int number, const char *path) {
  if (!disk[number].is_folder) {
    file_write(path, disk[number].data ? disk[number].data : "", (size_t)disk[number].bytes);
    return;
  }
  CU_ASSERT_EQUAL_FATAL(mkdir(path, 0777), 0);
  for (int i = 0; i < disk[number].names; i++) {
    char below[PATH_MAX];
    snprintf(below, sizeof below, "%s/%s", path, disk[number].name[i]);
    build(disk, disk[number].target[i], below);
  }
}

/* The number of changes until the new name is there, and until it is durable. */
static void find_commit(int *named, int *durable) {
  *named = *durable = 0;
  for (int i = 0; i < change_count && !*named; i++)
    if (changes[i].which == RENAMEAT2)
      *named = i + 1;
  for (int i = *named; i < change_count && !*durable; i++)
    if (changes[i].which == FSYNC && changes[i].node == 0)
      *durable = i + 1;
  CU_ASSERT_FATAL(*named > 0 && *durable > *named);
}

static void load_after_a_cut(const fixture *f, const char *what, int count, keeping kept, int64_t old, int64_t new) {
  static node disk[MOST_NODES];
  char checkpoints[200], why[200] = "";
  int named, durable;
  const unsigned failures = CU_get_number_of_failures();
  find_commit(&named, &durable);
  cut_power(disk, count, kept);
  snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", f->run);
  CU_ASSERT_TRUE_FATAL(heed_tree_remove(AT_FDCWD, checkpoints));
  build(disk, 0, checkpoints);
  for (int i = 0; i < nodes; i++)
    free(disk[i].data);
  heed_checkpoint_store *store = fixture_store(f, 2);
  const int64_t newest = fixture_newest(f, store);
  if (newest != old && newest != new)
    snprintf(why, sizeof why, "step %lld is the newest, neither %lld nor %lld", (long long)newest, (long long)old, (long long)new);
  else if ((count < named && newest != old) || (count >= durable && newest != new))
    snprintf(why, sizeof why, "step %lld is the newest", (long long)newest);
  else if (fixture_save(f, store, new + 1, NAN) != HEED_OK || fixture_newest(f, store) != new + 1)
    snprintf(why, sizeof why, "the next save fails: %s", heed_error_text());
  else if (CU_get_number_of_failures() != failures)
    snprintf(why, sizeof why, "it does not hold what was saved");
  heed_checkpoint_store_close(store);
  report(why, "%s-%d-of-%d-and-%s", what, count, change_count, keepings[kept]);
}

/* Records a save of step `new` over steps 1 and 2, and cuts it everywhere. */
static void cut_everywhere(const char *what, int64_t new, int64_t file_bytes, int least) {
  fixture f;
  char checkpoints[200];
  fixture_open(&f);
  f.file_bytes = file_bytes;
  nodes = change_count = 0;
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int64_t step = 1; step <= 2; step++)
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, NAN), HEED_OK);
  snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", f.run);
  take_in(AT_FDCWD, checkpoints);
  watch = record;
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, new, NAN), HEED_OK);
  watch = NULL;
  heed_checkpoint_store_close(store);
  CU_ASSERT_FATAL(change_count >= least);
  for (int count = 0; count <= change_count; count++) {
    for (keeping kept = NOTHING; kept < RANDOM_PART; kept++)
      load_after_a_cut(&f, what, count, kept, 2, new);
    for (int i = 0; i < (is_long() ? 200 : 8); i++)
      load_after_a_cut(&f, what, count, RANDOM_PART, 2, new);
  }
  fixture_close(&f);
}

static void cuts_a_save(void) {
  cut_everywhere("a new one", 3, 0, 12);
}
static void cuts_a_save_over_another(void) {
  cut_everywhere("over another", 2, 0, 12);
}
static void cuts_a_save_of_seven_files(void) {
  cut_everywhere("of seven files", 3, 10000, 36);
}

int main(void) {
  srand(seed());
  static const CU_TestInfo tests[] = {{"a save", cuts_a_save},
                                      {"a save over another of that step", cuts_a_save_over_another},
                                      {"a save of seven files", cuts_a_save_of_seven_files},
                                      CU_TEST_INFO_NULL};
  return heed_tests_run(__FILE__, tests);
}

#include "data/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

#ifndef HEED_TEXT_BATCH_BYTES /* small for fuzzers, which are to come to a batch's edges */
#define HEED_TEXT_BATCH_BYTES (8 << 20)
#endif
enum { BATCH_BYTES = HEED_TEXT_BATCH_BYTES, READ_BYTES = BATCH_BYTES / 8, MOST_LINES = BATCH_BYTES / 64 };
enum { PAUSE_MS = 20, PATIENCE_MS = 5000 };

struct heed_text {
  heed_text_cut *cut;
  char **paths;
  int path_count, next_path;
  int file;           /* −1 = none */
  bool ended;         /* the file has no more bytes */
  bool interactive;   /* a terminal: its lines are handed on as they come */
  bool awaits_writer; /* a named pipe that no program has opened for writing yet */
  bool new_file, continued;
  int64_t line_number; /* of the line that begins next, or goes on */
  heed_hasher *hasher;
  uint64_t *hashes;
  int64_t hash_count, read_bytes, file_bytes, all_bytes;
  char *buffer;                /* [BATCH_BYTES + 1] */
  size_t used, begin, scanned; /* filled; first byte not yet in a line; first byte not yet searched for a newline */
  heed_line *lines;            /* [MOST_LINES] */
  int64_t line_count;
};

const char *heed_text_shown(const char *path) {
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* A device has no end (/dev/zero) or is a whole disk; a terminal is ended by who sits at it. */
static bool is_readable_device(const char *path, const struct stat *about) {
  if (!S_ISCHR(about->st_mode) || about->st_rdev == makedev(1, 3)) /* /dev/null */
    return S_ISCHR(about->st_mode);
  int file = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  bool terminal = file >= 0 && isatty(file);
  if (file >= 0)
    close(file);
  return terminal;
}

static heed_status check_path(heed_text *text, const char *path) {
  struct stat about;
  if (strcmp(path, "-") == 0) {
    bool regular = fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode);
    text->all_bytes = regular && text->all_bytes >= 0 ? text->all_bytes + about.st_size : -1;
    return HEED_OK;
  }
  if (stat(path, &about) != 0)
    return heed_error(HEED_INVALID, "%s: the text could not be opened: %s", path, strerror(errno));
  if (S_ISDIR(about.st_mode))
    return heed_error(HEED_INVALID, "%s: a folder; name the text files in it, for example %s/*.txt", path, path);
  if ((S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode)) && !is_readable_device(path, &about))
    return heed_error(HEED_INVALID, "%s: a device; a text is a file, a pipe, or - for standard input", path);
  if (access(path, R_OK) != 0)
    return heed_error(HEED_INVALID, "%s: the text could not be opened: %s", path, strerror(errno));
  text->all_bytes = S_ISREG(about.st_mode) && text->all_bytes >= 0 ? text->all_bytes + about.st_size : -1;
  return HEED_OK;
}

heed_status heed_text_open(heed_text **text, const char *const *paths, int count, heed_text_cut *cut) {
  *text = NULL;
  heed_text *t = calloc(1, sizeof *t);
  if (!t)
    return heed_error(HEED_FAILED, "out of memory for reading text");
  size_t places = (size_t)count + 1;
  t->file = -1;
  t->cut = cut;
  t->paths = calloc(places, sizeof *t->paths);
  t->hashes = calloc(places, sizeof *t->hashes);
  t->buffer = malloc(BATCH_BYTES + 1);
  t->lines = malloc(MOST_LINES * sizeof *t->lines);
  bool have = t->paths && t->hashes && t->buffer && t->lines;
  heed_status status = HEED_OK;
  for (int i = 0; i < count && have && status == HEED_OK; i++) {
    have = (t->paths[t->path_count++] = strdup(paths[i])) != NULL;
    status = check_path(t, paths[i]);
  }
  if (!have)
    status = heed_error(HEED_FAILED, "out of memory for reading text");
  if (status == HEED_OK)
    *text = t;
  else
    heed_text_close(t);
  return status;
}

void heed_text_close(heed_text *text) {
  if (!text)
    return;
  if (text->file > STDIN_FILENO)
    close(text->file);
  if (text->hasher)
    heed_hasher_end(text->hasher);
  for (int i = 0; i < text->path_count; i++)
    free(text->paths[i]);
  free(text->paths);
  free(text->hashes);
  free(text->buffer);
  free(text->lines);
  free(text);
}

/* What people give by mistake for text, by its first bytes. */
static heed_status check_head(const char *path, const char *head, size_t bytes) {
  static const struct {
    const char *magic, *what, *remedy;
    size_t length;
  } kinds[] = {
      {"\x1F\x8B", "compressed (gzip)", "zcat FILE | heed … -", 2},
      {"\xFD"
       "7zXZ",
       "compressed (xz)", "xzcat FILE | heed … -", 5},
      {"BZh", "compressed (bzip2)", "bzcat FILE | heed … -", 3},
      {"\x28\xB5\x2F\xFD", "compressed (zstd)", "zstdcat FILE | heed … -", 4},
      {"\xFF\xFE", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE", 2},
      {"\xFE\xFF", "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE", 2},
      {"\x89HDF", "an HDF5 file", "give the text it was made from", 4},
      {"PK\3\4", "a zip archive", "unpack it first", 4},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (bytes >= kinds[i].length && memcmp(head, kinds[i].magic, kinds[i].length) == 0)
      return heed_error(HEED_INVALID, "%s: %s, not UTF-8 text; try: %s", path, kinds[i].what, kinds[i].remedy);
  return HEED_OK;
}

/* Whether it is a pipe with a name: one without (a shell's <(…)) has had its writer from the start. */
static bool is_named_pipe(int file) {
  struct stat about;
  struct statfs system;
  return fstat(file, &about) == 0 && S_ISFIFO(about.st_mode) && fstatfs(file, &system) == 0 && system.f_type != PIPEFS_MAGIC;
}

static heed_status open_next(heed_text *text) {
  const char *path = text->paths[text->next_path++];
  bool input = strcmp(path, "-") == 0;
  text->file = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  text->ended = false;
  text->interactive = text->file >= 0 && isatty(text->file);
  text->awaits_writer = text->file >= 0 && !input && is_named_pipe(text->file);
  text->new_file = true;
  text->file_bytes = 0;
  text->line_number = 1;
  if (text->file < 0)
    return heed_error(HEED_INVALID, "%s: the text could not be opened: %s", path, strerror(errno));
  return heed_hasher_begin(&text->hasher);
}

static void close_current(heed_text *text) {
  text->hashes[text->hash_count++] = heed_hasher_end(text->hasher);
  text->hasher = NULL;
  if (text->file != STDIN_FILENO)
    close(text->file);
  text->file = -1;
}

/* As read, but waits for bytes where the file itself does not, and a while for a pipe's first writer, before whom it reads as ended. */
static ssize_t read_patiently(heed_text *text, char *to, size_t bytes) {
  const struct timespec pause = {.tv_nsec = 1000000L * PAUSE_MS};
  for (int waited = 0;;) {
    ssize_t got = read(text->file, to, bytes);
    if (got < 0 && errno == EAGAIN) { /* a writer is there */
      text->awaits_writer = false;
      poll(&(struct pollfd){.fd = text->file, .events = POLLIN}, 1, -1);
    } else if (got == 0 && text->awaits_writer && waited < PATIENCE_MS) {
      nanosleep(&pause, NULL);
      waited += PAUSE_MS;
    } else if (got >= 0 || errno != EINTR) {
      return got;
    }
  }
}

static heed_status read_more(heed_text *text) {
  const char *path = heed_text_shown(text->paths[text->next_path - 1]);
  char *to = text->buffer + text->used;
  size_t room = BATCH_BYTES - text->used;
  ssize_t got = read_patiently(text, to, room < READ_BYTES ? room : READ_BYTES);
  if (got < 0)
    return heed_error(HEED_IO, "%s: could not be read: %s", path, strerror(errno));
  if (got == 0 && text->awaits_writer)
    return heed_error(HEED_INVALID, "%s: a named pipe into which no program writes; start that one first", path);
  text->awaits_writer = false;
  if (text->file_bytes == 0)
    HEED_TRY(check_head(path, to, (size_t)got));
  heed_hasher_add(text->hasher, to, (size_t)got);
  text->ended = got == 0;
  text->used += (size_t)got;
  text->file_bytes += got;
  text->read_bytes += got;
  return HEED_OK;
}

/* The bytes up to `end` become a line or a part of one; what follows begins at `next`. */
static void add_line(heed_text *text, size_t end, size_t next, bool ends) {
  text->lines[text->line_count++] = (heed_line){.text = text->buffer + text->begin,
                                                .bytes = end - text->begin,
                                                .begins = !text->continued,
                                                .ends = ends,
                                                .new_file = text->new_file,
                                                .path = heed_text_shown(text->paths[text->next_path - 1]),
                                                .number = text->line_number};
  text->line_number += ends;
  text->new_file = false;
  text->continued = !ends;
  text->begin = text->scanned = next;
}

static void find_lines(heed_text *text) {
  while (text->line_count < MOST_LINES) {
    char *newline = memchr(text->buffer + text->scanned, '\n', text->used - text->scanned);
    if (!newline) {
      text->scanned = text->used;
      return;
    }
    size_t end = (size_t)(newline - text->buffer);
    add_line(text, end, end + 1, true);
  }
}

heed_status heed_text_next(heed_text *text, const heed_line **lines, int64_t *count) {
  text->line_count = 0;
  memmove(text->buffer, text->buffer + text->begin, text->used - text->begin);
  text->used -= text->begin;
  text->begin = text->scanned = 0;
  while (text->line_count < MOST_LINES) {
    find_lines(text);
    if (text->line_count == MOST_LINES || (text->line_count > 0 && text->interactive))
      break;
    if (text->file >= 0 && text->ended) {
      if (text->begin < text->used || text->continued) {
        text->buffer[text->used++] = '\n'; /* as behind every line */
        add_line(text, text->used - 1, text->used, true);
      }
      close_current(text);
    } else if (text->used >= BATCH_BYTES) {
      if (text->line_count == 0) {
        size_t cut = text->cut(text->buffer, text->used);
        add_line(text, cut, cut, false);
      }
      break;
    } else if (text->file >= 0) {
      HEED_TRY(read_more(text));
    } else if (text->next_path < text->path_count) {
      HEED_TRY(open_next(text));
    } else {
      break;
    }
  }
  *lines = text->lines;
  *count = text->line_count;
  return HEED_OK;
}

const uint64_t *heed_text_hashes(const heed_text *text, int64_t *count) {
  *count = text->hash_count;
  return text->hashes;
}

int64_t heed_text_read_bytes(const heed_text *text) {
  return text->read_bytes;
}

int64_t heed_text_all_bytes(const heed_text *text) {
  return text->all_bytes > 0 ? text->all_bytes : 0;
}

bool heed_text_holds(const heed_text *text, const char *path) {
  struct stat one, other;
  if (stat(path, &one) != 0)
    return false;
  for (int i = 0; i < text->path_count; i++)
    if (strcmp(text->paths[i], "-") != 0 && stat(text->paths[i], &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino)
      return true;
  return false;
}

void heed_text_pieces(const heed_line *lines, int64_t count, int64_t starts[HEED_TEXT_PIECES + 1]) {
  size_t all = 0, before = 0;
  int64_t line = 0;
  for (int64_t i = 0; i < count; i++)
    all += lines[i].bytes + 1;
  for (int piece = 0; piece <= HEED_TEXT_PIECES; piece++) {
    while (line < count && before < all * (size_t)piece / HEED_TEXT_PIECES)
      before += lines[line++].bytes + 1;
    starts[piece] = line;
  }
}

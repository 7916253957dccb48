/* Loaded before a program (LD_PRELOAD): one of the allocations that its own code makes has no memory.  Its own: the call's return address
 * lies in the program, not in a library.  What is allocated for it in the C library (strdup, fopen …) counts too.
 *   HEED_NO_MEMORY=N     the N-th fails; none without it
 *   HEED_ALLOCATIONS=F   writes each place in the program that allocates to the file F, one a line, with the number of its first one; the
 *                        last line is "all" with the number of all */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The C library's own names, which are there before any symbol is looked up. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

enum { PLACES = 4096 };
static uintptr_t first_byte = UINTPTR_MAX, last_byte; /* of the program's code */
static long count, failing;
static uintptr_t places[PLACES];
static long first_of[PLACES];
static const char *list;

static int find_program(struct dl_phdr_info *module, size_t size, void *unused) {
  (void)size, (void)unused;
  for (int i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &module->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
      continue;
    first_byte = module->dlpi_addr + part->p_vaddr;
    last_byte = first_byte + part->p_memsz;
  }
  return 1; /* the first is the program */
}

__attribute__((constructor)) static void begin(void) {
  const char *wanted = getenv("HEED_NO_MEMORY");
  failing = wanted ? strtol(wanted, NULL, 10) : 0;
  list = getenv("HEED_ALLOCATIONS");
  dl_iterate_phdr(find_program, NULL);
}

__attribute__((destructor)) static void end(void) {
  FILE *file = list ? fopen(list, "we") : NULL;
  if (!file)
    return;
  for (int i = 0; i < PLACES; i++)
    if (places[i])
      fprintf(file, "%lx %ld\n", (unsigned long)(places[i] - first_byte), first_of[i]);
  fprintf(file, "all %ld\n", count);
  fclose(file);
}

static void note(uintptr_t place, long number) {
  for (uintptr_t i = place % PLACES, tries = 0; tries < PLACES; i = (i + 1) % PLACES, tries++) {
    uintptr_t none = 0;
    if (__atomic_load_n(&places[i], __ATOMIC_RELAXED) == place)
      return;
    if (!__atomic_compare_exchange_n(&places[i], &none, place, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      continue;
    first_of[i] = number;
    return;
  }
}

static bool fails(const void *caller) {
  const uintptr_t place = (uintptr_t)caller;
  if (place < first_byte || place >= last_byte)
    return false;
  const long number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
  if (list)
    note(place, number);
  if (number != failing)
    return false;
  errno = ENOMEM;
  return true;
}
#define FAILS fails(__builtin_return_address(0))
#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

void *malloc(size_t bytes) {
  return FAILS ? NULL : __libc_malloc(bytes);
}
void *calloc(size_t number, size_t bytes) {
  return FAILS ? NULL : __libc_calloc(number, bytes);
}
void *realloc(void *old, size_t bytes) {
  return FAILS ? NULL : __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  return FAILS ? NULL : __libc_memalign(alignment, bytes);
}
int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  if (FAILS)
    return ENOMEM;
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
  return FAILS ? MAP_FAILED : NEXT(mmap)(at, bytes, protection, flags, file, offset);
}
char *strdup(const char *text) {
  return FAILS ? NULL : NEXT(strdup)(text);
}
char *strndup(const char *text, size_t most) {
  return FAILS ? NULL : NEXT(strndup)(text, most);
}
FILE *fopen(const char *path, const char *mode) {
  return FAILS ? NULL : NEXT(fopen)(path, mode);
}
FILE *open_memstream(char **text, size_t *bytes) {
  return FAILS ? NULL : NEXT(open_memstream)(text, bytes);
}
DIR *fdopendir(int file) {
  return FAILS ? NULL : NEXT(fdopendir)(file);
}
DIR *opendir(const char *path) {
  return FAILS ? NULL : NEXT(opendir)(path);
}
char *realpath(const char *path, char *resolved) {
  return FAILS ? NULL : NEXT(realpath)(path, resolved);
}
int vasprintf(char **text, const char *format, va_list arguments) {
  return FAILS ? -1 : NEXT(vasprintf)(text, format, arguments);
}
int asprintf(char **text, const char *format, ...) {
  if (FAILS)
    return -1;
  va_list arguments;
  va_start(arguments, format);
  const int length = NEXT(vasprintf)(text, format, arguments);
  va_end(arguments);
  return length;
}

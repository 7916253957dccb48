#include "cli/doctor_print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char *const severities[] = {[HEED_WRONG] = "wrong", [HEED_DOUBTFUL] = "doubtful"};
static const char *const locks[] = {
    [HEED_LOCK_TAKEN] = "locks that do not exclude", [HEED_LOCK_HELD] = "locks work", [HEED_LOCK_NONE] = "no locks"};
static const char *const kinds[HEED_DOCTOR_FILES] = {"training data", "validation data", "vocabulary"};

/* ---- text ---- */

/* Characters, each of one column here: bytes that begin one. */
static int width_of(const char *text) {
  int width = 0;
  for (; *text; text++)
    width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

/* Names of hosts and files may hold anything: a control character could draw on the terminal. */
static void put(const char *text) {
  for (; *text; text++)
    putchar((unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text);
}

static void put_row(const char *const cells[HEED_DOCTOR_COLUMNS], const int widths[HEED_DOCTOR_COLUMNS]) {
  for (int c = 0; c < HEED_DOCTOR_COLUMNS; c++) {
    put(cells[c]);
    if (c + 1 < HEED_DOCTOR_COLUMNS)
      printf("%*s", widths[c] - width_of(cells[c]) + 2, "");
  }
  putchar('\n');
}

static heed_status print_table(const heed_doctor_job *job) {
  heed_doctor_row *rows;
  int count, widths[HEED_DOCTOR_COLUMNS];
  HEED_TRY(heed_doctor_fold(&rows, &count, job));
  for (int c = 0; c < HEED_DOCTOR_COLUMNS; c++) {
    widths[c] = width_of(heed_doctor_heads[c]);
    for (int r = 0; r < count; r++)
      if (width_of(rows[r].cells[c]) > widths[c])
        widths[c] = width_of(rows[r].cells[c]);
  }
  put_row(heed_doctor_heads, widths);
  for (int r = 0; r < count; r++) {
    const char *cells[HEED_DOCTOR_COLUMNS];
    for (int c = 0; c < HEED_DOCTOR_COLUMNS; c++)
      cells[c] = rows[r].cells[c];
    put_row(cells, widths);
  }
  free(rows);
  putchar('\n');
  return HEED_OK;
}

__attribute__((format(printf, 2, 3))) static void print_line(const char *name, const char *format, ...) {
  char text[2560];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  printf("%-10s ", name);
  put(text);
  putchar('\n');
}

static void print_links(const heed_doctor_job *job) {
  for (int between = 0; between <= 1; between++) {
    double median;
    const int slowest = heed_doctor_slowest_link(job, between, &median);
    if (slowest < 0)
      continue;
    const heed_doctor_rank *from = &job->ranks[slowest], *to = from + 1;
    print_line(between ? "network" : "links", "slowest %s: rank %d (%s) to rank %d (%s), %.3f GB/s and %.1f µs; median %.3f GB/s",
               between ? "between machines" : "within a machine", from->rank, from->host, to->rank, to->host, from->link_rate / 1e9,
               1e6 * from->link_seconds, median / 1e9);
  }
}

static void print_run(const heed_doctor_rank *first, const heed_doctor_run *run) {
  char room[24], size[24];
  heed_doctor_name_bytes(room, run->free_bytes);
  if (!run->error[0])
    print_line("run", "%s, %s, on %s: %s free, %s; rename and fsync work", run->folder, run->is_there ? "is there" : "can be made",
               run->file_system, room, locks[run->lock]);
  if (run->checkpoint_bytes > 0) {
    heed_doctor_name_bytes(size, run->checkpoint_bytes);
    heed_doctor_name_bytes(room, first->plan_bytes);
    print_line("plan", "a rank takes %s at its peak, a checkpoint %s, and up to %lld of those lie in the run folder at once", room, size,
               (long long)run->keep + 1);
  }
  for (int k = 0; k < HEED_DOCTOR_FILES; k++) {
    const heed_doctor_files *files = &first->files[k];
    heed_doctor_name_bytes(size, files->bytes);
    if (files->count > 0)
      print_line("files", "%s: %lld file%s, %s, hash %016llx", kinds[k], (long long)files->count, files->count == 1 ? "" : "s", size,
                 (unsigned long long)files->hash);
  }
}

heed_status heed_doctor_print(const heed_doctor_job *job, const heed_findings *findings) {
  const heed_doctor_rank *first = job->ranks;
  HEED_TRY(print_table(job));
  print_line("Heed", "%s, %s, %s, build %016llx", first->version, first->compiler, first->build_type, (unsigned long long)first->build);
  print_line("MPI", "%s", first->mpi);
  print_line("OpenBLAS", "%s", first->blas_config);
  print_links(job);
  if (job->run)
    print_run(first, job->run);
  putchar('\n');
  for (int i = 0; i < findings->count; i++) {
    const heed_finding *f = &findings->items[i];
    print_line(severities[f->severity], "%s", f->what);
    print_line("", "→ %s", f->advice);
  }
  if (findings->count == 0)
    printf("fine: %d rank%s, and nothing to find fault with\n", job->count, job->count == 1 ? "" : "s");
  return HEED_OK;
}

/* ---- JSON ---- */

/* What the system gave may be no UTF-8, or cut in the middle of a character. */
static json_t *text_of(const char *text) {
  size_t bytes = strlen(text);
  char *repaired = heed_utf8_repair(text, &bytes);
  json_t *value = repaired ? json_stringn(repaired, bytes) : NULL;
  free(repaired);
  return value;
}

static json_t *bytes_of(uint64_t bytes) {
  return bytes == SIZE_MAX ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *hash_of(uint64_t hash) {
  char text[24];
  snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
  return json_string(text);
}

static json_t *place_of(const heed_doctor_rank *r) {
  const heed_topology *t = &r->topology;
  char *numbers = malloc(6 * HEED_MOST_PROCESSORS);
  if (!numbers)
    return NULL;
  heed_processors_text(&t->may_run, numbers, 6 * HEED_MOST_PROCESSORS);
  json_t *place = json_pack("{s:o, s:i, s:i, s:i, s:i, s:i, s:f}", "list", text_of(numbers), "count", heed_processors_count(&t->may_run),
                            "of", t->processors, "cores", t->cores, "packages", t->packages, "numa_nodes", t->numa_nodes, "container_limit",
                            r->processor_limit);
  free(numbers);
  return place;
}

static json_t *link_of(const heed_doctor_job *job, int r) {
  const heed_doctor_rank *from = &job->ranks[r];
  if (r + 1 == job->count)
    return json_null();
  return json_pack("{s:i, s:b, s:f, s:f}", "to", r + 1, "same_machine", from->machine == from[1].machine, "latency_seconds",
                   from->link_seconds, "bytes_per_second", from->link_rate);
}

static json_t *files_of(const heed_doctor_rank *r) {
  static const char *const keys[HEED_DOCTOR_FILES] = {"train", "validation", "vocabulary"};
  json_t *all = json_object();
  for (int k = 0; k < HEED_DOCTOR_FILES; k++) {
    const heed_doctor_files *files = &r->files[k];
    if (files->error[0])
      json_object_set_new(all, keys[k], json_pack("{s:o}", "error", text_of(files->error)));
    else if (files->count > 0)
      json_object_set_new(
          all, keys[k],
          json_pack("{s:I, s:I, s:o}", "files", (json_int_t)files->count, "bytes", (json_int_t)files->bytes, "hash", hash_of(files->hash)));
  }
  return all;
}

static json_t *rank_of(const heed_doctor_job *job, int i) {
  const heed_doctor_rank *r = &job->ranks[i];
  json_t *rank = json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "rank", r->rank, "machine", r->machine,
                           "host", text_of(r->host), "version", text_of(r->version), "compiler", text_of(r->compiler), "build_type",
                           text_of(r->build_type), "build", hash_of(r->build), "mpi", text_of(r->mpi), "level", text_of(r->level),
                           "HEED_ISA", r->pinned[0] ? text_of(r->pinned) : json_null(), "isa", r->runs[0] ? text_of(r->runs) : json_null(),
                           "openblas_core", text_of(r->blas_core), "openblas_config", text_of(r->blas_config), "threads", r->threads);
  json_t *measures = json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:f, s:f, s:o}", "processors", place_of(r), "load", r->load,
                               "memory_free_bytes", bytes_of(r->memory_free), "memory_limit_bytes", bytes_of(r->memory_limit), "shm_bytes",
                               bytes_of(r->shared_bytes), "shm_free_bytes", bytes_of(r->shared_free), "clock_offset_seconds",
                               r->clock_offset, "clock_uncertainty_seconds", r->clock_uncertainty, "link", link_of(job, i));
  if (job->run)
    json_object_update_new(measures, json_pack("{s:o, s:o, s:o, s:o, s:o}", "config", hash_of(r->config), "files", files_of(r),
                                               "data_error", r->data_error[0] ? text_of(r->data_error) : json_null(), "sees_run_folder",
                                               r->sight == HEED_UNTRIED ? json_null() : json_boolean(r->sight == HEED_SEEN), "plan_bytes",
                                               r->plan_bytes ? bytes_of(r->plan_bytes) : json_null()));
  if (!rank || json_object_update_new(rank, measures) != 0) {
    json_decref(rank);
    return NULL;
  }
  return rank;
}

static json_t *run_of(const heed_doctor_run *run) {
  return json_pack("{s:o, s:b, s:o, s:o, s:o, s:s, s:I, s:I}", "folder", text_of(run->folder), "is_there", run->is_there, "file_system",
                   text_of(run->file_system), "free_bytes", bytes_of(run->free_bytes), "error",
                   run->error[0] ? text_of(run->error) : json_null(), "locks", locks[run->lock], "checkpoint_bytes",
                   (json_int_t)run->checkpoint_bytes, "keep", (json_int_t)run->keep);
}

static json_t *finding_of(const heed_finding *f) {
  json_t *ranks = json_array();
  for (int i = 0; i < f->count; i++)
    json_array_append_new(ranks, json_integer(f->ranks[i]));
  return json_pack("{s:s, s:o, s:o, s:s}", "severity", severities[f->severity], "what", text_of(f->what), "ranks", ranks, "advice",
                   f->advice);
}

json_t *heed_doctor_json(const heed_doctor_job *job, const heed_findings *findings) {
  json_t *ranks = json_array(), *found = json_array();
  bool whole = true;
  for (int r = 0; r < job->count; r++)
    whole = json_array_append_new(ranks, rank_of(job, r)) == 0 && whole;
  for (int i = 0; i < findings->count; i++)
    whole = json_array_append_new(found, finding_of(&findings->items[i])) == 0 && whole;
  json_t *object = json_pack("{s:o, s:o, s:b}", "ranks", ranks, "findings", found, "fine", findings->count == 0);
  if (job->run)
    whole = json_object_set_new(object, "run", run_of(job->run)) == 0 && whole;
  if (!whole) {
    json_decref(object);
    return NULL;
  }
  return object;
}

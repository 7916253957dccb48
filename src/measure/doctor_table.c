/* Ranks as rows of a table, those that are alike in one; and the names of ranks, hosts and sizes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/doctor.h"

const char *const heed_doctor_heads[HEED_DOCTOR_COLUMNS] = {"ranks",   "hosts",      "Heed",   "level",    "OpenBLAS",
                                                            "threads", "processors", "memory", "/dev/shm", "clock"};
enum { RANKS, HOSTS, HEED, LEVEL, BLAS, THREADS, PROCESSORS, MEMORY, SHARED, CLOCK };

void heed_doctor_name_bytes(char text[24], uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = (double)bytes;
  int unit = 0;
  for (; size >= 1024 && unit < 4; unit++)
    size /= 1024;
  if (bytes == SIZE_MAX)
    snprintf(text, 24, "?");
  else
    snprintf(text, 24, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

/* "0–3, 7" */
static void name_numbers(char *text, size_t bytes, const int *ranks, int count) {
  static const char gap[] = ", …";
  size_t used = 0;
  text[0] = 0;
  for (int i = 0; i < count; i++) {
    char range[40];
    const int first = i;
    while (i + 1 < count && ranks[i + 1] == ranks[i] + 1)
      i++;
    const int length = snprintf(range, sizeof range, i > first ? "%s%d–%d" : "%s%d", used ? ", " : "", ranks[first], ranks[i]);
    if (used + (size_t)length + sizeof gap > bytes) {
      snprintf(text + used, bytes - used, "%s", gap);
      return;
    }
    memcpy(text + used, range, (size_t)length + 1);
    used += (size_t)length;
  }
}

void heed_doctor_name_ranks(char *text, size_t bytes, const int *ranks, int count) {
  const int length = snprintf(text, bytes, count == 1 ? "rank " : "ranks ");
  name_numbers(text + length, bytes - (size_t)length, ranks, count);
}

void heed_doctor_name_hosts(char *text, size_t bytes, const heed_doctor_job *job, const int *ranks, int count) {
  enum { MOST = 3 };
  const char *named[MOST] = {0}, *last = "";
  int machines = 0;
  for (int i = 0; i < count; i++) {
    const heed_doctor_rank *r = &job->ranks[ranks[i]];
    bool is_new = true;
    for (int k = 0; k < i && is_new; k++)
      is_new = job->ranks[ranks[k]].machine != r->machine;
    if (!is_new)
      continue;
    if (machines < MOST)
      named[machines] = r->host;
    last = r->host;
    machines++;
  }
  if (machines > MOST)
    snprintf(text, bytes, "%.40s … %.40s (%d)", named[0], last, machines);
  else
    snprintf(text, bytes, "%.36s%s%.36s%s%.36s", machines > 0 ? named[0] : "", machines > 1 ? ", " : "", machines > 1 ? named[1] : "",
             machines > 2 ? ", " : "", machines > 2 ? named[2] : "");
}

/* Whether two ranks stand in one row. */
static bool are_alike(const heed_doctor_rank *a, const heed_doctor_rank *b) {
  const heed_topology *s = &a->topology, *t = &b->topology;
  return a->build == b->build && strcmp(a->version, b->version) == 0 && strcmp(a->compiler, b->compiler) == 0 &&
         strcmp(a->build_type, b->build_type) == 0 && strcmp(a->mpi, b->mpi) == 0 && strcmp(a->level, b->level) == 0 &&
         strcmp(a->pinned, b->pinned) == 0 && strcmp(a->blas_core, b->blas_core) == 0 && strcmp(a->blas_config, b->blas_config) == 0 &&
         a->threads == b->threads && s->processors == t->processors && s->cores == t->cores && s->packages == t->packages &&
         s->numa_nodes == t->numa_nodes && heed_processors_count(&s->may_run) == heed_processors_count(&t->may_run);
}

static void show_level(char *cell, const heed_doctor_rank *r) {
  if (!r->runs[0])
    snprintf(cell, HEED_DOCTOR_CELL, "none (HEED_ISA=%s)", r->pinned);
  else if (strcmp(r->runs, r->level) != 0)
    snprintf(cell, HEED_DOCTOR_CELL, "%s of %s (HEED_ISA)", r->runs, r->level);
  else
    snprintf(cell, HEED_DOCTOR_CELL, "%s%s", r->runs, r->pinned[0] ? " (HEED_ISA)" : "");
}

static const char *plural(int count) {
  return count == 1 ? "" : "s";
}

static void show_processors(char *cell, const heed_doctor_job *job, const int *ranks, int count) {
  const heed_topology *t = &job->ranks[ranks[0]].topology;
  const int mine = heed_processors_count(&t->may_run);
  bool same = true;
  char numbers[64];
  for (int i = 1; i < count && same; i++)
    same = memcmp(&t->may_run, &job->ranks[ranks[i]].topology.may_run, sizeof t->may_run) == 0;
  if (same)
    heed_processors_text(&t->may_run, numbers, sizeof numbers);
  else
    snprintf(numbers, sizeof numbers, "%d each", mine);
  snprintf(cell, HEED_DOCTOR_CELL, "%s of %d: %d core%s, %d package%s, %d NUMA node%s", numbers, t->processors, t->cores, plural(t->cores),
           t->packages, plural(t->packages), t->numa_nodes, plural(t->numa_nodes));
}

/* What differs among ranks of a row as a matter of course: the least, or the worst, of them. */
static void show_measures(heed_doctor_row *row, const heed_doctor_job *job, const int *ranks, int count) {
  heed_doctor_rank worst = job->ranks[ranks[0]];
  char free_bytes[24], bytes[24];
  for (int i = 1; i < count; i++) {
    const heed_doctor_rank *r = &job->ranks[ranks[i]];
    worst.memory_free = r->memory_free < worst.memory_free ? r->memory_free : worst.memory_free;
    worst.memory_limit = r->memory_limit < worst.memory_limit ? r->memory_limit : worst.memory_limit;
    if (r->shared_free < worst.shared_free) {
      worst.shared_free = r->shared_free;
      worst.shared_bytes = r->shared_bytes;
    }
    if (fabs(r->clock_offset) > fabs(worst.clock_offset)) {
      worst.clock_offset = r->clock_offset;
      worst.clock_uncertainty = r->clock_uncertainty;
    }
  }
  heed_doctor_name_bytes(free_bytes, worst.memory_free);
  heed_doctor_name_bytes(bytes, worst.memory_limit);
  snprintf(row->cells[MEMORY], HEED_DOCTOR_CELL, worst.memory_limit == SIZE_MAX ? "%s free" : "%s free, limit %s", free_bytes, bytes);
  heed_doctor_name_bytes(free_bytes, worst.shared_free);
  heed_doctor_name_bytes(bytes, worst.shared_bytes);
  snprintf(row->cells[SHARED], HEED_DOCTOR_CELL, worst.shared_bytes ? "%s of %s" : "none", free_bytes, bytes);
  if (worst.clock_uncertainty > 0)
    snprintf(row->cells[CLOCK], HEED_DOCTOR_CELL, "%+.6f ± %.6f s", worst.clock_offset, worst.clock_uncertainty);
  else
    snprintf(row->cells[CLOCK], HEED_DOCTOR_CELL, "rank 0's");
}

static void fill_row(heed_doctor_row *row, const heed_doctor_job *job, const int *ranks, int count) {
  const heed_doctor_rank *r = &job->ranks[ranks[0]];
  row->first = ranks[0];
  row->count = count;
  name_numbers(row->cells[RANKS], HEED_DOCTOR_CELL, ranks, count);
  heed_doctor_name_hosts(row->cells[HOSTS], HEED_DOCTOR_CELL, job, ranks, count);
  snprintf(row->cells[HEED], HEED_DOCTOR_CELL, "%s %s %08llx", r->version, r->build_type, (unsigned long long)(r->build >> 32));
  show_level(row->cells[LEVEL], r);
  snprintf(row->cells[BLAS], HEED_DOCTOR_CELL, "%s", r->blas_core);
  snprintf(row->cells[THREADS], HEED_DOCTOR_CELL, "%d", r->threads);
  show_processors(row->cells[PROCESSORS], job, ranks, count);
  show_measures(row, job, ranks, count);
}

heed_status heed_doctor_fold(heed_doctor_row **rows, int *count, const heed_doctor_job *job) {
  int *ranks = malloc((size_t)job->count * sizeof *ranks);
  bool *done = calloc((size_t)job->count, sizeof *done);
  *rows = NULL;
  *count = 0;
  heed_status status = ranks && done ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the table of ranks");
  for (int first = 0; first < job->count && status == HEED_OK; first++) {
    int alike = 0;
    if (done[first])
      continue;
    for (int r = first; r < job->count; r++)
      if (!done[r] && are_alike(&job->ranks[first], &job->ranks[r])) {
        ranks[alike++] = r;
        done[r] = true;
      }
    heed_doctor_row *more = realloc(*rows, (size_t)(*count + 1) * sizeof *more);
    if (!more) {
      status = heed_error(HEED_FAILED, "out of memory for the table of ranks");
      break;
    }
    *rows = more;
    fill_row(&more[(*count)++], job, ranks, alike);
  }
  free(ranks);
  free(done);
  if (status != HEED_OK) {
    free(*rows);
    *rows = NULL;
    *count = 0;
  }
  return status;
}

/* What follows from the ranks' facts: those that should be alike are compared; doctor_checks.c holds the rest against limits. */
#include "measure/doctor_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- findings ---- */

static int *marked(const heed_judge *judge, int *count) {
  *count = 0;
  int *ranks = malloc((size_t)judge->job->count * sizeof *ranks);
  for (int r = 0; ranks && r < judge->job->count; r++)
    if (judge->about[r])
      ranks[(*count)++] = r;
  return ranks;
}

static void name_marked(const heed_judge *judge, const int *ranks, int count, char *text, size_t bytes) {
  char names[80], hosts[120];
  heed_doctor_name_ranks(names, sizeof names, ranks, count);
  heed_doctor_name_hosts(hosts, sizeof hosts, judge->job, ranks, count);
  snprintf(text, bytes, "%s (%s)", names, hosts);
}

void heed_judge_name(const heed_judge *judge, char *text, size_t bytes) {
  int count, *ranks = marked(judge, &count);
  snprintf(text, bytes, "?");
  if (ranks)
    name_marked(judge, ranks, count, text, bytes);
  free(ranks);
}

/* What is wrong stands before what is doubtful, each in the order in which it was found. */
static heed_finding *make_room(heed_findings *findings, heed_severity severity) {
  heed_finding *items = realloc(findings->items, (size_t)(findings->count + 1) * sizeof *items);
  if (!items)
    return NULL;
  const int place = severity == HEED_WRONG ? findings->wrong++ : findings->count;
  findings->items = items;
  memmove(items + place + 1, items + place, (size_t)(findings->count - place) * sizeof *items);
  findings->count++;
  items[place] = (heed_finding){.severity = severity};
  return &items[place];
}

void heed_judge_add(heed_judge *judge, heed_severity severity, bool named, const char *advice, const char *format, ...) {
  int count, *ranks = marked(judge, &count);
  heed_finding *finding = ranks && judge->status == HEED_OK ? make_room(judge->findings, severity) : NULL;
  memset(judge->about, 0, (size_t)judge->job->count * sizeof *judge->about);
  if (!finding) {
    free(ranks);
    judge->status = heed_error(HEED_FAILED, "out of memory for what was found");
    return;
  }
  finding->ranks = ranks;
  finding->count = count;
  snprintf(finding->advice, sizeof finding->advice, "%s", advice);
  size_t used = 0;
  if (named && count > 0) {
    name_marked(judge, ranks, count, finding->what, sizeof finding->what - 8);
    strcat(finding->what, ": ");
    used = strlen(finding->what);
  }
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(finding->what + used, sizeof finding->what - used, format, arguments);
  va_end(arguments);
}

void heed_findings_free(heed_findings *findings) {
  for (int i = 0; i < findings->count; i++)
    free(findings->items[i].ranks);
  free(findings->items);
  *findings = (heed_findings){0};
}

heed_status heed_doctor_judge(heed_findings *findings, const heed_doctor_job *job) {
  *findings = (heed_findings){0};
  heed_judge judge = {.job = job, .findings = findings, .about = calloc((size_t)job->count, sizeof(bool))};
  if (!judge.about)
    return heed_error(HEED_FAILED, "out of memory for what was found");
  heed_judge_likeness(&judge);
  heed_judge_limits(&judge);
  free(judge.about);
  return judge.status;
}

/* ---- what should be alike ---- */

/** Writes a rank's value; false: it has none and is left out. */
typedef bool show_value(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]);

static bool show_build(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, "%s, %s, %s, build %016llx", r->version, r->compiler, r->build_type, (unsigned long long)r->build);
  return true;
}

static bool show_mpi(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, "%s", r->mpi);
  return true;
}

static bool show_config(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, "hash %016llx", (unsigned long long)r->config);
  return r->config != 0;
}

static bool show_files(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  const heed_doctor_files *files = &r->files[which];
  char size[24];
  heed_doctor_name_bytes(size, files->bytes);
  snprintf(text, HEED_DOCTOR_TEXT, "%lld file%s, %s, hash %016llx", (long long)files->count, files->count == 1 ? "" : "s", size,
           (unsigned long long)files->hash);
  return files->count > 0;
}

static bool show_level(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, r->pinned[0] ? "%s (HEED_ISA=%s)" : "%s", r->runs, r->pinned);
  return r->runs[0] != 0;
}

static bool show_blas(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, "%s (%s)", r->blas_core, r->blas_config);
  return true;
}

static bool show_threads(const heed_doctor_rank *r, int which, char text[HEED_DOCTOR_TEXT]) {
  (void)which;
  snprintf(text, HEED_DOCTOR_TEXT, "%d", r->threads);
  return true;
}

#define SHARE_FILES "put the files in a folder that all machines share, or copy the same to each"

static const struct likeness {
  const char *name;
  heed_severity severity;
  show_value *show;
  int which;
  const char *advice;
} facts[] = {
    {"builds of Heed", HEED_WRONG, show_build, 0, "run one build everywhere: install it in a shared folder, or copy it to all machines"},
    {"MPI libraries", HEED_WRONG, show_mpi, 0, "load the same MPI on all machines (module, LD_LIBRARY_PATH)"},
    {"configurations", HEED_WRONG, show_config, 0, "give all ranks the same file and the same --set"},
    {"training data", HEED_WRONG, show_files, HEED_DOCTOR_TRAIN, SHARE_FILES},
    {"validation data", HEED_WRONG, show_files, HEED_DOCTOR_VALIDATION, SHARE_FILES},
    {"vocabularies", HEED_WRONG, show_files, HEED_DOCTOR_VOCABULARY, SHARE_FILES},
    {"instruction levels", HEED_DOUBTFUL, show_level, 0,
     "the job runs at the lowest of them: set HEED_ISA alike on all ranks, or leave the slower machines out"},
    {"cores of OpenBLAS", HEED_DOUBTFUL, show_blas, 0,
     "results are right, but their last bits depend on which rank computed what: set OPENBLAS_CORETYPE alike everywhere"},
    {"numbers of threads", HEED_DOUBTFUL, show_threads, 0,
     "each step waits for the slowest rank: set OMP_NUM_THREADS alike (mpirun -x OMP_NUM_THREADS) and bind all ranks to as many "
     "processors"},
};
enum { FACTS = sizeof facts / sizeof *facts };

typedef struct value {
  char text[HEED_DOCTOR_TEXT];
  int ranks; /* that have it */
} value;

/* Sorts the ranks by their values.  \param[out] of  [count] the place of each rank's value, −1 for none.  \return how many values, −1 when
 * memory is short */
static int find_values(const heed_doctor_job *job, const struct likeness *fact, int *of, value **values) {
  int count = 0;
  *values = NULL;
  for (int r = 0; r < job->count; r++) {
    char text[HEED_DOCTOR_TEXT];
    of[r] = -1;
    if (!fact->show(&job->ranks[r], fact->which, text))
      continue;
    int v = 0;
    while (v < count && strcmp((*values)[v].text, text) != 0)
      v++;
    if (v == count) {
      value *more = realloc(*values, (size_t)(count + 1) * sizeof *more);
      if (!more)
        return -1;
      *values = more;
      memcpy(more[v].text, text, sizeof text);
      more[v].ranks = 0;
      count++;
    }
    (*values)[v].ranks++;
    of[r] = v;
  }
  return count;
}

static void mark(heed_judge *judge, const int *of, int v) {
  for (int r = 0; r < judge->job->count; r++)
    judge->about[r] = of[r] == v;
}

/* "X on rank 1 (beta), and Y on ranks 0, 2–7 (alpha …)": the odd ones first, the most frequent value, the first of equals, last. */
static void tell_difference(heed_judge *judge, const struct likeness *fact, const int *of, const value *values, int count) {
  enum { MOST_SHOWN = 3 };
  char text[1600], names[240];
  int usual = 0, shown = 0;
  size_t used = 0;
  for (int v = 1; v < count; v++)
    if (values[v].ranks > values[usual].ranks)
      usual = v;
  for (int v = 0; v < count && shown < MOST_SHOWN - 1; v++) {
    if (v == usual)
      continue;
    mark(judge, of, v);
    heed_judge_name(judge, names, sizeof names);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s on %s, ", values[v].text, names);
    shown++;
  }
  if (count > MOST_SHOWN)
    used += (size_t)snprintf(text + used, sizeof text - used, "%d others, ", count - MOST_SHOWN);
  mark(judge, of, usual);
  heed_judge_name(judge, names, sizeof names);
  snprintf(text + used, sizeof text - used, "and %s on %s", values[usual].text, names);
  for (int r = 0; r < judge->job->count; r++)
    judge->about[r] = of[r] >= 0 && of[r] != usual;
  heed_judge_add(judge, fact->severity, false, fact->advice, "different %s: %s", fact->name, text);
}

void heed_judge_likeness(heed_judge *judge) {
  int *of = malloc((size_t)judge->job->count * sizeof *of);
  if (!of)
    judge->status = heed_error(HEED_FAILED, "out of memory for a comparison of ranks");
  for (int i = 0; of && i < FACTS && judge->status == HEED_OK; i++) {
    value *values;
    const int count = find_values(judge->job, &facts[i], of, &values);
    if (count < 0)
      judge->status = heed_error(HEED_FAILED, "out of memory for a comparison of ranks");
    else if (count > 1)
      tell_difference(judge, &facts[i], of, values, count);
    free(values);
  }
  free(of);
}

#include "measure/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "heed/log.h"
#include "measure/child.h"

enum { MOST_SETTINGS = 8, MOST_TEXT = 64, MOST_PATH = 4096, SHOWN_BYTES = 4096 };

struct heed_verify {
  heed_verify_spec spec;
  char program[MOST_PATH], folder[MOST_PATH], run[MOST_PATH + 8], output[MOST_PATH + 8];
  sigset_t signals;
};

static heed_status make_folder(heed_verify *verify) {
  const char *parent = getenv("TMPDIR");
  ssize_t length = readlink("/proc/self/exe", verify->program, sizeof verify->program - 1);
  if (length <= 0)
    return heed_error(HEED_FAILED, "/proc/self/exe could not be read: where this program is, is not known");
  verify->program[length] = 0;
  if (!parent || !*parent)
    parent = "/tmp";
  if (snprintf(verify->folder, sizeof verify->folder, "%s/heed-verify-XXXXXX", parent) >= (int)sizeof verify->folder ||
      !mkdtemp(verify->folder)) {
    verify->folder[0] = 0;
    return heed_error(HEED_IO, "%s: no folder could be made there; set TMPDIR to one that has room", parent);
  }
  snprintf(verify->run, sizeof verify->run, "%s/run", verify->folder);
  snprintf(verify->output, sizeof verify->output, "%s/output", verify->folder);
  return HEED_OK;
}

heed_status heed_verify_begin(heed_verify **result, const heed_verify_spec *spec) {
  heed_verify *verify = calloc(1, sizeof *verify);
  if (!verify)
    return heed_error(HEED_FAILED, "out of memory for a comparison of runs");
  verify->spec = *spec;
  heed_child_hold(&verify->signals);
  heed_status status = make_folder(verify);
  if (status != HEED_OK) {
    heed_verify_end(verify);
    return status;
  }
  *result = verify;
  return HEED_OK;
}

void heed_verify_end(heed_verify *verify) {
  if (!verify)
    return;
  sigset_t signals = verify->signals;
  if (verify->folder[0] && !heed_tree_remove(AT_FDCWD, verify->folder))
    heed_warn("%s could not be removed", verify->folder);
  free(verify);
  heed_child_release(&signals);
}

/* What a short run has otherwise than the configuration says.  Returns the number of texts. */
static int short_settings(const heed_verify *verify, char texts[MOST_SETTINGS][MOST_PATH + MOST_TEXT]) {
  const heed_schedule_config *schedule = &verify->spec.config->schedule;
  int64_t steps = verify->spec.steps, warmup = schedule->warmup_steps, decay = schedule->decay_steps;
  if (warmup > steps / 2)
    warmup = steps / 2;
  if (decay > steps - warmup)
    decay = steps - warmup;
  int count = 0;
  snprintf(texts[count++], sizeof texts[0], "run.output=%s", verify->run);
  snprintf(texts[count++], sizeof texts[0], "train.steps=%lld", (long long)steps);
  snprintf(texts[count++], sizeof texts[0], "train.time_limit=0");
  snprintf(texts[count++], sizeof texts[0], "schedule.warmup_steps=%lld", (long long)warmup);
  snprintf(texts[count++], sizeof texts[0], "schedule.decay_steps=%lld", (long long)decay);
  snprintf(texts[count++], sizeof texts[0], "checkpoint.every_steps=0");
  snprintf(texts[count++], sizeof texts[0], "evaluate.every_steps=0");
  return count;
}

/* mpirun … heed train CONFIG --set …; -x gives variables to the ranks of other machines too. */
static heed_status start(heed_verify *verify, int64_t ranks, int64_t threads, int *code) {
  char number[MOST_TEXT], variable[MOST_TEXT], own[MOST_SETTINGS][MOST_PATH + MOST_TEXT];
  int given = verify->spec.setting_count, count = 0, settings = short_settings(verify, own);
  const char **arguments = calloc((size_t)(32 + 2 * (given + MOST_SETTINGS)), sizeof *arguments);
  if (!arguments)
    return heed_error(HEED_FAILED, "out of memory for the arguments of mpirun");
  snprintf(number, sizeof number, "%lld", (long long)ranks);
  snprintf(variable, sizeof variable, "OMP_NUM_THREADS=%lld", (long long)threads);
  const char *const launch[] = {
      "mpirun", "--quiet", "--oversubscribe",         "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none", "-x",
      variable, "-x",      "OMP_WAIT_POLICY=passive", "-n",        number};
  for (size_t i = 0; i < sizeof launch / sizeof *launch; i++)
    arguments[count++] = launch[i];
  if (geteuid() == 0) /* in a container; whoever typed this command as root meant it */
    arguments[count++] = "--allow-run-as-root";
  arguments[count++] = verify->program;
  arguments[count++] = "train";
  arguments[count++] = verify->spec.path;
  for (int i = 0; i < given + settings; i++) {
    arguments[count++] = "--set";
    arguments[count++] = i < given ? verify->spec.settings[i] : own[i - given];
  }
  heed_status status = heed_child_run((char *const *)arguments, verify->output, &verify->signals, code);
  free(arguments);
  return status;
}

/* The end of what a run printed, cut at a line.  Returns its length. */
static size_t read_output(const heed_verify *verify, char text[SHOWN_BYTES + 1]) {
  FILE *file = fopen(verify->output, "rb");
  size_t bytes = 0;
  if (file) {
    bool cut = fseek(file, -SHOWN_BYTES, SEEK_END) == 0;
    bytes = fread(text, 1, SHOWN_BYTES, file);
    fclose(file);
    text[bytes] = 0;
    const char *line = cut ? strchr(text, '\n') : NULL;
    if (line) {
      bytes -= (size_t)(line + 1 - text);
      memmove(text, line + 1, bytes);
    }
  }
  text[bytes] = 0;
  return bytes;
}

/* Why a run failed: the error that it ended with; for one that ended without, its last lines are shown above. */
static heed_status failed(const heed_verify *verify, int64_t ranks, int64_t threads, int code) {
  static const heed_status known[] = {HEED_INVALID, HEED_IO, HEED_WATCHDOG};
  static const char mark[] = "error: ";
  char text[SHOWN_BYTES + 1], *reason = NULL;
  heed_status status = HEED_FAILED;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (code == (int)known[i])
      status = known[i];
  size_t bytes = read_output(verify, text);
  for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
    if (strncmp(line, mark, sizeof mark - 1) == 0)
      reason = line + sizeof mark - 1;
  if (!reason && bytes > 0)
    fprintf(stderr, "%s%s", text, text[bytes - 1] == '\n' ? "" : "\n");
  return heed_error(status, "training on %lld rank%s × %lld thread%s ended with exit code %d%s%.*s", (long long)ranks, ranks > 1 ? "s" : "",
                    (long long)threads, threads > 1 ? "s" : "", code, reason ? ": " : "; what it said last stands above",
                    reason ? (int)strcspn(reason, "\n") : 0, reason ? reason : "");
}

/* Takes names and checksums of the parameters from a manifest. */
static heed_status take_tensors(const heed_manifest *manifest, heed_verify_result *result) {
  static const char prefix[] = "/parameters/";
  heed_hasher *hasher;
  result->names = calloc((size_t)manifest->count + 1, sizeof *result->names);
  result->checksums = calloc((size_t)manifest->count + 1, sizeof *result->checksums);
  if (!result->names || !result->checksums)
    return heed_error(HEED_FAILED, "out of memory for a list of tensors");
  HEED_TRY(heed_hasher_begin(&hasher));
  heed_status status = HEED_OK;
  for (int64_t i = 0; i < manifest->count && status == HEED_OK; i++) {
    const heed_item *item = &manifest->items[i];
    if (strncmp(item->path, prefix, sizeof prefix - 1) != 0)
      continue;
    char *name = strdup(item->path + sizeof prefix - 1);
    if (!name)
      status = heed_error(HEED_FAILED, "out of memory for a list of tensors");
    else
      heed_hasher_add(hasher, name, strlen(name) + 1);
    heed_hasher_add(hasher, &item->checksum, sizeof item->checksum);
    result->names[result->count] = name;
    result->checksums[result->count++] = item->checksum;
  }
  result->hash = heed_hasher_end(hasher);
  if (status == HEED_OK && result->count == 0)
    status = heed_error(HEED_FAILED, "the run saved no parameters");
  return status;
}

heed_status heed_verify_run(heed_verify *verify, int64_t ranks, int64_t threads, heed_verify_result *result) {
  heed_folder folder;
  int code = 0;
  double begun = heed_seconds();
  *result = (heed_verify_result){0};
  HEED_TRY(start(verify, ranks, threads, &code));
  if (code != 0)
    return failed(verify, ranks, threads, code);
  HEED_TRY(heed_checkpoint_folder_open_any(&folder, verify->run));
  heed_status status = folder.manifest.info.step == verify->spec.steps
                           ? take_tensors(&folder.manifest, result)
                           : heed_error(HEED_FAILED, "%s: step %lld was expected", folder.path, (long long)verify->spec.steps);
  heed_checkpoint_folder_close(&folder);
  result->seconds = heed_seconds() - begun;
  if (!heed_tree_remove(AT_FDCWD, verify->run) && status == HEED_OK)
    status = heed_error(HEED_IO, "%s could not be removed", verify->run);
  if (status != HEED_OK)
    heed_verify_result_free(result);
  return status;
}

int64_t heed_verify_differences(const heed_verify_result *a, const heed_verify_result *b, const char **first) {
  int64_t different = 0, most = a->count > b->count ? a->count : b->count;
  *first = NULL;
  for (int64_t i = 0; i < most; i++) {
    bool same = i < a->count && i < b->count && a->checksums[i] == b->checksums[i] && strcmp(a->names[i], b->names[i]) == 0;
    if (!same && different++ == 0)
      *first = i < a->count ? a->names[i] : b->names[i];
  }
  return different;
}

void heed_verify_result_free(heed_verify_result *result) {
  for (int64_t i = 0; i < result->count; i++)
    free(result->names[i]);
  free(result->names);
  free(result->checksums);
  *result = (heed_verify_result){0};
}

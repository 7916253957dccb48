/* heed checkpoint list|show|verify RUN|CHECKPOINT */
#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "checkpoint/state.h"
#include "cli/commands.h"
#include "cli/options.h"

typedef struct options {
  const char *action, *path;
  bool json;
} options;

static error_t parse(int key, char *argument, struct argp_state *state) {
  options *o = state->input;
  if (key == 'j')
    o->json = true;
  else if (key == ARGP_KEY_ARG && state->arg_num == 0)
    o->action = argument;
  else if (key == ARGP_KEY_ARG && state->arg_num == 1)
    o->path = argument;
  else if (key == ARGP_KEY_ARG)
    argp_error(state, "'%s' is one argument too many", argument);
  else if (key == ARGP_KEY_END && !o->path)
    argp_error(state, "an action (list, show or verify) and a run or checkpoint folder are needed");
  else
    return ARGP_ERR_UNKNOWN;
  return 0;
}

/* One checkpoint of a list, every byte of it checked. */
typedef struct row {
  char *path;
  int64_t step, bytes; /* of a manifest that cannot be read: the step of the folder's name, −1 for any other name, and bytes 0 */
  double validation_loss;
  char *fault; /* NULL when good */
  bool newest, best;
} row;

typedef struct rows {
  row *items;
  int64_t count;
} rows;

static void free_rows(rows *list) {
  for (int64_t i = 0; i < list->count; i++) {
    free(list->items[i].path);
    free(list->items[i].fault);
  }
  free(list->items);
}

/* Takes what the manifest tells first: a damaged state.h5 has a step and a loss all the same. */
static heed_status judge(row *r, int parent, const char *name, const char *path, bool follow) {
  heed_folder folder;
  heed_status status = heed_checkpoint_folder_open(&folder, parent, name, path, follow, HEED_TRUST_MANIFEST);
  if (status == HEED_OK) {
    r->step = folder.manifest.info.step;
    r->bytes = heed_manifest_bytes(&folder.manifest);
    r->validation_loss = folder.manifest.info.validation_loss;
    heed_checkpoint_folder_close(&folder);
    status = heed_checkpoint_folder_open(&folder, parent, name, path, follow, HEED_TRUST_NOTHING);
  }
  if (status == HEED_OK) {
    status = heed_checkpoint_folder_check_items(&folder);
    heed_checkpoint_folder_close(&folder);
  }
  if (status == HEED_OK)
    return HEED_OK;
  const char *text = heed_error_text();
  size_t prefix = strlen(path); /* the row names the folder already */
  r->fault = strdup(strncmp(text, path, prefix) == 0 && text[prefix] == ':' ? text + prefix + 2 : text);
  return r->fault ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the list of checkpoints");
}

static heed_status judge_run(rows *list, int checkpoints, const char *path) {
  int64_t *steps;
  HEED_TRY(heed_checkpoint_steps(checkpoints, path, &steps, &list->count));
  list->items = calloc((size_t)list->count + 1, sizeof *list->items);
  heed_status status = list->items ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the list of checkpoints");
  if (status != HEED_OK)
    list->count = 0;
  for (int64_t i = 0; status == HEED_OK && i < list->count; i++) {
    row *r = &list->items[i];
    char name[32];
    heed_checkpoint_name(name, steps[i]);
    *r = (row){.step = steps[i], .validation_loss = NAN, .path = heed_checkpoint_path(path, steps[i])};
    status = r->path ? judge(r, checkpoints, name, r->path, false) : heed_error(HEED_FAILED, "out of memory for a path");
  }
  free(steps);
  row *newest = NULL, *best = NULL;
  for (int64_t i = 0; status == HEED_OK && i < list->count; i++) {
    row *r = &list->items[i];
    if (r->fault)
      continue;
    newest = newest ? newest : r;
    if (best ? r->validation_loss < best->validation_loss : !isnan(r->validation_loss))
      best = r;
  }
  if (newest)
    newest->newest = true;
  if (best)
    best->best = true;
  return status;
}

/* The step that the name of a checkpoint's folder tells, by whatever path or link it is reached. */
static int64_t step_of_name(const char *path) {
  char *whole = realpath(path, NULL);
  const int64_t step = whole ? heed_checkpoint_step(strrchr(whole, '/') + 1) : -1;
  free(whole);
  return step;
}

static heed_status judge_one(rows *list, int directory, const char *path) {
  list->items = calloc(1, sizeof *list->items);
  if (!list->items)
    return heed_error(HEED_FAILED, "out of memory for the list of checkpoints");
  list->count = 1;
  list->items[0] = (row){.step = step_of_name(path), .validation_loss = NAN, .path = strdup(path)};
  if (!list->items[0].path)
    return heed_error(HEED_FAILED, "out of memory for a path");
  return judge(&list->items[0], directory, ".", path, true);
}

/* All checkpoints of a run, or the one that was named. */
static heed_status judge_named(rows *list, const char *path) {
  int directory, checkpoints;
  bool is_run;
  char *shown;
  *list = (rows){0};
  HEED_TRY(heed_checkpoint_named_open(path, &directory, &is_run));
  heed_status status;
  if (!is_run) {
    status = judge_one(list, directory, path);
  } else if ((status = heed_checkpoints_open(directory, path, &checkpoints, &shown)) == HEED_OK) {
    status = judge_run(list, checkpoints, shown);
    close(checkpoints);
    free(shown);
  }
  close(directory);
  return status;
}

static json_t *json_of_loss(double loss) {
  return isfinite(loss) ? json_real(loss) : json_null();
}

static json_t *json_of_rows(const rows *list, const char *path) {
  json_t *array = json_array();
  for (int64_t i = 0; i < list->count; i++) {
    const row *r = &list->items[i];
    json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:o, s:b, s:s?, s:b, s:b}", "path", r->path, "step", (json_int_t)r->step,
                                           "bytes", (json_int_t)r->bytes, "validation_loss", json_of_loss(r->validation_loss), "good",
                                           !r->fault, "reason", r->fault, "newest", r->newest, "best", r->best));
  }
  return json_pack("{s:s, s:o}", "path", path, "checkpoints", array);
}

static void print_rows(const rows *list) {
  printf("%10s  %10s  %15s  %s\n", "step", "size", "validation loss", "state");
  for (int64_t i = 0; i < list->count; i++) {
    const row *r = &list->items[i];
    char step[24] = "?", size[24] = "?", loss[24] = "-";
    if (r->step >= 0)
      snprintf(step, sizeof step, "%lld", (long long)r->step);
    if (r->bytes > 0)
      snprintf(size, sizeof size, "%.1f MiB", (double)r->bytes / 1048576.0);
    if (isfinite(r->validation_loss))
      snprintf(loss, sizeof loss, "%.4f", r->validation_loss);
    printf("%10s  %10s  %15s  %s%s%s%s\n", step, size, loss, r->fault ? "bad: " : "good", r->fault ? r->fault : "",
           r->newest ? ", newest" : "", r->best ? ", best" : "");
  }
  if (list->count == 0)
    puts("no checkpoints");
}

static heed_status list_or_verify(const options *o, bool verify) {
  rows list;
  heed_status status = judge_named(&list, o->path);
  if (status == HEED_OK && o->json)
    status = heed_print_json(json_of_rows(&list, o->path));
  else if (status == HEED_OK)
    print_rows(&list);
  for (int64_t i = 0; status == HEED_OK && verify && i < list.count; i++)
    if (list.items[i].fault)
      status = heed_error(HEED_INVALID, "%s: %s", list.items[i].path, list.items[i].fault);
  if (status == HEED_OK && verify && list.count == 0)
    status = heed_error(HEED_INVALID, "%s: holds no checkpoint to verify", o->path);
  free_rows(&list);
  return status;
}

/* √Σx² of a tensor, read block by block. */
static heed_status norm_of(const heed_folder *folder, const heed_item *item, double *norm) {
  float block[16384];
  double sum = 0;
  for (int64_t at = 0; at < item->bytes; at += (int64_t)sizeof block) {
    size_t part = item->bytes - at < (int64_t)sizeof block ? (size_t)(item->bytes - at) : sizeof block;
    HEED_TRY(heed_checkpoint_folder_read(folder, item, block, part, at));
    for (size_t i = 0; i < part / sizeof *block; i++)
      sum += (double)block[i] * block[i];
  }
  *norm = sqrt(sum);
  return HEED_OK;
}

static void print_shape(const heed_item *item) {
  char text[96];
  int used = 0;
  for (int axis = 0; axis < item->rank; axis++)
    used += snprintf(text + used, sizeof text - (size_t)used, "%s%lld", axis ? " x " : "", (long long)item->shape[axis]);
  printf("%18s", text);
}

static heed_status show_items(const heed_folder *folder, json_t *array) {
  for (int64_t i = 0; i < folder->manifest.count; i++) {
    const heed_item *item = &folder->manifest.items[i];
    double norm = 0;
    if (item->type == HEED_ITEM_FLOAT32)
      HEED_TRY(norm_of(folder, item, &norm));
    if (array) {
      char checksum[17];
      json_t *shape = json_array();
      for (int axis = 0; axis < item->rank; axis++)
        json_array_append_new(shape, json_integer(item->shape[axis]));
      snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)item->checksum);
      json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", item->path, "type",
                                             item->type == HEED_ITEM_FLOAT32 ? "float32" : "text", "shape", shape, "checksum", checksum,
                                             "norm", item->type == HEED_ITEM_FLOAT32 ? json_of_loss(norm) : json_null()));
    } else if (item->type == HEED_ITEM_FLOAT32) {
      print_shape(item);
      printf("  %14.6g  %s\n", norm, item->path);
    }
  }
  return HEED_OK;
}

static heed_status show_json(const heed_folder *folder) {
  const heed_checkpoint_info *info = &folder->manifest.info;
  json_t *items = json_array();
  heed_status status = show_items(folder, items);
  json_t *object =
      json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:s, s:s, s:i, s:I, s:o}", "path", folder->path, "step", (json_int_t)info->step,
                "updates", (json_int_t)info->updates, "data_position", (json_int_t)info->data_position, "samples_seen",
                (json_int_t)info->samples_seen, "seed", (json_int_t)info->seed, "cased", info->cased, "validation_loss",
                json_of_loss(info->validation_loss), "isa", info->isa, "blas", info->blas, "format_version",
                heed_manifest_version(&folder->manifest), "bytes", (json_int_t)heed_manifest_bytes(&folder->manifest), "tensors", items);
  if (status == HEED_OK)
    return heed_print_json(object);
  json_decref(object);
  return status;
}

static heed_status show(const options *o) {
  heed_folder folder;
  HEED_TRY(heed_checkpoint_folder_open_any(&folder, o->path));
  const heed_checkpoint_info *info = &folder.manifest.info;
  heed_status status;
  if (o->json) {
    status = show_json(&folder);
  } else {
    printf("checkpoint       %s\nstep             %lld\nupdates          %lld\ndata position    %lld\nsamples seen     %lld\nseed          "
           "   %lu\n",
           folder.path, (long long)info->step, (long long)info->updates, (long long)info->data_position, (long long)info->samples_seen,
           (unsigned long)info->seed);
    printf("cased            %s\nvalidation loss  ", info->cased ? "yes" : "no");
    printf(isfinite(info->validation_loss) ? "%.6f" : "-", info->validation_loss);
    printf("\nwritten on       %s, OpenBLAS %s\nsize             %.1f MiB\n\n%18s  %14s  %s\n", info->isa, info->blas,
           (double)heed_manifest_bytes(&folder.manifest) / 1048576.0, "shape", "norm", "tensor");
    status = show_items(&folder, NULL);
  }
  heed_checkpoint_folder_close(&folder);
  return status;
}

heed_status heed_command_checkpoint(int argc, char **argv) {
  static const struct argp_option list[] = {{"json", 'j', NULL, 0, "Print one JSON object", 0}, {0}};
  static const struct argp argp = {
      .options = list,
      .parser = parse,
      .args_doc = "list|show|verify RUN|CHECKPOINT",
      .doc = "Looks at saved checkpoints: a run folder, or one checkpoint in it.\v"
             "list    each checkpoint with its size, validation loss and whether every byte is as it was written\n"
             "show    what one holds (of a run: the newest good one): progress, tensors, shapes, norms\n"
             "verify  as list, and exit 65 when one is bad"};
  options o = {0};
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  if (strcmp(o.action, "list") == 0)
    return list_or_verify(&o, false);
  if (strcmp(o.action, "verify") == 0)
    return list_or_verify(&o, true);
  if (strcmp(o.action, "show") == 0)
    return show(&o);
  return heed_error(HEED_USAGE, "heed checkpoint: there is no action '%s'; list, show and verify are there", o.action);
}

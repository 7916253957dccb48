/* Import: config.json → configuration → model → its parameter table; each tensor of the table is looked for in the file under the names
 * it may have there; what came of it is saved as a checkpoint of step 0. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "convert/layout.h"
#include "convert/model_files.h"
#include "convert/transformers.h"
#include "convert/transformers_tokenizer.h"
#include "heed/checkpoint.h"
#include "heed/tokenizer.h"
#include "models/level.h"
#include "models/model.h"

typedef struct import {
  const heed_import_spec *spec;
  heed_import_report *report;
  heed_model_files files;
  heed_safetensors weights;
  bool *taken;                     /* [weights.count] */
  heed_layout layout;              /* of the model's tensors in such a file */
  const heed_safetensor **sources; /* [layout.count]; NULL: to be initialised */
  heed_config config;
  const heed_class *class;
  const heed_kernels *kernels;
  heed_model *model;
  heed_tokenizer *tokenizer;
  char *vocabulary; /* text */
  float *parameters;
} import;

enum { MOST_SPARE_ROWS = 1024, MOST_LISTED = 1500 }; /* rows: embeddings are padded to a multiple of 8, 64 or 128 */

static heed_status out_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for an import");
}

/* Both the pooler and the classifier of sentence pairs, or neither: a pooler alone has no use here. */
static bool has_next_sentence(const heed_safetensors *weights) {
  return heed_safetensors_find(weights, "cls.seq_relationship.weight") &&
         (heed_safetensors_find(weights, "bert.pooler.dense.weight") || heed_safetensors_find(weights, "pooler.dense.weight"));
}

/* The run's name is the last part of the output's path. */
static heed_status read_config(import *in) {
  size_t length;
  const char *last = heed_path_name(in->spec->output, &length);
  char *name = strndup(last, length);
  if (!name)
    return out_of_memory();
  heed_status status = heed_transformers_read_config(&in->config, &in->class, in->files.config, name, has_next_sentence(&in->weights),
                                                     in->spec->settings, in->spec->setting_count);
  free(name);
  return status;
}

/* More rows than tokens is common (a multiple of 64, for speed): the rows at the end get names that no text contains. */
static heed_status fill_up(import *in, int64_t missing) {
  size_t bytes;
  const char *text = heed_tokenizer_text(in->tokenizer, &bytes);
  int64_t tokens = heed_tokenizer_size(in->tokenizer);
  bool bpe = heed_tokenizer_kind(in->tokenizer) == HEED_BPE;
  const char *end = bpe ? strstr(text, "}\n#version") : text + bytes; /* BPE's ids stand in an object, its merges behind it */
  FILE *out = open_memstream(&in->vocabulary, &bytes);
  if (!out)
    return out_of_memory();
  fwrite(text, 1, (size_t)(end - text), out);
  for (int64_t i = 0; i < missing; i++)
    fprintf(out, bpe ? ",\"[padding-%lld]\":%lld" : "[padding-%lld]\n", (long long)i, (long long)(tokens + i));
  fputs(end, out);
  return fclose(out) == 0 ? HEED_OK : out_of_memory();
}

static heed_status read_vocabulary(import *in) {
  heed_casing casing = in->spec->casing;
  if (casing == HEED_CASING_UNSAID)
    HEED_TRY(heed_transformers_read_casing(in->files.casing, &casing));
  if (!in->spec->vocabulary && access(in->files.vocabulary, F_OK) != 0)
    return heed_error(HEED_INVALID, "%s holds no vocabulary (vocab.txt, or vocab.json and merges.txt); name it with --vocab",
                      in->files.folder);
  HEED_TRY(heed_tokenizer_open(&in->tokenizer, in->files.vocabulary, casing == HEED_CASED));
  in->report->cased = heed_tokenizer_is_cased(in->tokenizer);
  int64_t tokens = heed_tokenizer_size(in->tokenizer), rows = in->config.model.vocabulary_size;
  if (tokens > rows)
    return heed_error(HEED_INVALID, "%s has %lld tokens, %s says vocab_size %lld: they are of different models", in->files.vocabulary,
                      (long long)tokens, in->files.config, (long long)rows);
  if (rows - tokens > MOST_SPARE_ROWS)
    return heed_error(HEED_INVALID, "%s has only %lld tokens, %s says vocab_size %lld: it is another model's vocabulary",
                      in->files.vocabulary, (long long)tokens, in->files.config, (long long)rows);
  in->report->vocabulary_filled_up = rows - tokens;
  return fill_up(in, rows - tokens);
}

/* `text` with the first `old` replaced by `new`, into `name`; false when it has none. */
static bool replaced(char name[HEED_MAX_NAME + 1], const char *text, const char *old, const char *new) {
  const char *at = strstr(text, old);
  return at && snprintf(name, HEED_MAX_NAME + 1, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) <= HEED_MAX_NAME;
}

/* A tensor of the file under one of the names it may have: with or without the prefix, with the norms' old names or new. */
static const heed_safetensor *find(const import *in, const char *name) {
  const char *prefix = in->class->prefix;
  size_t length = strlen(prefix);
  const char *short_name = strncmp(name, prefix, length) == 0 ? name + length : name;
  for (int i = 0; i < 2; i++) {
    char old[HEED_MAX_NAME + 1];
    const char *candidate = i == 0 ? name : short_name;
    const heed_safetensor *found = heed_safetensors_find(&in->weights, candidate);
    if (!found &&
        (replaced(old, candidate, "LayerNorm.weight", "LayerNorm.gamma") || replaced(old, candidate, "LayerNorm.bias", "LayerNorm.beta")))
      found = heed_safetensors_find(&in->weights, old);
    if (found)
      return found;
  }
  return NULL;
}

static void mark(import *in, const heed_safetensor *tensor) {
  in->taken[tensor - in->weights.items] = true;
}

static bool ends_in(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* A list for a message: nobody reads on where it ends in dots. */
static heed_status append(char **list, const char *name) {
  char *longer;
  bool full = strlen(*list) + strlen(name) > MOST_LISTED;
  if (ends_in(*list, "…"))
    return HEED_OK;
  if (asprintf(&longer, "%s%s%s", *list, **list ? ", " : "", full ? "…" : name) < 0)
    return out_of_memory();
  free(*list);
  *list = longer;
  return HEED_OK;
}

static bool shape_is(const heed_safetensor *tensor, const heed_layout_item *item) {
  bool equal = tensor->rank == item->rank;
  for (int axis = 0; equal && axis < item->rank; axis++)
    equal = tensor->shape[axis] == item->shape[axis];
  return equal;
}

static void print_shape(char text[96], int rank, const int64_t *shape) {
  int used = snprintf(text, 96, "[");
  for (int axis = 0; axis < rank; axis++)
    used += snprintf(text + used, 96 - (size_t)used, "%s%lld", axis ? ", " : "", (long long)shape[axis]);
  snprintf(text + used, 96 - (size_t)used, "]");
}

/* The ones that are one tensor here, by the name of either. */
static const heed_safetensor *find_copy(const import *in, const char *name) {
  for (const heed_class_tie *tie = in->class->ties; tie->copy; tie++)
    if (strcmp(tie->of, name) == 0)
      return heed_safetensors_find(&in->weights, tie->copy);
  return NULL;
}

/* Chooses the tensor of the file for one of the layout; none, and it will be initialised, when the file lacks a head's. */
static heed_status choose(import *in, int64_t index) {
  const heed_layout_item *item = &in->layout.items[index];
  const heed_safetensor *tensor = find(in, item->name);
  if (!tensor)
    tensor = find_copy(in, item->name);
  if (!tensor && heed_class_owns(in->class, item->name))
    return heed_error(HEED_INVALID, "%s: %s is missing; the file does not hold the whole model that %s describes", in->weights.path,
                      item->name, in->files.config);
  if (!tensor)
    return append(&in->report->initialised, item->name);
  if (!shape_is(tensor, item)) {
    char theirs[96], ours[96];
    print_shape(theirs, tensor->rank, tensor->shape);
    print_shape(ours, item->rank, item->shape);
    return heed_error(HEED_INVALID, "%s: %s has the shape %s; %s makes it %s", in->weights.path, tensor->name, theirs, in->files.config,
                      ours);
  }
  in->sources[index] = tensor;
  mark(in, tensor);
  in->report->tensors++;
  in->report->parameters += item->count;
  return HEED_OK;
}

/* Reads a tensor of theirs into the place of ours. */
static heed_status read_into(const import *in, const heed_layout_item *item, const heed_safetensor *tensor, float *values) {
  if (!item->transposed)
    return heed_safetensors_read(&in->weights, tensor, values);
  float *turned = malloc((size_t)item->count * sizeof *turned);
  heed_status status = turned ? heed_safetensors_read(&in->weights, tensor, turned) : out_of_memory();
  if (status == HEED_OK)
    heed_layout_transpose(values, turned, item->shape[0], item->shape[1]);
  free(turned);
  return status;
}

static heed_status read_one(import *in, int64_t index) {
  const heed_layout_item *item = &in->layout.items[index];
  float *values = in->parameters + item->offset;
  if (!in->sources[index]) {
    for (int part = 0; part < item->parts; part++)
      heed_parameters_initialise_one(heed_model_table(in->model), item->first + part, in->parameters, in->config.run.seed);
    return HEED_OK;
  }
  HEED_TRY(read_into(in, item, in->sources[index], values));
  for (int64_t i = 0; i < item->count; i++)
    if (!isfinite(values[i]))
      return heed_error(HEED_INVALID, "%s: %s holds a number that is not finite", in->weights.path, in->sources[index]->name);
  return HEED_OK;
}

/* What is one tensor here may stand in the file a second time, but not as another one. */
static heed_status check_tied(import *in, const heed_class_tie *tie) {
  const heed_safetensor *copy = heed_safetensors_find(&in->weights, tie->copy);
  int64_t index = 0;
  while (index < in->layout.count && strcmp(in->layout.items[index].name, tie->of) != 0)
    index++;
  if (!copy || index == in->layout.count || in->sources[index] == copy)
    return HEED_OK;
  const heed_layout_item *item = &in->layout.items[index];
  if (!shape_is(copy, item))
    return heed_error(HEED_INVALID, "%s: %s is not of the shape of %s", in->weights.path, tie->copy, tie->of);
  float *values = malloc((size_t)item->count * sizeof *values);
  heed_status status = values ? read_into(in, item, copy, values) : out_of_memory();
  if (status == HEED_OK && memcmp(values, in->parameters + item->offset, (size_t)item->count * sizeof *values) != 0)
    status = heed_error(HEED_INVALID, "%s: %s differs from %s; a decoder that is not tied is not built yet", in->weights.path, tie->copy,
                        tie->of);
  free(values);
  return status;
}

/* Tied, or nothing that is trained. */
static bool may_be_there(const import *in, const char *name) {
  bool may = false;
  for (const heed_class_tie *tie = in->class->ties; tie->copy; tie++)
    may = may || strcmp(tie->copy, name) == 0;
  for (const char *const *end = in->class->ignored; *end; end++)
    may = may || ends_in(name, *end);
  return may;
}

/* What the model has no place for: heads of other tasks are left out by name; a part of the body would be another model. */
static heed_status check_rest(import *in) {
  for (int64_t i = 0; i < in->weights.count; i++) {
    const char *name = in->weights.items[i].name;
    if (in->taken[i] || may_be_there(in, name))
      continue;
    if (heed_class_owns(in->class, name))
      return heed_error(HEED_INVALID, "%s: %s has no place in the model that %s describes", in->weights.path, name, in->files.config);
    HEED_TRY(append(&in->report->left_out, name));
  }
  return HEED_OK;
}

/* Settles where each tensor comes from before any memory of the model's size is taken: a stranger's config.json may ask for any size. */
static heed_status plan_weights(import *in) {
  heed_model_sizes sizes = heed_model_sizes_least(in->config.objective.next_sentence);
  HEED_TRY(heed_level_agree(&in->kernels, heed_alone()));
  HEED_TRY(heed_model_create(&in->model, &in->config.model, &sizes, in->kernels));
  HEED_TRY(heed_layout_create(&in->layout, heed_model_table(in->model), in->class));
  in->taken = calloc((size_t)in->weights.count, sizeof *in->taken);
  in->sources = calloc((size_t)in->layout.count, sizeof *in->sources);
  if (!in->taken || !in->sources)
    return out_of_memory();
  for (int64_t i = 0; i < in->layout.count; i++)
    HEED_TRY(choose(in, i));
  return check_rest(in);
}

static heed_status take_weights(import *in) {
  const heed_parameter_table *table = heed_model_table(in->model);
  in->parameters = malloc((size_t)table->total * sizeof *in->parameters);
  if (!in->parameters)
    return heed_error(HEED_FAILED, "out of memory for %lld parameters", (long long)table->total);
  for (int64_t i = 0; i < in->layout.count; i++)
    HEED_TRY(read_one(in, i));
  for (const heed_class_tie *tie = in->class->ties; tie->copy; tie++)
    HEED_TRY(check_tied(in, tie));
  return HEED_OK;
}

static heed_status save(const import *in) {
  heed_checkpoint_info info = {
      .seed = in->config.run.seed, .cased = in->report->cased, .validation_loss = NAN, .vocabulary = in->vocabulary};
  heed_checkpoint_tensors tensors = {.table = heed_model_table(in->model), .parameters = in->parameters};
  snprintf(info.isa, sizeof info.isa, "%s", in->kernels->isa);
  snprintf(info.blas, sizeof info.blas, "%s", heed_blas_core());
  HEED_TRY(heed_config_print(&in->config, &info.config));
  heed_status status = heed_checkpoint_write(in->spec->output, &info, &tensors);
  free(info.config);
  return status;
}

static heed_status run(import *in) {
  HEED_TRY(heed_model_files_find(&in->files, in->spec));
  HEED_TRY(heed_safetensors_open(&in->weights, in->files.weights));
  HEED_TRY(read_config(in));
  HEED_TRY(plan_weights(in));
  HEED_TRY(read_vocabulary(in));
  HEED_TRY(take_weights(in));
  return save(in);
}

static void release(import *in) {
  heed_safetensors_close(&in->weights);
  heed_config_free(&in->config);
  heed_model_free(in->model);
  heed_tokenizer_free(in->tokenizer);
  heed_layout_free(&in->layout);
  free(in->taken);
  free(in->sources);
  free(in->vocabulary);
  free(in->parameters);
  heed_model_files_free(&in->files);
}

heed_status heed_import(const heed_import_spec *spec, heed_import_report *report) {
  *report = (heed_import_report){.initialised = strdup(""), .left_out = strdup("")};
import in = {.spec = spec, .report = report, .weights = {.file = - 1 } };
  heed_status status = report->initialised && report->left_out ? run(&in) : out_of_memory();
  release(&in);
  if (status != HEED_OK)
    heed_import_report_free(report);
  return status;
}

void heed_import_report_free(heed_import_report *report) {
  free(report->initialised);
  free(report->left_out);
  *report = (heed_import_report){0};
}

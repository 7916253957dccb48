/* Heed's side of the parity suite, for the Python scripts beside this file:
 *
 *   parity batches CONFIG.yaml train|validation COUNT OUT [KEY=VALUE …]    the first global batches, as training or evaluation makes them
 *   parity model CHECKPOINT BATCHES OUT.safetensors [bf16]                 hidden states, logits, losses and gradients of the first one
 *
 * A file of batches is int32, little-endian; each batch is B, T, M, P (1 with sentence pairs), ids[T], positions[T], token_types[T],
 * offsets[B + 1], target_tokens[M], target_ids[M], target_is_mask[M] and, with pairs, next_sentence[B]. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/safetensors.h"
#include "data/sampler.h"
#include "evaluate/loaded.h"
#include "heed/config.h"
#include "heed/log.h"

static void put_int(FILE *out, int64_t value) {
  int32_t narrow = (int32_t)value;
  fwrite(&narrow, sizeof narrow, 1, out);
}

static void put_batch(FILE *out, const heed_batch *batch) {
  const heed_stream *stream = &batch->stream;
  const int64_t header[4] = {stream->sequences, stream->tokens, batch->targets, batch->next_sentence != NULL};
  for (int i = 0; i < 4; i++)
    put_int(out, header[i]);
  fwrite(stream->ids, sizeof *stream->ids, (size_t)stream->tokens, out);
  fwrite(stream->positions, sizeof *stream->positions, (size_t)stream->tokens, out);
  fwrite(stream->token_types, sizeof *stream->token_types, (size_t)stream->tokens, out);
  for (int64_t b = 0; b <= stream->sequences; b++)
    put_int(out, stream->offsets[b]);
  for (int64_t m = 0; m < batch->targets; m++)
    put_int(out, batch->target_tokens[m]);
  fwrite(batch->target_ids, sizeof *batch->target_ids, (size_t)batch->targets, out);
  for (int64_t m = 0; m < batch->targets; m++)
    put_int(out, batch->target_is_mask[m]);
  if (batch->next_sentence)
    fwrite(batch->next_sentence, sizeof *batch->next_sentence, (size_t)stream->sequences, out);
}

static heed_status write_batches(const heed_config *config, bool validation, int64_t count, const char *path) {
  const char *const *shards = (const char *const *)(validation ? config->data.validation : config->data.train);
  heed_sampler_spec spec = {.paths = shards,
                            .path_count = validation ? config->data.validation_count : config->data.train_count,
                            .objective = config->objective,
                            .sequence_length = config->train.sequence_length,
                            .batch_sequences = config->train.batch_sequences,
                            .slices = config->train.slices,
                            .seed = config->run.seed,
                            .evaluation = validation};
  heed_tokenizer *tokenizer = NULL;
  heed_sampler *sampler = NULL;
  heed_batch batch = {0};
  heed_status status = heed_sampler_open_tokenizer(&tokenizer, config, shards, spec.path_count);
  spec.tokenizer = tokenizer;
  if (status == HEED_OK)
    status = heed_sampler_create(&sampler, &spec);
  if (status == HEED_OK)
    status = heed_sampler_create_batch(sampler, &batch, config->train.slices);
  FILE *out = status == HEED_OK ? fopen(path, "wb") : NULL;
  for (uint32_t n = 0; out && n < count; n++) {
    heed_sampler_read(sampler, &batch, n, 0, config->train.slices);
    if (batch.stream.sequences > 0)
      put_batch(out, &batch);
  }
  if (status == HEED_OK && (!out || fclose(out) != 0))
    status = heed_error(HEED_IO, "%s could not be written", path);
  heed_batch_free(&batch);
  heed_sampler_free(sampler);
  heed_tokenizer_free(tokenizer);
  return status;
}

static heed_status batches(int argc, char **argv) {
  heed_config config;
  if (argc < 4)
    return heed_error(HEED_USAGE, "parity batches CONFIG.yaml train|validation COUNT OUT [KEY=VALUE …]");
  HEED_TRY(heed_config_read(&config, argv[0], (const char *const *)argv + 4, argc - 4));
  heed_status status = write_batches(&config, strcmp(argv[1], "validation") == 0, atoll(argv[2]), argv[3]);
  heed_config_free(&config);
  return status;
}

static bool take(FILE *in, int32_t *values, int64_t count) {
  return fread(values, sizeof *values, (size_t)count, in) == (size_t)count;
}

static bool take_wide(FILE *in, int64_t *values, int64_t count) {
  int32_t narrow;
  for (int64_t i = 0; i < count; i++, values++) {
    if (!take(in, &narrow, 1))
      return false;
    *values = narrow;
  }
  return true;
}

/* The first batch of a file, as one slice. */
static heed_status read_batch(const char *path, heed_batch *batch) {
  int64_t header[4] = {0};
  FILE *in = fopen(path, "rb");
  if (!in || !take_wide(in, header, 4))
    return heed_error(HEED_INVALID, "%s: no batch", path);
  HEED_TRY(heed_batch_create(batch, 1, header[0], header[1], header[2], header[3] == 1));
  heed_stream *stream = &batch->stream;
  int64_t is_mask = 0, T = header[1], M = header[2];
  bool whole = take(in, stream->ids, T) && take(in, stream->positions, T) && take(in, stream->token_types, T) &&
               take_wide(in, stream->offsets, header[0] + 1) && take_wide(in, batch->target_tokens, M) && take(in, batch->target_ids, M);
  for (int64_t m = 0; m < M && whole; m++) {
    whole = take_wide(in, &is_mask, 1);
    batch->target_is_mask[m] = is_mask == 1;
  }
  whole = whole && (header[3] == 0 || take(in, batch->next_sentence, header[0]));
  fclose(in);
  for (int64_t b = 0; b < header[0]; b++)
    for (int64_t t = stream->offsets[b]; t < stream->offsets[b + 1]; t++)
      stream->sequence_of[t] = (int32_t)b;
  stream->sequences = batch->slice_rows[1] = header[0];
  stream->tokens = batch->stream.slice_tokens[1] = T;
  batch->targets = batch->slice_targets[1] = M;
  batch->slices = 1;
  return whole ? HEED_OK : heed_error(HEED_INVALID, "%s: ends within a batch", path);
}

/* Tensors to write, beside each other in one block. */
typedef struct results {
  heed_parameter_table table;
  float *values;
} results;

static heed_status add(results *r, const char *name, const float *values, int rank, const int64_t *shape) {
  heed_parameter p = {.rank = rank, .shard_axis = -1};
  snprintf(p.name, sizeof p.name, "%s", name);
  memcpy(p.shape, shape, (size_t)rank * sizeof *shape);
  HEED_TRY(heed_parameters_add(&r->table, &p, NULL));
  const heed_parameter *added = &r->table.items[r->table.count - 1];
  float *larger = realloc(r->values, (size_t)r->table.total * sizeof *larger);
  if (!larger)
    return heed_error(HEED_FAILED, "out of memory");
  r->values = larger;
  memcpy(larger + added->offset, values, (size_t)added->count * sizeof *values);
  return HEED_OK;
}

/* Gradients of the mean loss, the two of a tied tensor added. */
static heed_status add_gradients(results *r, const heed_parameter_table *table, float *gradients, double targets) {
  for (int64_t i = 0; i < table->tied_count; i++) {
    const heed_parameter *p = &table->items[table->tied[i].parameter];
    for (int64_t j = 0; j < p->count; j++)
      gradients[p->offset + j] += gradients[table->tied[i].offset + j];
  }
  for (int64_t i = 0; i < table->total; i++)
    gradients[i] = (float)(gradients[i] / targets);
  for (int64_t i = 0; i < table->count; i++)
    HEED_TRY(add(r, table->items[i].name, gradients + table->items[i].offset, table->items[i].rank, table->items[i].shape));
  return HEED_OK;
}

static heed_status compute(heed_loaded *loaded, const heed_batch *batch, results *r) {
  const heed_model_config *config = &loaded->config.model;
  const heed_parameter_table *table = heed_model_table(loaded->model);
  const int64_t T = batch->stream.tokens, B = batch->stream.sequences, M = batch->targets;
  float *gradients = calloc((size_t)table->gradient_total, sizeof *gradients);
  if (!gradients)
    return heed_error(HEED_FAILED, "out of memory for gradients");
  HEED_TRY(add(r, "hidden", heed_model_hidden(loaded->model, loaded->parameters, batch), 2, (int64_t[]){T, config->hidden}));
  HEED_TRY(add(r, "logits", heed_model_logits(loaded->model, loaded->parameters, batch), 2, (int64_t[]){M, config->vocabulary_size}));
  if (batch->next_sentence) {
    const double *losses;
    HEED_TRY(add(r, "pairs", heed_model_next_sentence(loaded->model, loaded->parameters, batch, &losses), 2, (int64_t[]){B, 2}));
  }
  heed_slice_sums sums;
  heed_model_train(loaded->model, loaded->parameters, gradients, batch, 0, (float)((double)M / (double)B), &sums);
  double loss = sums.token_loss / (double)M + (batch->next_sentence ? sums.next_sentence_loss / (double)B : 0);
  float parts[2] = {(float)loss, (float)(loss - (double)(float)loss)}; /* a double in two floats */
  HEED_TRY(add(r, "loss", parts, 1, (int64_t[]){2}));
  heed_status status = add_gradients(r, table, gradients, (double)M);
  free(gradients);
  return status;
}

static heed_status write_results(const results *r, const char *path) {
  char folder[4096];
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
  int opened = open(folder, O_RDONLY | O_DIRECTORY);
  if (opened < 0)
    return heed_error(HEED_INVALID, "%s: no such folder", folder);
  unlink(path);
  heed_status status = heed_safetensors_write(opened, slash ? slash + 1 : path, &r->table, r->values);
  close(opened);
  return status;
}

/* The same weights in a model whose elements are bf16. */
static heed_status turn_to_bf16(heed_loaded *loaded, const heed_model_sizes *sizes) {
  heed_model_free(loaded->model);
  loaded->model = NULL;
  HEED_TRY(heed_model_create(&loaded->model, &loaded->config.model, sizes, loaded->kernels->bf16));
  return heed_model_commit(loaded->model);
}

static heed_status run_model(heed_loaded *loaded, const char *batches, const char *path, bool bf16) {
  heed_batch batch = {0};
  results r = {0};
  heed_status status = read_batch(batches, &batch);
  heed_model_sizes sizes = {.sequences = batch.stream.sequences,
                            .tokens = batch.stream.tokens,
                            .targets = batch.targets,
                            .slices = 1,
                            .longest = loaded->config.model.max_positions,
                            .training = true,
                            .next_sentence = loaded->config.objective.next_sentence,
                            .token_head = true};
  loaded->config.model.dropout = loaded->config.model.attention_dropout = 0;
  if (status == HEED_OK)
    status = heed_loaded_weights(loaded, &sizes, heed_alone());
  if (status == HEED_OK && bf16)
    status = turn_to_bf16(loaded, &sizes);
  if (status == HEED_OK)
    status = compute(loaded, &batch, &r);
  if (status == HEED_OK)
    status = write_results(&r, path);
  heed_batch_free(&batch);
  heed_parameters_free(&r.table);
  free(r.values);
  return status;
}

static heed_status model(int argc, char **argv) {
  heed_loaded loaded;
  bool bf16 = argc == 4 && strcmp(argv[3], "bf16") == 0;
  if (argc != 3 && !bf16)
    return heed_error(HEED_USAGE, "parity model CHECKPOINT BATCHES OUT.safetensors [bf16]");
  heed_status status = heed_loaded_open(&loaded, argv[0], heed_alone());
  if (status == HEED_OK)
    status = run_model(&loaded, argv[1], argv[2], bf16);
  heed_loaded_free(&loaded);
  return status;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  heed_status status = strcmp(mode, "batches") == 0 ? batches(argc - 2, argv + 2)
                       : strcmp(mode, "model") == 0 ? model(argc - 2, argv + 2)
                                                    : heed_error(HEED_USAGE, "parity batches|model …");
  if (status != HEED_OK)
    heed_complain("%s", heed_error_text());
  return status;
}

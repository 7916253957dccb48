#include "scale/bert.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 30522, POSITIONS = 512, TOKEN_TYPES = 2, ROW = 128 };

static heed_status add(bert *model, int64_t rows, int64_t columns) {
  heed_parameter tensor = {.rank = 2, .shape = {rows, columns}, .shard_axis = -1};
  snprintf(tensor.name, sizeof tensor.name, "tensor %lld", (long long)model->table.count);
  return heed_parameters_add(&model->table, &tensor, NULL);
}

static heed_status add_linear(bert *model, int64_t outputs, int64_t inputs) {
  HEED_TRY(add(model, outputs, inputs));
  return add(model, 1, outputs);
}

static heed_status add_norm(bert *model) {
  HEED_TRY(add(model, 1, model->hidden));
  return add(model, 1, model->hidden);
}

static heed_status add_embeddings(bert *model) {
  HEED_TRY(add(model, WORDS, model->hidden));
  HEED_TRY(add(model, POSITIONS, model->hidden));
  HEED_TRY(add(model, TOKEN_TYPES, model->hidden));
  return add_norm(model);
}

static heed_status add_attention(bert *model) {
  const int64_t C = model->hidden;
  for (int i = 0; i < 3; i++) /* query, key, value */
    HEED_TRY(add(model, C, C));
  for (int i = 0; i < 3; i++)
    HEED_TRY(add(model, 1, C));
  HEED_TRY(add_linear(model, C, C));
  return add_norm(model);
}

static heed_status add_feed_forward(bert *model) {
  const int64_t C = model->hidden, F = 4 * C;
  HEED_TRY(add_linear(model, F, C));
  HEED_TRY(add_linear(model, C, F));
  return add_norm(model);
}

static heed_status add_head(bert *model) {
  HEED_TRY(add(model, 1, WORDS));
  HEED_TRY(add_linear(model, model->hidden, model->hidden));
  return add_norm(model);
}

heed_status bert_build(bert *model, const char *name) {
  *model = (bert){0};
  if (strcmp(name, "bert-base") == 0)
    model->layers = 12, model->hidden = 768;
  else if (strcmp(name, "bert-large") == 0)
    model->layers = 24, model->hidden = 1024;
  else
    return heed_error(HEED_USAGE, "'%s' is no model of the simulation; there are bert-base and bert-large", name);
  model->parts = 2 * model->layers + 2;
  for (int64_t part = 0; part < model->parts; part++) {
    if (part == 0)
      HEED_TRY(add_embeddings(model));
    else if (part == model->parts - 1)
      HEED_TRY(add_head(model));
    else
      HEED_TRY(part % 2 ? add_attention(model) : add_feed_forward(model));
    model->part_edges[part + 1] = model->table.total;
  }
  return heed_parameters_tie(&model->table, 0, &(int64_t){0});
}

/* Multiply-adds of a token: of 8C² + 4Cs in attention, 4CF in feed-forward and, for a target, 2C² + 2CV in the head, the halves. */
static double work(const bert *model, int64_t part) {
  const double C = (double)model->hidden, targets = 0.15;
  if (part == 0)
    return 0;
  if (part == model->parts - 1)
    return targets * (C * C + C * WORDS);
  return part % 2 ? 4 * C * C + 2 * C * ROW : 8 * C * C;
}

double bert_share(const bert *model, int64_t part) {
  double all = 0;
  for (int64_t i = 0; i < model->parts; i++)
    all += work(model, i);
  return work(model, part) / all;
}

void bert_free(bert *model) {
  heed_parameters_free(&model->table);
}

#include "models/token_head.h"

#include <stdio.h>
#include <string.h>

#include "base/pulse.h"
#include "layers/feed_forward.h"

static heed_status plan_transform(heed_token_head *head, heed_plan *plan, const heed_model_config *config,
                                  const heed_token_head_names *names) {
  heed_linear_spec dense = {config->hidden, config->hidden, config->initializer_range, config->biases, HEED_SPLIT_NOTHING, 1};
  bool gated; /* the transform is plain, whatever the layers are */
  head->form = heed_activation_form_of(config->activation, &gated);
  HEED_TRY(heed_linear_plan(&head->dense, plan, &names->dense, 1, &dense));
  return heed_layer_norm_plan(&head->norm, plan, names->norm, config, plan->targets);
}

/* Rows of logits at a time.  Where their gradient takes their memory, in fp32, all; else as many as make the decoder's weights, which are
 * read once a group, worth their way. */
static int64_t at_once(const heed_plan *plan) {
  bool apart = plan->logits_in_groups && plan->kernels->element_bytes < sizeof(float);
  return apart && plan->targets > HEED_LOGITS_AT_ONCE ? HEED_LOGITS_AT_ONCE : plan->targets;
}

static heed_status plan_decoder(heed_token_head *head, heed_plan *plan, const heed_model_config *config, const heed_embedding *embedding,
                                const char *bias_name) {
  heed_linear_spec spec = {.inputs = config->hidden, .outputs = config->vocabulary_size, .split = HEED_SPLIT_OUTPUTS};
  HEED_TRY(heed_linear_plan_tied(&head->decoder, plan, &spec, embedding->tables[HEED_EMBED_WORDS].at, plan->targets));
  if (!bias_name)
    return HEED_OK;
  heed_parameter bias = {.rank = 1, .shape = {config->vocabulary_size}, .initialisation = HEED_INIT_ZEROS, .shard_axis = 0};
  snprintf(bias.name, sizeof bias.name, "%s", bias_name);
  head->decoder.bias = plan->table->total;
  return heed_parameters_add(plan->table, &bias, NULL);
}

/* What several parts of a vocabulary exchange. */
static void plan_parts(heed_token_head *head, heed_plan *plan) {
  if (plan->table->parts <= 1)
    return;
  head->whole_at_once = plan->logits_in_groups && plan->targets > HEED_LOGITS_AT_ONCE ? HEED_LOGITS_AT_ONCE : plan->targets;
  head->whole = heed_reserve_floats(plan, head->whole_at_once, head->vocabulary);
  head->sums = heed_arena_reserve(plan->arena, (size_t)(plan->table->parts * head->rows_at_once * HEED_SOFTMAX_SUMS), sizeof(double));
}

heed_status heed_token_head_plan(heed_token_head *head, heed_plan *plan, const heed_model_config *config, const heed_embedding *embedding,
                                 const heed_token_head_names *names) {
  int64_t targets = plan->targets, width = config->hidden;
  *head = (heed_token_head){
      .transforms = names->dense != NULL, .first = embedding->tables[HEED_EMBED_WORDS].first, .vocabulary = config->vocabulary_size};
  HEED_TRY(plan_decoder(head, plan, config, embedding, names->bias));
  if (head->transforms)
    HEED_TRY(plan_transform(head, plan, config, names));
  head->hidden = heed_reserve_elements(plan, targets, width);
  head->normed = head->hidden;
  if (head->transforms) {
    heed_linear_plan_rows(plan, &head->dense, targets);
    head->slopes = plan->training ? heed_reserve_elements(plan, targets, width) : 0;
    head->after = heed_reserve_floats(plan, targets, width);
    head->normed = heed_reserve_elements(plan, targets, width);
  }
  head->rows_at_once = head->whole_at_once = at_once(plan);
  head->logits = heed_reserve_floats(plan, head->rows_at_once, head->decoder.outputs);
  head->losses = heed_arena_reserve(plan->arena, (size_t)targets, sizeof(double));
  plan_parts(head, plan);
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_logits = heed_reserve_elements_beside(plan, head->logits, targets, head->decoder.outputs);
    head->d_normed = heed_reserve_floats(plan, targets, width);
    head->d_before = head->transforms ? heed_reserve_elements(plan, targets, width) : 0;
    head->d_hidden = head->transforms ? heed_reserve_floats(plan, targets, width) : head->d_normed;
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

heed_status heed_token_head_tie(heed_token_head *head, heed_plan *plan, const heed_embedding *embedding) {
  return heed_parameters_tie(plan->table, embedding->words_index, &head->tied_gradient);
}

/* What the decoder reads: the targets' hidden states, transformed. */
static void prepare(const heed_context *context, const float *hidden, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  heed_rows rows = heed_target_rows(context);
  void *x = heed_buffer(context, head->hidden), *slopes = context->training ? heed_buffer(context, head->slopes) : NULL;
  float *after = heed_buffer(context, head->after);
  context->kernels->gather_rows(x, hidden, batch->target_tokens, batch->targets, head->decoder.inputs);
  if (head->transforms) {
    heed_linear_activation_forward(context, after, true, slopes, x, head->form, &head->dense, rows);
    heed_layer_norm_forward(context, NULL, heed_buffer(context, head->normed), after, &head->norm, rows);
  }
}

/* Rows [first, first + rows) of the logits as everybody sees them: put together where they are in parts. */
static const float *whole_logits(const heed_context *context, const heed_token_head *head, int64_t rows) {
  float *logits = heed_buffer(context, head->logits), *whole = heed_buffer(context, head->whole);
  const int64_t own = head->decoder.outputs, all = head->vocabulary;
  if (own == all)
    return logits;
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int64_t m = 0; m < rows; m++) {
      memset(whole + m * all, 0, (size_t)all * sizeof *whole);
      memcpy(whole + m * all + head->first, logits + m * own, (size_t)own * sizeof *whole);
    }
    heed_add_up(context, whole, rows * all);
  }
  return whole;
}

/* Logits of rows [first, first + rows), of this part. */
static void decode(const heed_context *context, const heed_token_head *head, int64_t first, int64_t rows) {
  const int64_t starts[2] = {0, rows};
  const void *normed = heed_behind(context, heed_buffer(context, head->normed), first * head->decoder.inputs);
  heed_linear_forward(context, heed_buffer(context, head->logits), true, normed, &head->decoder, (heed_rows){starts, 1});
}

static double *losses_from(const heed_context *context, const heed_token_head *head, int64_t first) {
  return (double *)heed_arena_at(context->arena, head->losses) + first;
}

/* Losses of rows [first, first + rows) from their whole logits. */
static void score(const heed_context *context, const heed_token_head *head, const float *logits, int64_t first, int64_t rows) {
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses_from(context, head, first), NULL, (float *)logits, context->batch->target_ids + first,
                                          rows, head->vocabulary, 1.0f);
}

const float *heed_token_head_forward(const heed_context *context, const float *hidden, const heed_token_head *head) {
  const int64_t targets = context->batch->targets;
  if (targets > head->whole_at_once)
    return NULL;
#pragma omp parallel
  {
    prepare(context, hidden, head);
    decode(context, head, 0, targets);
  }
  return whole_logits(context, head, targets);
}

const double *heed_token_head_loss(const heed_context *context, const heed_token_head *head) {
  const bool whole = head->decoder.outputs == head->vocabulary;
  score(context, head, heed_buffer(context, whole ? head->logits : head->whole), 0, context->batch->targets);
  return losses_from(context, head, 0);
}

static int64_t rows_from(const heed_context *context, int64_t first, int64_t most) {
  int64_t rest = context->batch->targets - first;
  return rest < most ? rest : most;
}

const double *heed_token_head_score(const heed_context *context, const float *hidden, heed_logits_visit *visit, void *self,
                                    const heed_token_head *head) {
#pragma omp parallel
  prepare(context, hidden, head);
  for (int64_t first = 0; first < context->batch->targets; first += head->whole_at_once) {
    int64_t rows = rows_from(context, first, head->whole_at_once);
#pragma omp parallel
    decode(context, head, first, rows);
    const float *logits = whole_logits(context, head, rows);
    score(context, head, logits, first, rows);
    visit(self, logits, first, rows);
    heed_pulse_beat();
  }
  return losses_from(context, head, 0);
}

/* Losses of a group of rows, and the gradient of their logits, by each part of the vocabulary. */
static void cross_entropy_of_parts(const heed_context *context, const heed_token_head *head, void *d_logits, int64_t first, int64_t rows) {
  heed_communication *tensor = context->tensor;
  const int32_t *target = context->batch->target_ids + first;
  float *logits = heed_buffer(context, head->logits);
  double(*sums)[HEED_SOFTMAX_SUMS] = heed_buffer(context, head->sums);
  const int64_t vocabulary = head->decoder.outputs;
  context->kernels->softmax_sums(sums + tensor->rank * rows, logits, target, head->first, rows, vocabulary, true);
#pragma omp master
  tensor->allgather(tensor, sums[0], rows * HEED_SOFTMAX_SUMS);
#pragma omp barrier
  context->kernels->softmax_cross_entropy_of_parts(losses_from(context, head, first), d_logits, logits,
                                                   (const double(*)[HEED_SOFTMAX_SUMS])sums, tensor->size, tensor->rank, target,
                                                   head->first, rows, vocabulary, 1.0f);
}

/* Logits of one group of rows, their losses, and their gradient. */
static void train_group(const heed_context *context, const heed_token_head *head, int64_t first, int64_t rows) {
  const int64_t vocabulary = head->decoder.outputs;
  void *d_logits = heed_behind(context, heed_buffer(context, head->d_logits), first * vocabulary);
#pragma omp parallel
  {
    decode(context, head, first, rows);
    if (context->tensor->size > 1)
      cross_entropy_of_parts(context, head, d_logits, first, rows);
    else
      context->kernels->softmax_cross_entropy(losses_from(context, head, first), d_logits, heed_buffer(context, head->logits),
                                              context->batch->target_ids + first, rows, vocabulary, 1.0f);
  }
}

const double *heed_token_head_train(const heed_context *context, const float *hidden, const heed_token_head *head) {
#pragma omp parallel
  prepare(context, hidden, head);
  for (int64_t first = 0; first < context->batch->targets; first += head->rows_at_once) {
    heed_pulse_beat();
    train_group(context, head, first, rows_from(context, first, head->rows_at_once));
  }
  return losses_from(context, head, 0);
}

void heed_token_head_backward(const heed_context *context, float *d_hidden, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  const heed_kernels *kernels = context->kernels;
  heed_rows rows = heed_target_rows(context);
  const void *d_logits = heed_buffer(context, head->d_logits), *normed = heed_buffer(context, head->normed);
  float *d_normed = heed_buffer(context, head->d_normed), *d_x = heed_buffer(context, head->d_hidden);
  void *d_before = heed_buffer(context, head->d_before);
  int64_t width = head->decoder.inputs;
#pragma omp parallel
  {
    /* The decoder's gradient has places of its own: the bias in the table, the weight behind it (tied). */
    heed_linear_backward_input(context, d_normed, true, false, d_logits, &head->decoder, rows);
    kernels->linear_backward_weight(context->gradients + head->tied_gradient, heed_gradient(context, head->decoder.bias), d_logits, normed,
                                    rows.starts, rows.slices, width, head->decoder.outputs, context->workspace,
                                    heed_thread_scratch(context));
    if (head->transforms) {
      heed_layer_norm_backward(context, d_normed, false, d_normed, heed_buffer(context, head->after), &head->norm, rows);
      kernels->activation_backward(d_before, d_normed, heed_buffer(context, head->slopes), batch->targets * width);
      heed_linear_backward_input(context, d_x, true, false, d_before, &head->dense, rows);
      heed_linear_backward_weight(context, d_before, heed_buffer(context, head->hidden), &head->dense, rows);
    }
    kernels->scatter_rows(d_hidden, d_x, batch->target_tokens, batch->targets, width);
  }
}

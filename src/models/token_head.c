#include "models/token_head.h"

#include <stdio.h>

#include "layers/feed_forward.h"

static heed_status plan_transform(heed_token_head *head, heed_plan *plan, const heed_model_config *config,
                                  const heed_token_head_names *names) {
  heed_linear_spec dense = {config->hidden, config->hidden, config->initializer_range, config->biases};
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

heed_status heed_token_head_plan(heed_token_head *head, heed_plan *plan, const heed_model_config *config, const heed_embedding *embedding,
                                 const heed_token_head_names *names) {
  int64_t targets = plan->targets, width = config->hidden, vocabulary = config->vocabulary_size;
  *head = (heed_token_head){.transforms = names->dense != NULL};
  head->decoder = (heed_linear){
      .inputs = config->hidden, .outputs = config->vocabulary_size, .weight = embedding->tables[HEED_EMBED_WORDS].at, .bias = -1};
  if (names->bias) {
    heed_parameter bias = {.rank = 1, .shape = {config->vocabulary_size}, .initialisation = HEED_INIT_ZEROS, .shard_axis = 0};
    snprintf(bias.name, sizeof bias.name, "%s", names->bias);
    head->decoder.bias = plan->table->total;
    HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  }
  if (head->transforms)
    HEED_TRY(plan_transform(head, plan, config, names));
  HEED_TRY(heed_linear_plan_panels(&head->decoder, plan));
  heed_linear_plan_rows(plan, &head->decoder, targets);
  head->hidden = heed_reserve_elements(plan, targets, width);
  head->normed = head->hidden;
  if (head->transforms) {
    heed_linear_plan_rows(plan, &head->dense, targets);
    head->slopes = plan->training ? heed_reserve_elements(plan, targets, width) : 0;
    head->after = heed_reserve_floats(plan, targets, width);
    head->normed = heed_reserve_elements(plan, targets, width);
  }
  head->rows_at_once = at_once(plan);
  head->logits = heed_reserve_floats(plan, head->rows_at_once, vocabulary);
  head->losses = heed_arena_reserve(plan->arena, (size_t)targets, sizeof(double));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_logits = heed_reserve_elements_beside(plan, head->logits, targets, vocabulary);
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

const float *heed_token_head_forward(const heed_context *context, const float *hidden, const heed_token_head *head) {
  if (context->batch->targets > head->rows_at_once)
    return NULL;
  float *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  {
    prepare(context, hidden, head);
    heed_linear_forward(context, logits, true, heed_buffer(context, head->normed), &head->decoder, heed_target_rows(context));
  }
  return logits;
}

const double *heed_token_head_loss(const heed_context *context, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  double *losses = heed_arena_at(context->arena, head->losses);
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses, NULL, heed_buffer(context, head->logits), batch->target_ids, batch->targets,
                                          head->decoder.outputs, 1.0f);
  return losses;
}

/* Logits of one group of rows, their losses, and with d_logits their gradient. */
static void run_group(const heed_context *context, const heed_token_head *head, void *d_logits, int64_t first, int64_t rows) {
  const heed_batch *batch = context->batch;
  const void *normed = heed_behind(context, heed_buffer(context, head->normed), first * head->decoder.inputs);
  double *losses = (double *)heed_arena_at(context->arena, head->losses) + first;
  float *logits = heed_buffer(context, head->logits);
  int64_t vocabulary = head->decoder.outputs, starts[2] = {0, rows};
#pragma omp parallel
  {
    heed_linear_forward(context, logits, true, normed, &head->decoder, (heed_rows){starts, 1});
    context->kernels->softmax_cross_entropy(losses, d_logits ? heed_behind(context, d_logits, first * vocabulary) : NULL, logits,
                                            batch->target_ids + first, rows, vocabulary, 1.0f);
  }
}

static int64_t rows_from(const heed_context *context, const heed_token_head *head, int64_t first) {
  int64_t rest = context->batch->targets - first;
  return rest < head->rows_at_once ? rest : head->rows_at_once;
}

const double *heed_token_head_score(const heed_context *context, const float *hidden, heed_logits_visit *visit, void *self,
                                    const heed_token_head *head) {
  const float *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  prepare(context, hidden, head);
  for (int64_t first = 0; first < context->batch->targets; first += head->rows_at_once) {
    int64_t rows = rows_from(context, head, first);
    run_group(context, head, NULL, first, rows);
    visit(self, logits, first, rows);
  }
  return heed_arena_at(context->arena, head->losses);
}

const double *heed_token_head_train(const heed_context *context, const float *hidden, const heed_token_head *head) {
  void *d_logits = heed_buffer(context, head->d_logits);
#pragma omp parallel
  prepare(context, hidden, head);
  for (int64_t first = 0; first < context->batch->targets; first += head->rows_at_once)
    run_group(context, head, d_logits, first, rows_from(context, head, first));
  return heed_arena_at(context->arena, head->losses);
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

#include "layers/block.h"

heed_status heed_block_plan(const heed_block *block, heed_plan *plan, const heed_sublayer_spec *specs) {
  bool whole = plan->training && plan->recompute == HEED_RECOMPUTE_BLOCK, attention = plan->recompute == HEED_RECOMPUTE_ATTENTION;
  heed_sublayer *last = &block->sublayers[block->count - 1];
  for (int64_t i = 0; i < block->count; i++)
    HEED_TRY(heed_sublayer_plan(&block->sublayers[i], plan, &specs[i]));
  if (whole)
    heed_sublayer_plan_end(last, plan, block->before);
  size_t mark = heed_arena_mark(plan->arena);
  for (heed_sublayer *s = block->sublayers; s <= last; s++) {
    if (!whole || s != last)
      heed_sublayer_plan_end(s, plan, NULL);
    /* without backward, what forward saves is shared too */
    heed_sublayer_plan_saved(s, plan, plan->training && !(attention && s->operations->attends));
  }
  if (whole)
    heed_arena_release(plan->arena, mark);
  return HEED_OK;
}

/* The whole block, from its input on. */
static void remake_all(const heed_context *context, heed_hidden x, const heed_block *block) {
  if (block->before)
    heed_sublayer_remake_output(context, block->before);
  for (int64_t i = 0; i < block->count - 1; i++)
    x = heed_sublayer_forward(context, x, &block->sublayers[i]);
  heed_sublayer_remake_saved(context, x, &block->sublayers[block->count - 1]);
}

void heed_block_remake(const heed_context *context, heed_hidden input, const heed_block *block, int64_t i) {
  const heed_sublayer *sublayer = &block->sublayers[i];
  if (context->recompute == HEED_RECOMPUTE_BLOCK && i == block->count - 1)
    remake_all(context, input, block);
  if (context->recompute == HEED_RECOMPUTE_ATTENTION && sublayer->operations->attends)
    heed_sublayer_remake_saved(context, i == 0 ? input : heed_sublayer_output(context, sublayer - 1), sublayer);
}

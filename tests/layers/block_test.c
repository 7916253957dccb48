/* Blocks of which backward makes again what training did not keep: the same bits, and just the memory that block.h tells. */
#include "layers/block.h"

#include "layers/layer_test.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH, BLOCKS = 3, OF_BLOCK = 3, SUBLAYERS = BLOCKS * OF_BLOCK };

static const heed_body_operations *const bodies[OF_BLOCK] = {&heed_self_attention_body, &heed_cross_attention_body,
                                                             &heed_feed_forward_body};
static const char *const names[HEED_BODY_NAMES] = {"first", "second", "third", "fourth"};

/** Elements of the runs. */
static bool bf16;

typedef struct run {
  layer_fixture f;
  heed_sublayer sublayers[SUBLAYERS];
  size_t block_bytes; /* that the second block keeps */
  heed_hidden input, output;
  float *gradient, *source_gradient;
} run;

static heed_block block_of(run *r, int64_t sublayer) {
  heed_sublayer *first = r->sublayers + sublayer / OF_BLOCK * OF_BLOCK;
  return (heed_block){first, OF_BLOCK, first > r->sublayers ? first - 1 : NULL};
}

static void plan(run *r, heed_norm_place norm, heed_recompute recompute) {
  size_t before = 0;
  layer_begin(&r->f, true);
  r->f.plan.kernels = bf16 ? r->f.plan.kernels->bf16 : r->f.plan.kernels;
  r->f.plan.source_tokens = LAYER_TOKENS;
  r->f.plan.recompute = recompute;
  for (int b = 0; b < BLOCKS; b++) {
    heed_sublayer_spec specs[OF_BLOCK];
    char prefixes[OF_BLOCK][32], norms[OF_BLOCK][64];
    for (int i = 0; i < OF_BLOCK; i++) {
      snprintf(prefixes[i], sizeof prefixes[i], "layer.%d.%d.", b, i);
      snprintf(norms[i], sizeof norms[i], "%sLayerNorm", prefixes[i]);
      heed_sublayer_form pre = b + i == 0 ? HEED_SUBLAYER_NO_NORM : HEED_SUBLAYER_PRE_NORM;
      specs[i] = (heed_sublayer_spec){.operations = bodies[i],
                                      .body = {&r->f.config, prefixes[i], names, b, 0.02},
                                      .form = norm == HEED_NORM_POST ? HEED_SUBLAYER_POST_NORM : pre,
                                      .norm = norms[i]};
    }
    heed_block block = block_of(r, b * OF_BLOCK);
    before = r->f.arena.used;
    CU_ASSERT_EQUAL_FATAL(heed_block_plan(&block, &r->f.plan, specs), HEED_OK);
  }
  r->block_bytes = r->f.arena.used - before;
}

/* Numbers that bf16 holds too, as elements. */
static heed_hidden numbers(uint32_t which) {
  float *values = test_random(COUNT, which, 1.0);
  uint16_t *elements = test_memory(COUNT, sizeof *elements);
  for (int64_t i = 0; i < COUNT; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    elements[i] = (uint16_t)(bits >> 16);
    bits &= 0xFFFF0000u;
    memcpy(&values[i], &bits, sizeof bits);
  }
  return (heed_hidden){values, bf16 ? (const void *)elements : values};
}

static void forward(run *r) {
  layer_commit(&r->f);
  heed_context *context = &r->f.context;
  r->input = numbers(3);
  r->gradient = test_random(COUNT, 4, 1.0);
  r->source_gradient = test_random(COUNT, 6, 1.0);
  context->recompute = r->f.plan.recompute;
  context->source = (heed_source){context->stream, numbers(5).elements, r->source_gradient};
  r->output = r->input;
  for (int i = 0; i < SUBLAYERS; i++)
    r->output = heed_sublayer_forward(context, r->output, &r->sublayers[i]);
  /* as heads may: what is not kept is theirs */
  memset(r->f.arena.base + r->f.arena.used, 0xFF, r->f.arena.capacity - r->f.arena.used);
}

static heed_hidden input_of(run *r, int64_t sublayer) {
  return sublayer == 0 ? r->input : heed_sublayer_output(&r->f.context, &r->sublayers[sublayer - 1]);
}

/* Numbers of the dropouts moved by so many. */
static void move_sites(run *r, uint32_t by) {
  for (int i = 0; i < SUBLAYERS; i++) {
    r->sublayers[i].site += by;
    if (r->sublayers[i].operations->attends)
      r->sublayers[i].body.attention.site += by;
  }
}

/* `wrong`: what is made again draws other dropouts. */
static void backward(run *r, uint32_t wrong) {
  for (int64_t i = SUBLAYERS - 1; i >= 0; i--) {
    heed_block block = block_of(r, i);
    move_sites(r, wrong);
    heed_block_remake(&r->f.context, input_of(r, i / OF_BLOCK * OF_BLOCK), &block, i % OF_BLOCK);
    move_sites(r, -wrong);
    heed_sublayer_backward(&r->f.context, r->gradient, input_of(r, i), &r->sublayers[i]);
  }
}

static bool same_gradients(const run *a, const run *b) {
  size_t bytes = COUNT * sizeof(float);
  return memcmp(a->gradient, b->gradient, bytes) == 0 && memcmp(a->source_gradient, b->source_gradient, bytes) == 0 &&
         memcmp(a->f.gradients, b->f.gradients, (size_t)a->f.table.gradient_total * sizeof(float)) == 0;
}

static bool all_finite(const float *x, int64_t count) {
  bool all = true;
  for (int64_t i = 0; i < count; i++)
    all = all && isfinite(x[i]);
  return all;
}

/* The tests of the test: other dropouts in what is made again, and nothing made again. */
static void compare(heed_norm_place norm, heed_recompute recompute) {
  run kept, again, wrong, missing;
  run *runs[] = {&kept, &again, &wrong, &missing};
  for (int i = 0; i < 4; i++) {
    plan(runs[i], norm, i == 0 ? HEED_RECOMPUTE_NONE : recompute);
    forward(runs[i]);
  }
  CU_ASSERT_EQUAL(memcmp(kept.output.values, again.output.values, COUNT * sizeof(float)), 0);
  missing.f.context.recompute = HEED_RECOMPUTE_NONE;
  for (int i = 0; i < 4; i++)
    backward(runs[i], i == 2);
  CU_ASSERT(all_finite(kept.gradient, COUNT) && all_finite(kept.f.gradients, kept.f.table.gradient_total));
  CU_ASSERT_TRUE(same_gradients(&kept, &again));
  CU_ASSERT_FALSE(same_gradients(&kept, &wrong));
  CU_ASSERT_FALSE(same_gradients(&kept, &missing));
  CU_ASSERT(all_finite(wrong.gradient, COUNT));
  for (int i = 0; i < 4; i++)
    layer_end(&runs[i]->f);
}

static void what_is_made_again_has_the_same_bits(void) {
  for (int elements = 0; elements < 2; elements++)
    for (heed_norm_place norm = HEED_NORM_POST; norm <= HEED_NORM_PRE; norm++)
      for (heed_recompute recompute = HEED_RECOMPUTE_ATTENTION; recompute <= HEED_RECOMPUTE_BLOCK; recompute++) {
        bf16 = elements == 1;
        compare(norm, recompute);
      }
}

static size_t piece(int64_t width, size_t size) {
  return ((size_t)(LAYER_TOKENS * width) * size + 63) / 64 * 64;
}

static size_t kept_of(heed_norm_place norm, heed_recompute recompute) {
  run r;
  plan(&r, norm, recompute);
  size_t bytes = r.block_bytes;
  layer_end(&r.f);
  return bytes;
}

static void check_memory(heed_norm_place norm) {
  bool post = norm == HEED_NORM_POST;
  size_t element = bf16 ? 2 : 4, moments = 2 * piece(1, 4), row = piece(C, 4), elements = piece(C, element);
  size_t end = post ? row + (bf16 ? elements : 0) + moments + row : row, normalised = post ? 0 : moments + elements;
  size_t attention = piece(3 * C, element) + piece(LAYER_HEADS, 4) + elements + normalised;
  size_t cross = elements + piece(2 * C, element) + piece(LAYER_HEADS, 4) + elements + normalised;
  size_t feed_forward = 2 * piece(LAYER_INNER, element) + normalised;
  CU_ASSERT_EQUAL(kept_of(norm, HEED_RECOMPUTE_NONE), 3 * end + attention + cross + feed_forward);
  CU_ASSERT_EQUAL(kept_of(norm, HEED_RECOMPUTE_ATTENTION), 3 * end + feed_forward);
  CU_ASSERT_EQUAL(kept_of(norm, HEED_RECOMPUTE_BLOCK), post ? moments + row : row);
}

static void keeps_no_more_than_it_says(void) {
  for (int elements = 0; elements < 2; elements++) {
    bf16 = elements == 1;
    check_memory(HEED_NORM_POST);
    check_memory(HEED_NORM_PRE);
  }
}

HEED_TESTS({"what is made again has the same bits", what_is_made_again_has_the_same_bits},
           {"keeps no more than it says", keeps_no_more_than_it_says})

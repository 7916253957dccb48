/* Generation: the cache changes no text, seeds and places name the draws, texts end where they should. */
#include "evaluate/generator.h"

#include "evaluate/trained.h"

enum { PROMPTS = 3, LENGTH = TRAINED_POSITIONS, V = TRAINED_VOCABULARY };

/* Ragged, one of them a token short of the end. */
static const int32_t prompts[PROMPTS][LENGTH] = {{THE, CAT, SAT}, {A}, {THE, DOG, RAN, HOME, STOP, THE, CAT, SAT, ON, MAT, STOP}};
static const int64_t prompt_lengths[PROMPTS] = {3, 1, LENGTH - 1};

static char gpt[] = "gpt", bert[] = "bert";

#define SIZES \
  .vocabulary_size = V, .layers = 2, .hidden = 16, .heads = 2, .feed_forward = 32, .max_positions = LENGTH, .layer_norm_epsilon = 1e-5
static const heed_model_config models[] = {
    {SIZES, .family = gpt, .causal = true, .norm = HEED_NORM_PRE, .biases = true, .activation = HEED_GELU_TANH},
    {SIZES, .family = gpt, .causal = true, .norm = HEED_NORM_PRE, .window = 2, .global_every = 2, .activation = HEED_GEGLU,
     .positions = HEED_POSITIONS_ROTARY, .rotary_theta = 50, .rotary_theta_local = 10},
    {SIZES, .family = bert, .causal = true, .embedding_norm = true, .biases = true, .token_types = 2,
     .positions = HEED_POSITIONS_SINUSOIDAL},
};
enum { MODELS = sizeof models / sizeof *models };

static const heed_sampling warm = {.temperature = 1, .top_p = 1, .seed = 5}, cold = {.temperature = 0, .top_p = 1};

typedef struct writer {
  heed_tokenizer *tokenizer;
  heed_model *model;
  heed_generator *generator;
  float *parameters;
  heed_continuation texts[PROMPTS];
} writer;

static void open_writer(writer *w, const heed_model_config *config, bool cache) {
  *w = (writer){0};
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&w->tokenizer, trained_vocabulary, strlen(trained_vocabulary), "vocabulary", false),
                        HEED_OK);
  heed_model_sizes sizes = {.sequences = PROMPTS,
                            .tokens = PROMPTS * LENGTH,
                            .targets = PROMPTS,
                            .slices = 1,
                            .longest = LENGTH,
                            .token_head = true,
                            .cache_tokens = cache ? LENGTH : 0};
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&w->model, config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(w->model), HEED_OK);
  w->parameters = test_random(heed_model_table(w->model)->total, 1, 0.7);
  heed_generator_spec spec = {w->model, w->tokenizer, PROMPTS, LENGTH, V, cache};
  CU_ASSERT_EQUAL_FATAL(heed_generator_create(&w->generator, &spec), HEED_OK);
}

static void close_writer(writer *w) {
  for (int b = 0; b < PROMPTS; b++)
    heed_continuation_free(&w->texts[b]);
  heed_generator_free(w->generator);
  heed_model_free(w->model);
  heed_tokenizer_free(w->tokenizer);
  test_release();
}

static heed_status write_texts(writer *w, int64_t count, int64_t tokens, const heed_sampling *sampling, heed_generation_watcher watcher,
                               void *self) {
  for (int b = 0; b < PROMPTS; b++) {
    heed_continuation_free(&w->texts[b]);
    w->texts[b] = (heed_continuation){malloc(LENGTH * sizeof(int32_t)), prompt_lengths[b], prompt_lengths[b], false};
    memcpy(w->texts[b].ids, prompts[b], LENGTH * sizeof(int32_t));
  }
  return heed_generator_run(w->generator, w->parameters, w->texts, count, tokens, sampling, watcher, self);
}

static bool same_text(const heed_continuation *a, const heed_continuation *b) {
  return a->count == b->count && a->prompt == b->prompt && a->ended == b->ended &&
         memcmp(a->ids, b->ids, (size_t)a->count * sizeof *a->ids) == 0;
}

static bool same_texts(const writer *a, const writer *b) {
  bool same = true;
  for (int i = 0; i < PROMPTS; i++)
    same = same && same_text(&a->texts[i], &b->texts[i]);
  return same;
}

static void the_cache_changes_no_text(void) {
  for (int k = 0; k < MODELS; k++) {
    writer with, without;
    open_writer(&with, &models[k], true);
    open_writer(&without, &models[k], false);
    int64_t made = 0, differing = 0;
    for (uint32_t seed = 0; seed < 20; seed++) {
      heed_sampling sampling = {.temperature = 1, .top_p = 1, .seed = seed};
      CU_ASSERT_EQUAL_FATAL(write_texts(&with, PROMPTS, LENGTH, &sampling, NULL, NULL), HEED_OK);
      CU_ASSERT_EQUAL_FATAL(write_texts(&without, PROMPTS, LENGTH, &sampling, NULL, NULL), HEED_OK);
      CU_ASSERT_TRUE(same_texts(&with, &without));
      made += with.texts[0].count - with.texts[0].prompt;
      sampling.seed += 100; /* the test of the test: another seed, another text */
      CU_ASSERT_EQUAL_FATAL(write_texts(&without, PROMPTS, LENGTH, &sampling, NULL, NULL), HEED_OK);
      differing += !same_texts(&with, &without);
    }
    CU_ASSERT(made > 20 && differing > 15);
    close_writer(&with);
    close_writer(&without);
  }
}

/* The likeliest next token by a pass of the model over the text alone. */
static int32_t likeliest_by_hand(writer *w, const heed_continuation *text) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, 1, LENGTH, 1, false), HEED_OK);
  for (int64_t t = 0; t < text->count; t++) {
    batch.stream.ids[t] = text->ids[t];
    batch.stream.positions[t] = (int32_t)t;
  }
  batch.slices = batch.stream.sequences = batch.slice_rows[1] = batch.targets = batch.slice_targets[1] = 1;
  batch.stream.tokens = batch.stream.offsets[1] = batch.stream.slice_tokens[1] = text->count;
  batch.target_tokens[0] = text->count - 1;
  const float *logits = heed_model_logits(w->model, w->parameters, &batch);
  int32_t best = 0;
  for (int32_t v = 1; v < V; v++)
    best = logits[v] > logits[best] ? v : best;
  heed_batch_free(&batch);
  return best;
}

static void the_likeliest_is_taken_token_by_token(void) {
  for (int k = 0; k < MODELS; k++) {
    writer w, other;
    open_writer(&w, &models[k], true);
    open_writer(&other, &models[k], false);
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, LENGTH, &cold, NULL, NULL), HEED_OK);
    for (int b = 0; b < PROMPTS; b++) {
      heed_continuation so_far = w.texts[b];
      for (so_far.count = so_far.prompt; so_far.count < w.texts[b].count; so_far.count++)
        CU_ASSERT_EQUAL(so_far.ids[so_far.count], likeliest_by_hand(&other, &so_far));
      if (w.texts[b].ended)
        CU_ASSERT_EQUAL(likeliest_by_hand(&other, &so_far), SEPARATE);
    }
    close_writer(&w);
    close_writer(&other);
  }
}

static void a_text_does_not_depend_on_others(void) {
  writer w, alone;
  open_writer(&w, &models[0], true);
  open_writer(&alone, &models[0], true);
  CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, LENGTH, &warm, NULL, NULL), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(write_texts(&alone, 1, LENGTH, &warm, NULL, NULL), HEED_OK);
  CU_ASSERT_TRUE(same_text(&w.texts[0], &alone.texts[0]));
  CU_ASSERT_EQUAL(alone.texts[1].count, prompt_lengths[1]);                                /* not asked for */
  CU_ASSERT_EQUAL_FATAL(write_texts(&alone, PROMPTS, LENGTH, &warm, NULL, NULL), HEED_OK); /* nothing stays from the time before */
  CU_ASSERT_TRUE(same_texts(&w, &alone));
  close_writer(&w);
  close_writer(&alone);
}

/* Ends: so many tokens; no place left; the separator, which is not among the ids. */
static void texts_end(void) {
  for (int cache = 0; cache < 2; cache++) {
    writer w;
    open_writer(&w, &models[2], cache);
    memset(w.parameters, 0, (size_t)heed_model_table(w.model)->total * sizeof *w.parameters);
    const heed_parameter_table *table = heed_model_table(w.model);
    float *bias = w.parameters + table->items[heed_parameters_find(table, "cls.predictions.bias")].offset;
    bias[DOG] = 3;
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, 4, &cold, NULL, NULL), HEED_OK);
    for (int b = 0; b < PROMPTS; b++) {
      int64_t room = LENGTH - prompt_lengths[b], made = room < 4 ? room : 4;
      CU_ASSERT_EQUAL(w.texts[b].count, prompt_lengths[b] + made);
      CU_ASSERT_FALSE(w.texts[b].ended);
      CU_ASSERT_EQUAL(memcmp(w.texts[b].ids, prompts[b], (size_t)prompt_lengths[b] * sizeof(int32_t)), 0);
      for (int64_t t = prompt_lengths[b]; t < w.texts[b].count; t++)
        CU_ASSERT_EQUAL(w.texts[b].ids[t], DOG);
    }
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, 1000, &cold, NULL, NULL), HEED_OK);
    for (int b = 0; b < PROMPTS; b++)
      CU_ASSERT(w.texts[b].count == LENGTH && !w.texts[b].ended);
    bias[SEPARATE] = 4;
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, 1000, &cold, NULL, NULL), HEED_OK);
    for (int b = 0; b < PROMPTS; b++)
      CU_ASSERT(w.texts[b].count == prompt_lengths[b] && w.texts[b].ended);
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, 0, &cold, NULL, NULL), HEED_OK);
    CU_ASSERT(w.texts[0].count == prompt_lengths[0] && !w.texts[0].ended);
    close_writer(&w);
  }
}

typedef struct watched {
  int64_t calls, made[PROMPTS], ends[PROMPTS];
  bool wrong;
} watched;

static void watch(void *self, int64_t prompt, const heed_continuation *so_far) {
  watched *w = self;
  w->calls++;
  w->ends[prompt] += so_far->ended;
  w->made[prompt] += !so_far->ended;
  w->wrong = w->wrong || so_far->count != so_far->prompt + w->made[prompt];
}

static void each_token_is_told(void) {
  writer w;
  open_writer(&w, &models[1], true);
  for (uint32_t seed = 0; seed < 10; seed++) {
    watched told = {0};
    heed_sampling sampling = {.temperature = 2, .top_p = 1, .seed = seed};
    CU_ASSERT_EQUAL_FATAL(write_texts(&w, PROMPTS, 6, &sampling, watch, &told), HEED_OK);
    CU_ASSERT_FALSE(told.wrong);
    for (int b = 0; b < PROMPTS; b++) {
      CU_ASSERT_EQUAL(told.made[b], w.texts[b].count - w.texts[b].prompt);
      CU_ASSERT_EQUAL(told.ends[b], w.texts[b].ended);
      told.calls -= told.made[b] + told.ends[b];
    }
    CU_ASSERT_EQUAL(told.calls, 0);
  }
  close_writer(&w);
}

static void broken_weights_are_told(void) {
  writer w;
  open_writer(&w, &models[0], true);
  w.parameters[0] = NAN;
  CU_ASSERT_EQUAL(write_texts(&w, PROMPTS, 4, &cold, NULL, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not finite"));
  close_writer(&w);
}

HEED_TESTS({"the cache changes no text", the_cache_changes_no_text},
           {"the likeliest is taken, token by token", the_likeliest_is_taken_token_by_token},
           {"a text does not depend on others", a_text_does_not_depend_on_others}, {"texts end", texts_end},
           {"each token is told", each_token_is_told}, {"broken weights are told", broken_weights_are_told})

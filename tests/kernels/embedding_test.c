/* Embeddings: sums of rows, normalised and dropped from; a stable sort, and gradients summed slice by slice. */
#include "kernels/kernel_test.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { SLICES = 12, ROWS = 150, WIDTH = 77, ABOUT = 90, TABLE = ROWS * WIDTH, POSITIONS = 40 * WIDTH };
static const float epsilon = 1e-5f;

typedef struct problem {
  int64_t *starts, slices, tokens;
  int32_t *ids, *position, *type, *order;
  float *words, *positions, *waves, *types, *d_y, *y, *d_table;
  const void *word_elements; /* with those of the other tables behind; NULL: tables are floats */
  void *elements;
  int64_t offsets[2]; /* all tokens are one sequence */
  int32_t *sequence_of;
  float *gamma, *beta, *sum, *mean, *rstd, *d_sum, *d_gamma, *d_beta, *workspace; /* of the norm; gamma NULL: none */
  heed_dropout dropout;
} problem;

static problem make(int64_t slices) {
  problem p = {.starts = test_starts(slices, ABOUT), .slices = slices};
  p.tokens = p.starts[slices];
  p.ids = test_memory(p.tokens, sizeof *p.ids);
  p.position = test_memory(p.tokens, sizeof *p.ids);
  p.type = test_memory(p.tokens, sizeof *p.ids);
  p.order = test_memory(p.tokens, sizeof *p.ids);
  for (int64_t t = 0; t < p.tokens; t++) { /* few ids often, many seldom, the first and the last too */
    double u = fabs(test_number(5, t));
    p.ids[t] = t % 50 == 0 ? ROWS - 1 : (int32_t)(u * u * u * ROWS);
    p.position[t] = (int32_t)(t % 40);
    p.type[t] = (int32_t)(t % 3 == 0);
  }
  p.words = test_random(TABLE + POSITIONS + 2 * WIDTH, 1, 1.0);
  p.positions = p.words + TABLE;
  p.types = p.positions + POSITIONS;
  p.d_y = test_random(p.tokens * WIDTH, 4, 1.0);
  p.y = test_floats(p.tokens * WIDTH);
  p.d_table = test_floats(TABLE);
  p.offsets[1] = p.tokens;
  p.sequence_of = test_memory(p.tokens, sizeof *p.sequence_of);
  p.dropout.scale = 1.0f;
  return p;
}

static void give_norm(problem *p, const heed_kernels *kernels) {
  p->gamma = test_random(WIDTH, 5, 1.0);
  p->beta = test_random(WIDTH, 6, 1.0);
  p->sum = test_floats(p->tokens * WIDTH);
  p->mean = test_floats(p->tokens);
  p->rstd = test_floats(p->tokens);
  p->d_gamma = test_floats(2 * WIDTH);
  p->d_beta = p->d_gamma + WIDTH;
  p->workspace = test_floats(kernels->layer_norm_workspace(p->tokens, p->slices, WIDTH));
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  heed_embedding_rows rows = {p->ids, p->position, p->type, p->words, p->positions, p->types, p->waves, true};
  if (p->word_elements) {
    rows.wide = false;
    rows.words = p->word_elements;
    rows.positions = p->positions ? test_behind(k, p->word_elements, TABLE) : NULL;
    rows.types = p->types ? test_behind(k, p->word_elements, TABLE + POSITIONS) : NULL;
  }
  k->embedding_forward(p->y, p->elements, p->sum, p->mean, p->rstd, &rows, p->gamma, p->beta, p->sequence_of, p->offsets, p->tokens, WIDTH,
                       epsilon, &p->dropout);
}
static void norm_backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->embedding_norm_backward(p->d_sum, p->d_gamma, p->d_beta, p->d_y, p->sum, p->mean, p->rstd, p->gamma, p->sequence_of, p->offsets,
                             p->starts, p->slices, WIDTH, &p->dropout, p->workspace, scratch);
}
static void slices_norm_backward(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->embedding_norm_backward(p->d_sum, s->gradient, s->gradient + WIDTH, p->d_y, p->sum, p->mean, p->rstd, p->gamma, p->sequence_of,
                             p->offsets, p->starts + s->first, s->slices, WIDTH, &p->dropout, p->workspace, scratch);
}
static void sort(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->embedding_sort(p->order, p->ids, p->starts, p->slices);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->embedding_backward(p->d_table, p->d_y, p->order, p->ids, p->starts, p->slices, ROWS, WIDTH, scratch);
}
static void slices_backward(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->embedding_backward(s->gradient, p->d_y, p->order, p->ids, p->starts + s->first, s->slices, ROWS, WIDTH, scratch);
}

/* Rounds the tables to values that elements can have. */
static void round_tables(problem *p, const heed_kernels *kernels) {
  test_rounded(kernels, p->words, TABLE + POSITIONS + 2 * WIDTH);
}

/* With all three tables, with either left out, and with words alone; tables of elements, and of floats that become such; waves stay what
 * they are. */
static void check_forward(const heed_kernels *kernels) {
  for (int without = 0; without < 16; without++) {
    problem p = make(3);
    void *elements = test_unwritten(kernels, TABLE + POSITIONS + 2 * WIDTH);
    kernels->narrow(elements, p.words, TABLE + POSITIONS + 2 * WIDTH);
    p.word_elements = without & 8 ? elements : NULL;
    p.types = without & 1 ? NULL : p.types;
    p.positions = without & 2 ? NULL : p.positions;
    p.waves = without & 4 ? test_random(POSITIONS, 2, 1.0) : NULL;
    test_run(kernels, 2, forward, &p);
    round_tables(&p, kernels);
    int64_t wrong = 0;
    for (int64_t t = 0; t < p.tokens; t++)
      for (int64_t c = 0; c < WIDTH; c++) {
        float sum = p.words[p.ids[t] * WIDTH + c];
        const float *positions = p.waves ? p.waves : p.positions;
        sum = positions ? sum + positions[p.position[t] * WIDTH + c] : sum;
        wrong += p.y[t * WIDTH + c] != (p.types ? sum + p.types[p.type[t] * WIDTH + c] : sum);
      }
    CU_ASSERT_EQUAL(wrong, 0);
  }
}

/* With norm, dropout, both or neither. */
static void check_twin_of(const heed_kernels *kernels, bool norm, double rate) {
  uint32_t threshold = (uint32_t)(rate * 65536.0);
  problem p = make(3);
  int64_t count = p.tokens * WIDTH;
  round_tables(&p, kernels);
  if (norm)
    give_norm(&p, kernels);
  p.dropout = (heed_dropout){threshold, (float)(65536.0 / (65536.0 - threshold)), 9, 100, 5, 17};
  p.elements = test_unwritten(kernels, count);
  p.d_sum = test_floats(count);
  double *sum = test_doubles(count), *y = test_doubles(count), *factor = test_doubles(count), *d_y = test_widen(p.d_y, count);
  double *d_sum = test_doubles(count), *d_gamma = test_doubles(WIDTH), *d_beta = test_doubles(WIDTH);
  for (int64_t i = 0; i < count; i++) {
    int64_t t = i / WIDTH, c = i % WIDTH;
    factor[i] = reference_dropout_factor(&p.dropout, 0, 0, t * 8 * ((WIDTH + 7) / 8) + c);
    y[i] = sum[i] =
        (double)p.words[p.ids[t] * WIDTH + c] + (double)p.positions[p.position[t] * WIDTH + c] + (double)p.types[p.type[t] * WIDTH + c];
    d_sum[i] = d_y[i] *= factor[i];
  }
  if (norm) {
    reference_layer_norm_forward(y, sum, test_widen(p.gamma, WIDTH), test_widen(p.beta, WIDTH), p.tokens, WIDTH, (double)epsilon);
    reference_layer_norm_backward(d_sum, d_gamma, d_beta, d_y, sum, test_widen(p.gamma, WIDTH), p.tokens, WIDTH, (double)epsilon);
  }
  for (int64_t i = 0; i < count; i++)
    y[i] *= factor[i];
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, norm_backward, &p);
  CU_ASSERT(test_error(p.y, y, count) < 1e-6);
  CU_ASSERT(test_element_error(kernels, p.elements, y, count) < test_element_bound(kernels, 1e-6));
  CU_ASSERT(test_error(p.d_sum, d_sum, count) < 1e-6);
  CU_ASSERT(!norm || test_error(p.d_gamma, d_gamma, WIDTH) < 1e-6);
  CU_ASSERT(!norm || test_error(p.d_beta, d_beta, WIDTH) < 1e-6);
  float *apart = p.d_sum;
  p.d_sum = p.d_y; /* in place */
  test_run(kernels, 2, norm_backward, &p);
  CU_ASSERT(memcmp(p.d_sum, apart, (size_t)count * sizeof(float)) == 0);
}

static void check_twin(const heed_kernels *kernels) {
  for (int which = 0; which < 4; which++) {
    int mark = test_pool_count;
    check_twin_of(kernels, which & 1, which & 2 ? 0.3 : 0.0);
    test_release_to(mark);
  }
}

static void check_norm_bits(const heed_kernels *kernels) {
  problem p = make(SLICES);
  int64_t count = p.tokens * WIDTH;
  give_norm(&p, kernels);
  p.dropout.threshold = 9000;
  p.d_sum = test_floats(count);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, count));
  CU_ASSERT(test_same_on_threads(kernels, norm_backward, &p, p.d_sum, count));
  CU_ASSERT(test_same_on_threads(kernels, norm_backward, &p, p.d_gamma, 2 * WIDTH));
  for (int64_t slices = 1; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_norm_backward, &p, slices, 2 * WIDTH));
}

static void check_sort(const heed_kernels *kernels) {
  problem p = make(SLICES);
  test_run(kernels, 2, sort, &p);
  int64_t wrong = 0;
  for (int64_t g = 0; g < SLICES; g++)
    for (int64_t i = p.starts[g]; i < p.starts[g + 1]; i++) {
      wrong += p.order[i] < p.starts[g] || p.order[i] >= p.starts[g + 1];
      if (i > p.starts[g]) { /* strictly rising by (id, token): each token once, and stable */
        int32_t a = p.order[i - 1], b = p.order[i];
        wrong += p.ids[a] > p.ids[b] || (p.ids[a] == p.ids[b] && a >= b);
      }
    }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void check_backward(const heed_kernels *kernels) {
  problem p = make(SLICES);
  double *want = test_doubles(TABLE);
  for (int64_t t = 0; t < p.tokens; t++)
    for (int64_t c = 0; c < WIDTH; c++)
      want[p.ids[t] * WIDTH + c] += (double)p.d_y[t * WIDTH + c];
  test_run(kernels, 2, sort, &p);
  memset(p.d_table, 0xFF, TABLE * sizeof *p.d_table); /* NaN: rows of ids that do not occur are written too */
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(test_error(p.d_table, want, TABLE) < 1e-6);
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(SLICES);
  test_run(kernels, 2, sort, &p);
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_table, TABLE));
  for (int64_t slices = 1; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_backward, &p, slices, TABLE));
}

static void embedding(void) {
  test_each_element(check_forward);
}
static void twin(void) {
  test_each_element(check_twin);
}
static void norm_bits(void) {
  test_each_element(check_norm_bits);
}
static void order(void) {
  test_each_level(check_sort);
}
static void gradients(void) {
  test_each_level(check_backward);
}
static void bits(void) {
  test_each_level(check_bits);
}

HEED_TESTS({"rows of the tables are added", embedding}, {"with norm and dropout: those of the double twins", twin},
           {"bits with norm and dropout do not depend on threads nor on groups of slices", norm_bits},
           {"tokens are sorted by id, stably, slice by slice", order},
           {"gradients of equal ids are summed, those of absent ones are 0", gradients},
           {"bits do not depend on threads nor on groups of slices", bits})

/* Linear maps: threads, slices and the number of rows leave no trace in the bits. */
#include "kernels/linear_fixture.h"

/* Sizes that leave remainders in every grid. */
enum { SLICES = 12, INPUTS = 147, OUTPUTS = 301, ABOUT = 61, WEIGHTS = OUTPUTS * INPUTS + OUTPUTS };

static problem make(const heed_kernels *kernels, int64_t slices, int64_t about) {
  return make_of(kernels, test_starts(slices, about), slices, INPUTS, OUTPUTS);
}

static void check_threads(const heed_kernels *kernels) {
  for (int64_t about = 10; about <= ABOUT; about += 51) { /* few rows, each thread packing for itself, and many */
    problem p = make(kernels, about == 10 ? 3 : SLICES, about);
    for (int wide = 0; wide < 2; wide++) {
      p.wide = wide == 1;
      CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, p.rows * OUTPUTS));
      CU_ASSERT(test_same_on_threads(kernels, activation_forward, &p, p.y, p.rows * OUTPUTS));
      CU_ASSERT(test_same_on_threads(kernels, backward_input, &p, p.d_x, p.rows * INPUTS));
    }
    CU_ASSERT(test_same_on_threads(kernels, activation_forward, &p, p.slopes, p.rows * OUTPUTS));
    CU_ASSERT(test_same_on_threads(kernels, activation_backward_input, &p, p.d_x, p.rows * INPUTS));
    CU_ASSERT(test_same_on_threads(kernels, backward_weight, &p, p.d_w, WEIGHTS));
  }
}

static void check_groups(const heed_kernels *kernels) {
  problem p = make(kernels, SLICES, ABOUT);
  for (int64_t slices = 2; slices <= SLICES; slices += slices < 4 ? 1 : 4) { /* 2, 3, 4, 8, 12 */
    int mark = test_pool_count;
    CU_ASSERT(test_same_in_groups(kernels, slices_weight, &p, slices, WEIGHTS));
    test_release_to(mark);
  }
}

/* Rows [first, first + rows) of p as a problem of their own. */
static problem part_of(const heed_kernels *kernels, const problem *p, int64_t first, int64_t rows) {
  problem part = *p;
  part.rows = rows;
  part.x_elements = test_behind(kernels, p->x_elements, first * p->inputs);
  part.d_y_elements = test_behind(kernels, p->d_y_elements, first * p->outputs);
  part.slopes_elements = test_behind(kernels, p->slopes_elements, first * p->inputs);
  part.y = test_floats(rows * p->outputs);
  part.slopes = test_floats(rows * p->outputs);
  part.d_x = test_floats(rows * p->inputs);
  return part;
}

/* Rows alone have the bits that they have among others: be they few or many, wherever a block begins, in one span of depth or two. */
static void check_rows(const heed_kernels *kernels) {
  static const int64_t cuts[][2] = {{0, 1}, {1, 64}, {5, 2}, {7, 65}, {11, 3}, {31, 5}, {150, 17}, {186, 4}, {90, 100}};
  enum { CUTS = sizeof cuts / sizeof *cuts };
  for (int i = 0; i < 4 * CUTS; i += i < 2 * CUTS ? 1 : 3) {
    int mark = test_pool_count;
    bool deep = i >= 2 * CUTS;
    problem p = make_rows(kernels, 190, deep ? 4110 : INPUTS, deep ? 33 : OUTPUTS);
    p.wide = i % 2 == 1;
    size_t size = p.wide ? sizeof(float) : kernels->element_bytes;
    int64_t first = cuts[i / 2 % CUTS][0], rows = cuts[i / 2 % CUTS][1];
    problem part = part_of(kernels, &p, first, rows);
    test_run(kernels, 2, forward, &p);
    test_run(kernels, 2, forward, &part);
    CU_ASSERT(memcmp(part.y, (char *)p.y + (size_t)(first * p.outputs) * size, (size_t)(rows * p.outputs) * size) == 0);
    test_run(kernels, 2, activation_forward, &p);
    test_run(kernels, 2, activation_forward, &part);
    CU_ASSERT(memcmp(part.y, (char *)p.y + (size_t)(first * p.outputs) * size, (size_t)(rows * p.outputs) * size) == 0);
    test_run(kernels, 2, backward_input, &p);
    test_run(kernels, 2, backward_input, &part);
    CU_ASSERT(memcmp(part.d_x, (char *)p.d_x + (size_t)(first * p.inputs) * size, (size_t)(rows * p.inputs) * size) == 0);
    test_run(kernels, 2, activation_backward_input, &p);
    test_run(kernels, 2, activation_backward_input, &part);
    CU_ASSERT(memcmp(part.d_x, test_behind(kernels, p.d_x, first * p.inputs), (size_t)(rows * p.inputs) * kernels->element_bytes) == 0);
    test_release_to(mark);
  }
}

/* The results of products of the same elements, of rows one behind the other. */
static void run_products(const heed_kernels *kernels, problem *p, char *results) {
  size_t out = (size_t)(p->rows * p->outputs), in = (size_t)(p->rows * p->inputs);
  size_t wide = p->wide ? sizeof(float) : kernels->element_bytes, narrow = kernels->element_bytes;
  test_run(kernels, 2, forward, p);
  memcpy(results, p->y, out * wide);
  test_run(kernels, 2, activation_forward, p);
  memcpy(results += out * wide, p->y, out * wide);
  memcpy(results += out * wide, p->slopes, out * narrow);
  test_run(kernels, 2, backward_input, p);
  memcpy(results += out * narrow, p->d_x, in * wide);
  test_run(kernels, 2, activation_backward_input, p);
  memcpy(results + in * wide, p->d_x, in * narrow);
}

/* Products of panels have the bits of those that pack at the call, of few rows and many, deep ones in two spans. */
static void check_panels(const heed_kernels *kernels) {
  static const int64_t shapes[][3] = {{5, 17, 33},    {64, 100, 17}, {65, 33, 100},  {100, 1, 17},    {130, 17, 5},
                                      {96, 147, 301}, {70, 64, 96},  {70, 4110, 19}, {7, 4110, 4110}, {70, 19, 4130}};
  if (kernels->linear_panels(1, 1) == 0)
    return; /* fp32 */
  for (int i = 0; i < 20; i++) {
    int mark = test_pool_count;
    problem p = make_rows(kernels, shapes[i / 2][0], shapes[i / 2][1], shapes[i / 2][2]);
    p.wide = i % 2 == 1;
    int64_t room = 4 * p.rows * (p.inputs + p.outputs); /* floats */
    for (int64_t n = 0; n < p.inputs * p.outputs; n++)
      p.w[n] = (float)test_number(7, n); /* what elements must round */
    void *want = test_floats(room), *got = test_floats(room);
    run_products(kernels, &p, want);
    pack(kernels, &p);
    memset(p.w, 0xFF, (size_t)(p.inputs * p.outputs) * sizeof *p.w); /* not looked at */
    run_products(kernels, &p, got);
    CU_ASSERT_EQUAL(memcmp(got, want, (size_t)room * sizeof(float)), 0);
    ((uint16_t *)p.panels)[0] ^= 0x8000; /* a test of the test */
    run_products(kernels, &p, got);
    CU_ASSERT_NOT_EQUAL(memcmp(got, want, (size_t)room * sizeof(float)), 0);
    test_release_to(mark);
  }
}

/* A map with the end of a sublayer behind it: where a thread ends its own rows, and where all do that afterwards. */
static heed_residual end_of(const heed_kernels *kernels, int64_t rows, int64_t width) {
  static const int64_t offsets[] = {0, 1, 1000};
  int32_t *sequence_of = test_memory(rows, sizeof *sequence_of);
  for (int64_t t = 1; t < rows; t++)
    sequence_of[t] = 1;
  return (heed_residual){.sum = nan_floats(rows * width),
                         .residual = test_random(rows * width, 11, 1.0),
                         .sequence_of = sequence_of,
                         .offsets = offsets,
                         .dropout = {6554, 1.1111f, 9, 100, 5, 17},
                         .gamma = test_random(width, 12, 1.0),
                         .beta = test_random(width, 13, 1.0),
                         .epsilon = 1e-5f,
                         .y = nan_floats(rows * width),
                         .mean = nan_floats(rows),
                         .rstd = nan_floats(rows),
                         .elements = test_unwritten(kernels, rows * width)};
}

typedef struct ended {
  problem p;
  heed_residual r;
} ended;

static void residual_forward(const heed_kernels *k, const void *data, float *scratch) {
  const ended *e = data;
  const problem *p = &e->p;
  k->linear_residual_forward(&e->r, p->x_elements, weights_of(p), p->bias, p->rows, p->inputs, p->outputs, p->workspace, scratch);
}
static void forward_then_residual(const heed_kernels *k, const void *data, float *scratch) {
  const ended *e = data;
  forward(k, &e->p, scratch);
  k->residual_forward(&e->r, e->p.rows, e->p.outputs);
}

static bool same_floats(const float *a, const float *b, int64_t count) {
  return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* On one thread and on four: so many rows that each thread ends its own, and fewer; a deeper sum than is taken at a time; more columns than
 * are packed at a time. */
static void check_ended(const heed_kernels *kernels) {
  static const int64_t shapes[][3] = {{1, INPUTS, OUTPUTS},   {64, INPUTS, OUTPUTS}, {100, INPUTS, OUTPUTS},
                                      {800, INPUTS, OUTPUTS}, {530, 4110, 65},       {270, 4090, 1056}};
  for (int i = 0; i < 14; i++) {
    int mark = test_pool_count;
    const int64_t *shape = shapes[i < 12 ? i / 3 : i - 8], rows = shape[0], count = rows * shape[2];
    problem p = make_rows(kernels, rows, shape[1], shape[2]);
    ended apart = {p, end_of(kernels, rows, shape[2])};
    if (i % 3 == 1)
      apart.r.elements = NULL;
    if (i % 3 == 2)
      apart.r.gamma = NULL;
    apart.p.y = apart.r.sum;
    apart.p.wide = true;
    test_run(kernels, 2, forward_then_residual, &apart);
    for (int threads = 1; threads <= 4; threads += 3) {
      ended e = {p, end_of(kernels, rows, shape[2])};
      e.r.elements = apart.r.elements ? e.r.elements : NULL;
      e.r.gamma = apart.r.gamma;
      test_run(kernels, threads, residual_forward, &e);
      CU_ASSERT(same_floats(e.r.sum, apart.r.sum, count) && same_floats(e.r.y, apart.r.y, count));
      CU_ASSERT(same_floats(e.r.mean, apart.r.mean, rows) && same_floats(e.r.rstd, apart.r.rstd, rows));
      CU_ASSERT(!apart.r.elements || memcmp(e.r.elements, apart.r.elements, (size_t)count * kernels->element_bytes) == 0);
    }
    test_release_to(mark);
  }
}

/* From four threads at once, again and again: what one thread overwrites while another reads would show now and then. */
static void check_hammer(const heed_kernels *kernels) {
  problem p = make(kernels, SLICES, ABOUT);
  test_run(kernels, 1, forward, &p);
  test_run(kernels, 1, backward_input, &p);
  test_run(kernels, 1, backward_weight, &p);
  problem again = part_of(kernels, &p, 0, p.rows);
  again.d_w = test_floats(WEIGHTS);
  again.d_bias = again.d_w + OUTPUTS * INPUTS;
  int differ = 0;
  for (int round = 0; round < 8; round++) {
    memset(again.d_w, 0, WEIGHTS * sizeof *again.d_w);
    test_run(kernels, 4, forward, &again);
    test_run(kernels, 4, backward_input, &again);
    test_run(kernels, 4, backward_weight, &again);
    differ += memcmp(again.y, p.y, (size_t)(p.rows * OUTPUTS) * kernels->element_bytes) != 0;
    differ += memcmp(again.d_x, p.d_x, (size_t)(p.rows * INPUTS) * kernels->element_bytes) != 0;
    differ += memcmp(again.d_w, p.d_w, WEIGHTS * sizeof(float)) != 0;
  }
  CU_ASSERT_EQUAL(differ, 0);
}

static void threads(void) {
  test_each_element(check_threads);
}
static void groups(void) {
  test_each_element(check_groups);
}
static void rows(void) {
  test_width = 4500;
  test_each_element(check_rows);
  test_width = 512;
}
static void panels(void) {
  test_width = 4500;
  test_each_element(check_panels);
  test_width = 512;
}
static void hammer(void) {
  test_each_element(check_hammer);
}

static void ends(void) {
  test_each_element(check_ended);
}

HEED_TESTS({"bits do not depend on threads", threads}, {"nor on groups of slices", groups}, {"nor on the rows beside a row", rows},
           {"nor on when weights are packed", panels}, {"rows that a thread ends itself are those that all end afterwards", ends},
           {"products from four threads at once are right", hammer})

/** Private to kernels/: how one source becomes one set of symbols per instruction level and kind of element.
 *
 *  Every file here is compiled with each HEED_LEVEL (v2_fp32, v2_bf16, v3_fp32 …); HEED_KERNEL(name) is then name_v2_fp32, name_v2_bf16 …
 *  and table.c gathers them.  What each kernel computes is said once, in kernels.h. */
#ifndef HEED_KERNELS_LEVEL_H
#define HEED_KERNELS_LEVEL_H

#include "kernels/kernels.h"

#define HEED_JOIN_AGAIN(a, b) a##_##b
#define HEED_JOIN(a, b) HEED_JOIN_AGAIN(a, b)
#define HEED_KERNEL(name) HEED_JOIN(heed_##name, HEED_LEVEL)

/** Floats of a cache line: rows of scratch and lanes of reductions come in this many. */
enum { HEED_LANES = 16 };

static inline int64_t heed_at_least(int64_t a, int64_t b) {
  return a > b ? a : b;
}
static inline int64_t heed_at_most(int64_t a, int64_t b) {
  return a < b ? a : b;
}
/** n rounded up to whole lanes. */
static inline int64_t heed_in_lanes(int64_t n) {
  return (n + HEED_LANES - 1) / HEED_LANES * HEED_LANES;
}

/* Scratch of each kernel that takes any, in floats. */
int64_t HEED_KERNEL(linear_scratch)(int64_t slices, int64_t width);
int64_t HEED_KERNEL(embedding_scratch)(int64_t slices);
int64_t HEED_KERNEL(attention_scratch)(int64_t longest, int64_t head_width);

int64_t HEED_KERNEL(linear_workspace)(int64_t rows, int64_t slices, int64_t inputs, int64_t outputs, bool backward);
int64_t HEED_KERNEL(linear_panels)(int64_t depth, int64_t columns);
void HEED_KERNEL(linear_pack)(void *forward, void *backward, const void *w, int64_t band, int64_t inputs, int64_t outputs);
void HEED_KERNEL(linear_forward)(void *y, bool wide, const void *x, heed_linear_weights w, const float *bias, int64_t rows, int64_t inputs,
                                 int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(linear_activation_forward)(void *after, bool wide, void *slopes, const void *x, heed_linear_weights w, const float *bias,
                                            heed_form form, int64_t rows, int64_t inputs, int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(linear_residual_forward)(const heed_residual *r, const void *x, heed_linear_weights w, const float *bias, int64_t rows,
                                          int64_t inputs, int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(linear_backward_input)(void *d_x, bool wide, bool add, const void *d_y, heed_linear_weights w, int64_t rows,
                                        int64_t inputs, int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(linear_activation_backward_input)(void *d_before, const void *d_y, heed_linear_weights w, const void *slopes, int64_t rows,
                                                   int64_t inputs, int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(linear_backward_weight)(float *d_w, float *d_bias, const void *d_y, const void *x, const int64_t *starts, int64_t slices,
                                         int64_t inputs, int64_t outputs, void *workspace, float *scratch);
void HEED_KERNEL(layer_norm_forward)(float *y, void *elements, float *mean, float *rstd, const float *x, const float *gamma,
                                     const float *beta, int64_t tokens, int64_t width, float epsilon);
int64_t HEED_KERNEL(layer_norm_workspace)(int64_t rows, int64_t slices, int64_t width);
void HEED_KERNEL(layer_norm_backward)(float *d_x, bool add, float *d_gamma, float *d_beta, const float *d_y, const float *x,
                                      const float *mean, const float *rstd, const float *gamma, const int64_t *starts, int64_t slices,
                                      int64_t width, float *workspace, float *scratch);
void HEED_KERNEL(residual_forward)(const heed_residual *r, int64_t tokens, int64_t width);
void HEED_KERNEL(residual_backward)(void *d_x, const float *d_y, const int32_t *sequence_of, const int64_t *offsets, int64_t tokens,
                                    int64_t width, const heed_dropout *dropout);
void HEED_KERNEL(residual_norm_backward)(float *d_residual, void *d_x, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                         const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                         const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width,
                                         const heed_dropout *dropout, float *workspace, float *scratch);
void HEED_KERNEL(activation_backward)(void *d_x, const float *d_y, const void *slopes, int64_t count);
void HEED_KERNEL(tanh_forward)(void *y, const void *x, int64_t count);
void HEED_KERNEL(tanh_backward)(void *d_x, const void *d_y, const void *y, int64_t count);
void HEED_KERNEL(gated_forward)(void *y, const void *x, int64_t tokens, int64_t width, heed_form form);
void HEED_KERNEL(gated_backward)(void *d_x, const void *d_y, const void *x, int64_t tokens, int64_t width, heed_form form);
void HEED_KERNEL(rotary)(void *x, const float *table, const int32_t *positions, int64_t tokens, int64_t stride, int64_t heads,
                         int64_t head_width, bool back);
void HEED_KERNEL(embedding_forward)(float *y, void *elements, float *sum, float *mean, float *rstd, const heed_embedding_rows *rows,
                                    const float *gamma, const float *beta, const int32_t *sequence_of, const int64_t *offsets,
                                    int64_t tokens, int64_t width, float epsilon, const heed_dropout *dropout);
void HEED_KERNEL(embedding_norm_backward)(float *d_sum, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                          const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                          const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width,
                                          const heed_dropout *dropout, float *workspace, float *scratch);
void HEED_KERNEL(embedding_sort)(int32_t *order, const int32_t *ids, const int64_t *starts, int64_t slices);
void HEED_KERNEL(embedding_backward)(float *d_table, const float *d_y, const int32_t *order, const int32_t *ids, const int64_t *starts,
                                     int64_t slices, int64_t rows, int64_t width, float *scratch);
void HEED_KERNEL(gather_rows)(void *y, const float *x, const int64_t *index, int64_t rows, int64_t width);
void HEED_KERNEL(scatter_rows)(float *d_x, const float *d_y, const int64_t *index, int64_t rows, int64_t width);
void HEED_KERNEL(softmax_cross_entropy)(double *loss, void *d_logits, float *logits, const int32_t *target, int64_t rows,
                                        int64_t vocabulary, float scale);
void HEED_KERNEL(softmax_sums)(double (*sums)[HEED_SOFTMAX_SUMS], float *logits, const int32_t *target, int64_t first, int64_t rows,
                               int64_t vocabulary, bool keep);
void HEED_KERNEL(softmax_cross_entropy_of_parts)(double *loss, void *d_logits, const float *exponentials,
                                                 const double (*sums)[HEED_SOFTMAX_SUMS], int parts, int part, const int32_t *target,
                                                 int64_t first, int64_t rows, int64_t vocabulary, float scale);
void HEED_KERNEL(attention_forward)(void *out, float *lse, const void *q, const void *k, const void *v, const heed_attention_shape *shape,
                                    const heed_dropout *dropout, float *scratch);
void HEED_KERNEL(attention_backward)(void *d_q, void *d_k, void *d_v, const void *d_out, const void *out, const float *lse, const void *q,
                                     const void *k, const void *v, const heed_attention_shape *shape, const heed_dropout *dropout,
                                     float *scratch);
void HEED_KERNEL(attention_weights)(float *weights, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                                    int64_t sequence, float *scratch);
void HEED_KERNEL(attention_entropy)(double *entropy, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                                    float *scratch);
double HEED_KERNEL(square_sum)(const float *x, int64_t count);
void HEED_KERNEL(adamw)(float *w, float *m, float *v, const float *gradient, int64_t count, const heed_adamw *settings);
void HEED_KERNEL(lamb_direction)(float *u, float *m, float *v, const float *w, const float *gradient, int64_t count,
                                 const heed_adamw *settings);
void HEED_KERNEL(lamb_apply)(float *w, const float *u, float step, int64_t count);
void HEED_KERNEL(add)(float *y, const float *x, int64_t count);
void HEED_KERNEL(narrow)(void *y, const float *x, int64_t count);
void HEED_KERNEL(widen)(float *y, const void *x, int64_t count);

#endif

/** The kernels: pure math on raw pointers, one operation a file, forward and backward side by side.
 *
 *  The same sources are compiled once per instruction level and kind of element; each gives one table of function pointers.  Elements,
 *  `void *` here, are what tensors between matrix products are made of: floats, or bf16.  No MPI, no allocation, no
 *  globals, no log.  A kernel is called by all threads of an open parallel region and shares its work with orphaned `omp for`
 *  (outside a region it runs on one thread); it ends with a barrier.  Work is cut by shape, never by the number of threads, and tile
 *  grids restart at each slice, so the bits of a result do not depend on threads, nor on which slices go through together.
 *
 *  Arguments: forward — out, saved, in, parameters, sizes; backward — d_in, d_parameters, d_out, then forward's.
 *  Gradients of parameters are written: each parameter has one layer that uses it.  Those that sum over rows do so slice by slice along
 *  the fixed tree (tree.h).
 *  `scratch` is the calling thread's own, of heed_kernels.scratch_floats(…) floats, 64-byte aligned.
 *  `slices` and `starts[slices + 1]`: slice g is rows [starts[g], starts[g + 1]); T = starts[slices]. */
#ifndef HEED_KERNELS_KERNELS_H
#define HEED_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Dropout whose mask is never stored: forward and backward draw it from the same counters.  For logical element e of a row, 16 bits
 *  of Philox(counter {e / 8, row, site, data position}, key {seed, HEED_FOR_DROPOUT}) below `threshold` drop it; the others are scaled.
 *  Element: of [T, C] tensors, token-in-sequence · 8⌈C/8⌉ + channel; of attention, 65536 · the head is added to the site and the element is
 *  8 · (query · 8192 + key / 8) + key mod 8. */
typedef struct heed_dropout {
  uint32_t threshold; /**< round(p · 65536); 0 = no dropout */
  float scale;        /**< 1 / (1 − threshold / 65536) */
  uint32_t seed, data_position;
  uint32_t site;      /**< which dropout of the model, < 65536; of attention plus 65536 · the first head's number in the model */
  uint32_t first_row; /**< row of the global batch that is sequence 0 of the stream */
} heed_dropout;

/** As `behind` and `ahead`: no bound. */
#define HEED_EVERYWHERE INT64_MAX

/** Sizes of an attention call: queries of one stream, keys and values of another (or the same), and what a query sees.
 *
 *  A query at place i of its sequence sees the keys at places i − behind … i + ahead.  A sequence with more keys than queries has its
 *  queries at the end: query r stands at place keys − queries + r.  So ahead = 0 is causal, and a window bounds both. */
typedef struct heed_attention_shape {
  int64_t sequences, heads, head_width;    /* B, H, D */
  const int64_t *q_offsets, *kv_offsets;   /* [B + 1] first token of each sequence */
  int64_t q_stride, kv_stride, out_stride; /* elements between tokens of q, of k and v, of out */
  float scale;                             /* 1/√D */
  const int64_t *kv_ends;                  /* [B] one behind the last key of each sequence; NULL: kv_offsets + 1 */
  int64_t behind, ahead;                   /* ≥ 0, or HEED_EVERYWHERE */
} heed_attention_shape;

/** Rows of tables that make a token's embedding: words[ids[t],:] + positions[position[t],:] + types[type[t],:], or with `waves` these in
 *  place of positions; all but `words` may be NULL.  The tables of trained rows are elements, or floats (`wide`), which are rounded to
 *  elements as they are read, so that both give the same bits; waves are floats and stay so. */
typedef struct heed_embedding_rows {
  const int32_t *ids, *position, *type;
  const void *words, *positions, *types;
  const float *waves;
  bool wide;
} heed_embedding_rows;

/** Forms of an activation. */
typedef enum heed_form { HEED_FORM_GELU, HEED_FORM_GELU_TANH, HEED_FORM_RELU } heed_form;

typedef struct heed_adamw {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2; /* 1 / (1 − βᵗ), or 1 without bias correction */
  float gradient_scale;           /* multiplies each gradient: 1/targets and clipping */
} heed_adamw;

/** The end of a sublayer, a row at a time (Vaswani et al. 2017, §5.4):  sum = residual + dropout(sum),  and with γ  y = norm(sum). */
typedef struct heed_residual {
  float *sum;                 /* [T, C]; on entry what the sublayer's body gave */
  const float *residual;      /* [T, C] */
  const int32_t *sequence_of; /* [T], offsets [B + 1]: as in heed_stream; they name the row and the token of each element */
  const int64_t *offsets;
  heed_dropout dropout;
  const float *gamma, *beta; /* [C]; γ NULL: no norm; β may be NULL */
  float epsilon;
  float *y, *mean, *rstd; /* [T, C], [T], [T] */
  void *elements;         /* y as elements; NULL: nobody reads it so */
} heed_residual;

/** Weights of a linear map: floats [outputs, inputs], and their panels (linear_pack) in the orders that forward and backward read; NULL:
 *  packed at the call. */
typedef struct heed_linear_weights {
  const float *w;
  const void *forward, *backward;
} heed_linear_weights;

/** Rows of weights that are packed together. */
enum { HEED_WEIGHT_BAND = 32 };

/** What a part of the vocabulary tells the others of a row of logits. */
enum { HEED_SOFTMAX_MAXIMUM, HEED_SOFTMAX_SUM, HEED_SOFTMAX_AT_TARGET, HEED_SOFTMAX_SUMS };

typedef struct heed_kernels {
  const char *isa;                 /**< x86-64-v2, …-v3, …-v4, …-v4-bf16, …-v4-amx, or generic */
  size_t element_bytes;            /**< 4: fp32, 2: bf16 */
  const struct heed_kernels *bf16; /**< those of this level whose elements are bf16 */

  /** Floats of scratch a thread needs for any kernel, given the most slices in one call, the longest sequence, the head width and the
   *  width of the model. */
  int64_t (*scratch_floats)(int64_t slices, int64_t longest, int64_t head_width, int64_t width);

  /* linear.c: products of blocks and panels.  The workspace is shared by the threads and 64-byte aligned. */
  /** Elements that the panels of a map take which are worth keeping from call to call: what forward reads, [inputs, outputs] as depth and
   *  columns; what backward reads, [outputs, inputs].  0 in fp32: packing a map's weights at each call costs less than two more copies. */
  int64_t (*linear_panels)(int64_t depth, int64_t columns);
  /** Packs rows [band · HEED_WEIGHT_BAND, …) of w, elements; rank-local, one thread a call.  Products of panels have the bits of those that
   * pack floats, of which w is the rounded ones. */
  void (*linear_pack)(void *forward, void *backward, const void *w, int64_t band, int64_t inputs, int64_t outputs);
  /** Floats of workspace that a linear map takes with at most so many rows and slices. */
  int64_t (*linear_workspace)(int64_t rows, int64_t slices, int64_t inputs, int64_t outputs, bool backward);
  /** y[T, outputs] = x[T, inputs] · wᵀ + bias (bias may be NULL); floats when `wide`, else elements. */
  void (*linear_forward)(void *y, bool wide, const void *x, heed_linear_weights w, const float *bias, int64_t rows, int64_t inputs,
                         int64_t outputs, void *workspace, float *scratch);
  /** after = act(x · wᵀ + bias), floats when `wide`; slopes = act′(x · wᵀ + bias), elements, which backward wants (NULL: nobody does). */
  void (*linear_activation_forward)(void *after, bool wide, void *slopes, const void *x, heed_linear_weights w, const float *bias,
                                    heed_form form, int64_t rows, int64_t inputs, int64_t outputs, void *workspace, float *scratch);
  /** r->sum = x · wᵀ + bias, which need hold nothing before, then residual_forward: where rows are many and all of w is packed at once, row
   * by row by the thread that made them.  So x shares no memory with what r says is written, nor does r->residual with r->sum. */
  void (*linear_residual_forward)(const heed_residual *r, const void *x, heed_linear_weights w, const float *bias, int64_t rows,
                                  int64_t inputs, int64_t outputs, void *workspace, float *scratch);
  /** d_x[T, inputs] = d_y[T, outputs] · w; floats when `wide`, and then with `add` added. */
  void (*linear_backward_input)(void *d_x, bool wide, bool add, const void *d_y, heed_linear_weights w, int64_t rows, int64_t inputs,
                                int64_t outputs, void *workspace, float *scratch);
  /** d_before[T, inputs] = (d_y · w) · slopes, elements. */
  void (*linear_activation_backward_input)(void *d_before, const void *d_y, heed_linear_weights w, const void *slopes, int64_t rows,
                                           int64_t inputs, int64_t outputs, void *workspace, float *scratch);
  /** d_w = Σ over slices (tree) d_yᵀ · x; d_bias = Σ d_y (d_bias may be NULL). */
  void (*linear_backward_weight)(float *d_w, float *d_bias, const void *d_y, const void *x, const int64_t *starts, int64_t slices,
                                 int64_t inputs, int64_t outputs, void *workspace, float *scratch);

  /* layer_norm.c (Ba et al. 2016, eq. 4) */
  /** y[t,:] = (x[t,:] − mean_t) · rstd_t · γ + β, rstd_t = 1/√(var_t + ε), as floats in y and as elements in `elements`; either may be
   *  NULL, and beta. */
  void (*layer_norm_forward)(float *y, void *elements, float *mean, float *rstd, const float *x, const float *gamma, const float *beta,
                             int64_t tokens, int64_t width, float epsilon);
  /** Floats of workspace, shared by the threads, that backward of a norm takes with at most so many rows and slices. */
  int64_t (*layer_norm_workspace)(int64_t rows, int64_t slices, int64_t width);
  /** d_x (may be d_y's memory) written, or += with `add`; d_gamma, d_beta (may be NULL). */
  void (*layer_norm_backward)(float *d_x, bool add, float *d_gamma, float *d_beta, const float *d_y, const float *x, const float *mean,
                              const float *rstd, const float *gamma, const int64_t *starts, int64_t slices, int64_t width, float *workspace,
                              float *scratch);

  /* residual.c: the end of a sublayer */
  void (*residual_forward)(const heed_residual *r, int64_t tokens, int64_t width);
  /** Without a norm: d_x = dropout's mask · scale · d_y, elements. */
  void (*residual_backward)(void *d_x, const float *d_y, const int32_t *sequence_of, const int64_t *offsets, int64_t tokens, int64_t width,
                            const heed_dropout *dropout);
  /** With one: d_residual (may be d_y's memory) and d_x, elements; d_gamma, d_beta (may be NULL).  workspace: layer_norm_workspace. */
  void (*residual_norm_backward)(float *d_residual, void *d_x, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                 const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                 const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width, const heed_dropout *dropout,
                                 float *workspace, float *scratch);

  /* activation.c: GELU, x·Φ(x) with erf or its tanh form, or ReLU, max(x, 0), whose slope at 0 is 0. */
  /** d_x = d_y · slopes, elements; of linear_activation_forward. */
  void (*activation_backward)(void *d_x, const float *d_y, const void *slopes, int64_t count);
  /** y = tanh x; y may be x's memory. */
  void (*tanh_forward)(void *y, const void *x, int64_t count);
  /** d_x = d_y · (1 − y²); d_x may be d_y's memory. */
  void (*tanh_backward)(void *d_x, const void *d_y, const void *y, int64_t count);

  /* gated.c (Shazeer 2020): GeGLU, ReGLU.  `width`: F. */
  /** y[t,:] = act(x[t, 0 … F)) · x[t, F … 2F). */
  void (*gated_forward)(void *y, const void *x, int64_t tokens, int64_t width, heed_form form);
  /** d_x[T, 2F], written; apart from d_y and x. */
  void (*gated_backward)(void *d_x, const void *d_y, const void *x, int64_t tokens, int64_t width, heed_form form);

  /* rotary.c (Su et al. 2021), its halves apart as in GPT-NeoX */
  /** Rotates the heads lying side by side from x on, in place: (x₁, x₂) → (x₁·cos − x₂·sin, x₂·cos + x₁·sin) for the halves x₁, x₂ of a
   *  head; `back` turns the other way: the gradient.  table[position, D]: D/2 cosines, then D/2 sines.  stride: floats between tokens. */
  void (*rotary)(void *x, const float *table, const int32_t *positions, int64_t tokens, int64_t stride, int64_t heads, int64_t head_width,
                 bool back);

  /* embedding.c */
  /** sum = the tables' rows added, y = dropout(norm(sum)), also as elements (may be NULL).  gamma NULL: no norm, y = dropout(the rows
   *  added), and sum, mean and rstd are not touched. */
  void (*embedding_forward)(float *y, void *elements, float *sum, float *mean, float *rstd, const heed_embedding_rows *rows,
                            const float *gamma, const float *beta, const int32_t *sequence_of, const int64_t *offsets, int64_t tokens,
                            int64_t width, float epsilon, const heed_dropout *dropout);
  /** d_sum (may be d_y's memory) written; d_gamma, d_beta (may be NULL).  gamma NULL: no norm.  workspace: layer_norm_workspace. */
  void (*embedding_norm_backward)(float *d_sum, float *d_gamma, float *d_beta, const float *d_y, const float *sum, const float *mean,
                                  const float *rstd, const float *gamma, const int32_t *sequence_of, const int64_t *offsets,
                                  const int64_t *starts, int64_t slices, int64_t width, const heed_dropout *dropout, float *workspace,
                                  float *scratch);
  /** Prepares embedding_backward: order[T] lists the tokens of each slice sorted by id (stable), slice by slice.  One thread works
   *  a slice.  Needs order[T] only. */
  void (*embedding_sort)(int32_t *order, const int32_t *ids, const int64_t *starts, int64_t slices);
  /** d_table[id,:] = Σ over slices (tree) Σ tokens t of that id, in their order, d_y[t,:]; 0 of ids that no token has.  rows: of the
   *  table; tokens of ids outside it are passed over. */
  void (*embedding_backward)(float *d_table, const float *d_y, const int32_t *order, const int32_t *ids, const int64_t *starts,
                             int64_t slices, int64_t rows, int64_t width, float *scratch);

  /* rows.c: masked positions, first tokens */
  /** y[m,:] = x[index[m],:], as elements. */
  void (*gather_rows)(void *y, const float *x, const int64_t *index, int64_t rows, int64_t width);
  /** d_x[index[m],:] += d_y[m,:]; the indices are distinct. */
  void (*scatter_rows)(float *d_x, const float *d_y, const int64_t *index, int64_t rows, int64_t width);

  /* softmax_cross_entropy.c */
  /** loss[m] = log Σ_v exp(logits[m,v]) − logits[m, target[m]], in double.  With `d_logits` (elements; NULL: not wanted) also its
   *  gradient, scale · (softmax − one-hot); the logits are used up then, and in fp32 d_logits may be their memory. */
  void (*softmax_cross_entropy)(double *loss, void *d_logits, float *logits, const int32_t *target, int64_t rows, int64_t vocabulary,
                                float scale);

  /** The same where the vocabulary is split: this part has ids [first, first + vocabulary).  sums[m] = max, Σ_v exp(logits[m,v] − max), and
   *  logits[m, target[m]], or 0 where the target is another part's.  With `keep` the logits become exp(logits − max). */
  void (*softmax_sums)(double (*sums)[HEED_SOFTMAX_SUMS], float *logits, const int32_t *target, int64_t first, int64_t rows,
                       int64_t vocabulary, bool keep);
  /** Then, with the sums of all parts [parts][rows], loss[m] and, unless d_logits is NULL, this part of the gradient, elements;
   * `exponentials`: what softmax_sums kept, in fp32 possibly d_logits' memory. */
  void (*softmax_cross_entropy_of_parts)(double *loss, void *d_logits, const float *exponentials, const double (*sums)[HEED_SOFTMAX_SUMS],
                                         int parts, int part, const int32_t *target, int64_t first, int64_t rows, int64_t vocabulary,
                                         float scale);

  /* attention.c (Vaswani et al. 2017, eq. 1), by sequence: each query sees keys of its own sequence only, and of those the shape's. */
  /** out[t, h·D …] = dropout(softmax(scale · q·kᵀ)) · v.  lse[t, h] = log Σ exp of the scaled scores, saved.  A query that sees no key
   *  gives 0, and lse −∞. */
  void (*attention_forward)(void *out, float *lse, const void *q, const void *k, const void *v, const heed_attention_shape *shape,
                            const heed_dropout *dropout, float *scratch);
  /** d_q, d_k, d_v (strides as q and k, v; written, not added; rows from kv_ends to the next sequence stay as they are). */
  void (*attention_backward)(void *d_q, void *d_k, void *d_v, const void *d_out, const void *out, const float *lse, const void *q,
                             const void *k, const void *v, const heed_attention_shape *shape, const heed_dropout *dropout, float *scratch);

  /* attention_look.c: what attention_forward did, from its q, k and lse */
  /** The weights before dropout of one sequence: weights[H, queries, keys] = e^(scale · q·kᵀ − lse), 0 where not seen. */
  void (*attention_weights)(float *weights, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                            int64_t sequence, float *scratch);
  /** entropy[b·H + h] = Σ over the queries of −Σ_j P·ln P, P those weights; in nats. */
  void (*attention_entropy)(double *entropy, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                            float *scratch);

  /* optimizer.c: elements of one chunk or of a run of elements with the same decay; rank-local, one thread a call. */
  /** Σ x², in double, over at most HEED_CHUNK elements. */
  double (*square_sum)(const float *x, int64_t count);
  /** AdamW (Loshchilov & Hutter 2019, alg. 2), decoupled decay: m, v, w updated in place. */
  void (*adamw)(float *w, float *m, float *v, const float *gradient, int64_t count, const heed_adamw *settings);
  /** LAMB's direction (You et al. 2020, alg. 2): m, v updated, u = m̂/(√v̂ + ε) + λw written. */
  void (*lamb_direction)(float *u, float *m, float *v, const float *w, const float *gradient, int64_t count, const heed_adamw *settings);
  /** w −= step · u. */
  void (*lamb_apply)(float *w, const float *u, float step, int64_t count);
  /** y += x. */
  void (*add)(float *y, const float *x, int64_t count);
  /** y = x as elements. */
  void (*narrow)(void *y, const float *x, int64_t count);
  /** y = x, elements, as floats. */
  void (*widen)(float *y, const void *x, int64_t count);
} heed_kernels;

/** The table of the highest level that this processor runs, or of the level that HEED_ISA names (v3, or x86-64-v3 …); its elements
 * are fp32.  `ceiling` (may be NULL) bounds it from above: the lowest level of all ranks.  NULL when HEED_ISA names a level that is unknown
 * or that the processor lacks. */
const heed_kernels *heed_kernels_choose(const char *ceiling);

#endif

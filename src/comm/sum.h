/** Sums of contributions from several ranks, along the fixed tree (base/tree.h). */
#ifndef HEED_COMM_SUM_H
#define HEED_COMM_SUM_H

#include <stdint.h>

/** sum[i] = Σ over leaves l, along the tree, of leaves[l][i].  Rank-local; all threads of the process share the work.
 *  \param[out] sum     [count]; may be one of the leaves
 *  \param[in]  leaves  [leaf_count] pointers to [count] floats */
void heed_sum_leaves(float *sum, const float *const *leaves, int64_t leaf_count, int64_t count);

/** into[i] += from[i], i < count: one node of the tree. */
void heed_sum_into(float *restrict into, const float *restrict from, int64_t count);

#endif

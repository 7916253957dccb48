/** The fixed binary tree along which sums over slices and over ranks are taken: its shape depends on the number of leaves alone.
 *
 *  A node over n > 1 leaves splits at the largest power of two below n; n = 6: ((0 1)(2 3))(4 5).  With n = q·2ᵏ, q odd, each aligned
 *  block of 2ᵏ leaves is a node, so ranks that hold such blocks can sum inside first. */
#ifndef HEED_COMM_TREE_H
#define HEED_COMM_TREE_H

#include <stdint.h>

/** The number of leaves in the left part of a node over `count` > 1 leaves. */
int64_t heed_tree_split(int64_t count);

/** sum[i] = Σ over leaves l, along the tree, of leaves[l][i].  Rank-local; all threads of the process share the work.
 *  \param[out] sum     [count]; may be one of the leaves
 *  \param[in]  leaves  [leaf_count] pointers to [count] floats */
void heed_tree_sum(float *sum, const float *const *leaves, int64_t leaf_count, int64_t count);

/** into[i] += from[i], i < count: one node of the tree. */
void heed_tree_add(float *restrict into, const float *restrict from, int64_t count);

#endif

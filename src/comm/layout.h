/** Where the parts of a bucket lie, and who owns them.
 *
 *  With P = q·2ᵏ ranks, rank = group · 2ᵏ + member.  A sum goes up the tree of its group first: at distance 1, 2, 4 … two ranks that
 *  hold the two children of a node each give away one half of what they still hold and add the half they keep.  After k steps a
 *  member holds 1/2ᵏ of the sum over its group; its counterparts in the other groups hold the same part of theirs.  They cut it in q
 *  pieces, each takes one and adds the q contributions along the tree over q leaves.
 *
 *  So the first bit of `member` chooses the half, the second the quarter …: the places of a bucket, in order, belong to the members in
 *  bit-reversed order, and within each 1/2ᵏ to the groups in their order.  Only comm/ knows. */
#ifndef HEED_COMM_LAYOUT_H
#define HEED_COMM_LAYOUT_H

#include "comm/job.h"

/** The place of a rank in every bucket, and the rank of a place. */
int heed_layout_place(const heed_job *job, int rank);
int heed_layout_owner(const heed_job *job, int place);

/** Places [low, high) of a bucket. */
typedef struct heed_places {
  int low, high;
} heed_places;

/** What `rank` still holds of every bucket before the exchange at `distance` (1, 2, 4 … 2ᵏ⁻¹; 2ᵏ: after all of them). */
heed_places heed_layout_held(const heed_job *job, int rank, int distance);

/** The elements [*begin, *end) of the places of a bucket that lie in [first, first + count); *end = *begin where none do. */
void heed_layout_range(const heed_job *job, int64_t first, int64_t count, int64_t bucket, heed_places places, int64_t *begin, int64_t *end);

/** The same in memory. */
heed_run heed_layout_run(const heed_job *job, heed_part whole, int64_t bucket, heed_places places);

/** Divides every bucket of whole chunks into P places.  Chunks that are over go to other places in each bucket, so that shards of many
 *  small buckets come out even.
 *  \param[out] places  [buckets][P + 1]
 *  \param[in] cuts, count, edges, buckets  as the table's `shard` has them
 *  Errors: HEED_INVALID when an edge is no cut. */
heed_status heed_layout_divide(int64_t *places, int ranks, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets);

#endif

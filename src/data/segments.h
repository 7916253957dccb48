/** The samples of a corpus: which tokens make which row, worked out once when the shards are opened.
 *
 *  Single: whole sentences of one document, packed while they fit.  One that does not fit starts the next sample; one longer than a
 *  row fills it and goes on in the next.  Each token of the shards is in exactly one sample.
 *
 *  Pairs (next sentence): a chunk of sentences as above is split after a random one of them into A and B.  With probability ½, and
 *  always when the chunk is one sentence, B is instead a run of whole sentences that starts at a random sentence of another document
 *  and takes what room is left; then the walk goes on right behind A.  So each token is in exactly one A or one real B, and random Bs
 *  come on top.  Of up to eight random starts the first whose sentence fits is taken: a real B never begins or ends inside a
 *  sentence, and a random one should not give itself away by that.  If none fits the longer side is cut: A behind, the walk goes
 *  on there, or B in front or behind with probability ½.
 *
 *  With `short_probability` a sample aims at a length drawn in [2, room] instead of the whole room; it always takes its first
 *  sentence whole (a pair its first two, when the room allows), so that short rows are short texts, not torn ones.
 *  Source: Devlin et al. 2018, appendix A.2; google-research/bert, create_pretraining_data.py, which drops what we carry on. */
#ifndef HEED_DATA_SEGMENTS_H
#define HEED_DATA_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/shard.h"

/** Tokens [first, first + length) of a shard. */
typedef struct heed_range {
  int64_t first;
  uint32_t length;
  uint32_t shard : 31;
  uint32_t is_random : 1; /**< a second segment from another document */
} heed_range;

/** 16 bytes a sample, 32 a pair.  Sample i is ranges[i · parts], and with pairs its B is ranges[i · parts + 1]. */
typedef struct heed_segments {
  heed_range *ranges;
  int64_t samples;
  int parts; /**< 1 or 2 */
} heed_segments;

typedef struct heed_segments_rule {
  int64_t room;             /**< most text tokens of a sample, both parts together; ≥ 1, with pairs ≥ 2 */
  double short_probability; /**< of a sample that aims at less */
  bool pairs;
  uint32_t seed;
} heed_segments_rule;

/** Cuts `count` shards (opened and so checked: no sentence and no document is empty), one after the other.  A pure function of shards and
 * rule.  Linear in the sentences; reads no token. Errors: HEED_INVALID when the shards hold no token, or pairs are asked for and there are
 * fewer than two documents; HEED_FAILED when memory is short. */
heed_status heed_segments_create(heed_segments *segments, const heed_shard *shards, int64_t count, const heed_segments_rule *rule);
void heed_segments_free(heed_segments *segments);

#endif

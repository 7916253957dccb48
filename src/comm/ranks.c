/* Which numbers of ranks can sum a given number of slices along one tree. */
#include <limits.h>
#include <stdio.h>

#include "comm/world.h"

static int64_t odd_part(int64_t value) {
  while (value % 2 == 0)
    value /= 2;
  return value;
}

int heed_world_next_ranks(int64_t slices, int ranks) {
  const int64_t odd = odd_part(slices);
  int64_t next = ranks < 1 ? 1 : odd == 1 ? 2 : odd;
  while (next <= ranks)
    next *= 2;
  return next <= slices && next <= INT_MAX ? (int)next : 0;
}

/* "1, 2, 4 or 8" for G = q·2ⁿ: 1 and q·2ᵏ, k ≤ n.  `nearest`: the allowed number closest to `ranks`, the larger of two. */
static void name_allowed(char *text, size_t bytes, int64_t slices, int64_t ranks, int64_t *nearest) {
  const int64_t odd = odd_part(slices);
  size_t used = (size_t)snprintf(text, bytes, "1");
  *nearest = 1;
  for (int64_t allowed = odd == 1 ? 2 : odd; allowed <= slices; allowed *= 2) {
    used += (size_t)snprintf(text + used, bytes - used, "%s%lld", allowed == slices ? " or " : ", ", (long long)allowed);
    const int64_t distance = allowed > ranks ? allowed - ranks : ranks - allowed;
    if (distance <= (*nearest > ranks ? *nearest - ranks : ranks - *nearest))
      *nearest = allowed;
    if (allowed > slices / 2)
      break;
  }
}

heed_status heed_world_check_ranks(int64_t slices, int ranks) {
  if (slices < 1)
    return heed_error(HEED_INVALID, "train.slices is %lld; a batch is cut into at least 1 slice", (long long)slices);
  if (ranks < 1)
    return heed_error(HEED_INVALID, "%d ranks; a job has at least 1", ranks);
  if (ranks == 1 || (slices % ranks == 0 && odd_part(slices) == odd_part(ranks)))
    return HEED_OK;
  char allowed[64 * 21];
  int64_t nearest, fitting = ranks;
  name_allowed(allowed, sizeof allowed, slices, ranks, &nearest);
  while (fitting < slices && fitting <= INT64_MAX / 2)
    fitting *= 2;
  return heed_error(HEED_INVALID, "%lld slice%s on %s rank%s, not %d; use mpirun -n %lld or set train.slices to %lld", (long long)slices,
                    slices == 1 ? " runs" : "s run", allowed, slices == 1 ? "" : "s", ranks, (long long)nearest, (long long)fitting);
}

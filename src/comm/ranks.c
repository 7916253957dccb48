/* Which numbers of ranks can sum a given number of slices along one tree. */
#include <limits.h>
#include <stdbool.h>
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

/* "1, 2, 4 or 8" for G = q·2ⁿ and t = 1: t and t·q·2ᵏ, k ≤ n.  `nearest`: the allowed number closest to `ranks`, the larger of two. */
static void name_allowed(char *text, size_t bytes, int64_t slices, int64_t tensor, int64_t ranks, int64_t *nearest) {
  const int64_t odd = odd_part(slices);
  size_t used = (size_t)snprintf(text, bytes, "%lld", (long long)tensor);
  *nearest = tensor;
  for (int64_t data = odd == 1 ? 2 : odd; data <= slices && data <= INT64_MAX / tensor; data *= 2) {
    const int64_t allowed = data * tensor, distance = allowed > ranks ? allowed - ranks : ranks - allowed;
    used += (size_t)snprintf(text + used, bytes - used, "%s%lld", data == slices ? " or " : ", ", (long long)allowed);
    if (distance <= (*nearest > ranks ? *nearest - ranks : ranks - *nearest))
      *nearest = allowed;
    if (data > slices / 2)
      break;
  }
}

heed_status heed_world_check_ranks(int64_t slices, int64_t tensor, int ranks, const char *option) {
  if (slices < 1)
    return heed_error(HEED_INVALID, "train.slices is %lld; a batch is cut into at least 1 slice", (long long)slices);
  if (tensor < 1)
    return heed_error(HEED_INVALID, "parallel.tensor is %lld; a model has at least 1 part", (long long)tensor);
  if (ranks < 1)
    return heed_error(HEED_INVALID, "%d ranks; a job has at least 1", ranks);
  const int64_t data = ranks / tensor;
  const bool whole = ranks % tensor == 0;
  if (whole && (data == 1 || (slices % data == 0 && odd_part(slices) == odd_part(data))))
    return HEED_OK;
  char allowed[64 * 21], parts[96] = "", mend[64] = "";
  int64_t nearest, fitting = data;
  name_allowed(allowed, sizeof allowed, slices, tensor, ranks, &nearest);
  while (fitting > 0 && fitting < slices && fitting <= INT64_MAX / 2)
    fitting *= 2;
  if (tensor > 1)
    snprintf(parts, sizeof parts, ", times %lld parts of the model (parallel.tensor),", (long long)tensor);
  if (whole)
    snprintf(mend, sizeof mend, " or set train.slices to %lld", (long long)fitting);
  return heed_error(HEED_INVALID, "%lld slice%s%s%s on %s rank%s, not %d; use %s %lld%s", (long long)slices, slices == 1 ? "" : "s", parts,
                    slices == 1 && tensor == 1 ? " runs" : " run", allowed, slices == 1 && tensor == 1 ? "" : "s", ranks, option,
                    (long long)nearest, mend);
}

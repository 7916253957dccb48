#include "comm/layout.h"

/* The bits of `value` < `power` (a power of two) in reverse. */
static int reverse_bits(int value, int power) {
  int reversed = 0;
  for (int bit = 1; bit < power; bit *= 2)
    reversed = 2 * reversed + ((value & bit) != 0);
  return reversed;
}

int heed_layout_place(const heed_job *job, int rank) {
  return reverse_bits(rank % job->group, job->group) * job->groups + rank / job->group;
}

int heed_layout_owner(const heed_job *job, int place) {
  return place % job->groups * job->group + reverse_bits(place / job->groups, job->group);
}

heed_places heed_layout_held(const heed_job *job, int rank, int distance) {
  heed_places held = {0, job->table.size};
  for (int step = 1; step < distance; step *= 2) {
    const int middle = (held.low + held.high) / 2;
    if (rank % job->group & step)
      held.low = middle;
    else
      held.high = middle;
  }
  return held;
}

static int64_t clip(int64_t first, int64_t count, int64_t place) {
  return place < first ? first : place < first + count ? place : first + count;
}

void heed_layout_range(const heed_job *job, int64_t first, int64_t count, int64_t bucket, heed_places places, int64_t *begin,
                       int64_t *end) {
  const int64_t *edges = job->edges + bucket * (job->table.size + 1);
  *begin = clip(first, count, edges[places.low]);
  *end = clip(first, count, edges[places.high]);
}

heed_run heed_layout_run(const heed_job *job, heed_part whole, int64_t bucket, heed_places places) {
  int64_t begin, end;
  heed_layout_range(job, whole.first, whole.count, bucket, places, &begin, &end);
  return (heed_run){whole.data + (begin - whole.first), end - begin};
}

heed_status heed_layout_divide(int64_t *places, int ranks, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets) {
  int64_t chunk = 0, turn = 0; /* the place that gets the next chunk that is over */
  for (int64_t bucket = 0; bucket < buckets; bucket++) {
    const int64_t begun = chunk;
    int64_t *own = places + bucket * (ranks + 1);
    while (chunk < count - 1 && cuts[chunk] < edges[bucket + 1])
      chunk++;
    if (cuts[begun] != edges[bucket] || cuts[chunk] != edges[bucket + 1])
      return heed_error(HEED_INVALID, "bucket %lld of the parameters does not begin and end at cuts", (long long)bucket);
    const int64_t each = (chunk - begun) / ranks, over = (chunk - begun) % ranks;
    int64_t at = begun;
    for (int place = 0; place < ranks; place++) {
      own[place] = cuts[at];
      at += each + ((place - turn + ranks) % ranks < over ? 1 : 0);
    }
    own[ranks] = cuts[at];
    turn = (turn + over) % ranks;
  }
  return HEED_OK;
}

#include "train/witness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/hash.h"

enum { PIECE_BYTES = 1 << 20, BLOCKS = 3 }; /* blocks of a shard: masters and two moments */

static const void *common_of(const heed_masters *m) {
  return m->elements ? m->elements : m->values;
}

static size_t common_bytes(const heed_masters *m) {
  return heed_masters_common_bytes(m->chunks->table, m->kernels);
}

heed_status heed_witness_create(heed_witness *w, const heed_masters *masters, heed_optimizer *optimizer, heed_communication *c) {
  const size_t of_shard = BLOCKS * (size_t)masters->chunks->own_count, of_common = common_bytes(masters) / PIECE_BYTES + 1;
  *w = (heed_witness){.masters = masters, .optimizer = optimizer, .communication = c};
  w->pieces = malloc((of_shard > of_common ? of_shard : of_common) * sizeof *w->pieces);
  w->replicas = malloc(2 * (size_t)c->data->size * sizeof *w->replicas);
  return w->pieces && w->replicas ? HEED_OK : heed_error(HEED_FAILED, "out of memory for hashes of the parameters");
}

void heed_witness_free(heed_witness *w) {
  free(w->pieces);
  free(w->replicas);
  *w = (heed_witness){0};
}

static uint64_t hash_common(const heed_witness *w) {
  const char *data = common_of(w->masters);
  const int64_t bytes = (int64_t)common_bytes(w->masters), pieces = (bytes + PIECE_BYTES - 1) / PIECE_BYTES;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t first = i * PIECE_BYTES, count = bytes - first < PIECE_BYTES ? bytes - first : PIECE_BYTES;
    w->pieces[i] = heed_hash(data + first, (size_t)count);
  }
  return heed_hash(w->pieces, (size_t)pieces * sizeof *w->pieces);
}

static uint64_t hash_shard(const heed_witness *w) {
  const heed_chunks *chunks = w->masters->chunks;
  const float *m = heed_optimizer_moment(w->optimizer, 0), *v = heed_optimizer_moment(w->optimizer, 1);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < chunks->own_count; i++) {
    const heed_own_chunk own = chunks->own[i];
    const size_t bytes = (size_t)heed_chunk_floats(chunks, own.chunk) * sizeof(float);
    w->pieces[BLOCKS * i] = heed_hash(heed_masters_at(w->masters, own), bytes);
    w->pieces[BLOCKS * i + 1] = heed_hash(m + own.at, bytes);
    w->pieces[BLOCKS * i + 2] = heed_hash(v + own.at, bytes);
  }
  return heed_hash(w->pieces, BLOCKS * (size_t)chunks->own_count * sizeof *w->pieces);
}

/* What a fault of memory would leave (tests): in what another rank's shard is the original of, and in this rank's own. */
static void flip(const heed_witness *w, heed_failpoint_place place) {
  const heed_masters *m = w->masters;
  char *common = (char *)common_of(m);
  int64_t element = 0;
  if (heed_failpoint(place) == HEED_OK)
    return;
  for (int64_t i = 0; i < m->chunks->own_count && m->chunks->starts[m->chunks->own[i].chunk] == element; i++)
    element += heed_chunk_floats(m->chunks, m->chunks->own[i].chunk);
  if ((size_t)element * m->kernels->element_bytes >= common_bytes(m))
    element = 0; /* all is this rank's */
  if (place != HEED_AT_SHARD)
    common[(size_t)element * m->kernels->element_bytes] ^= 1;
  else
    ((char *)heed_optimizer_moment(w->optimizer, 0))[3] ^= 0x40; /* of an exponent: 0 becomes 2 */
}

/* Of `count` numbers of two halves: how many are number i. */
static int copies_of(const double *numbers, int count, int i) {
  int copies = 0;
  for (int other = 0; other < count; other++)
    copies += memcmp(numbers + 2 * i, numbers + 2 * other, 2 * sizeof *numbers) == 0;
  return copies;
}

static heed_status odd_one(const char *what) {
  char host[64] = "";
  gethostname(host, sizeof host - 1);
  return heed_error(HEED_FAILED,
                    "on %s %s: that memory is not to be trusted; run again with --resume, without that machine "
                    "if it happens again",
                    host, what);
}

static heed_status compare_replicas(heed_witness *w) {
  heed_communication *data = w->communication->data;
  w->common = hash_common(w);
  w->replicas[2 * data->rank] = (double)(w->common >> 32);
  w->replicas[2 * data->rank + 1] = (double)(w->common & UINT32_MAX);
  data->allgather(data, w->replicas, 2);
  const int alike = copies_of(w->replicas, data->size, data->rank);
  if (2 * alike > data->size)
    return HEED_OK;
  return odd_one(2 * alike == data->size ? "the parameters differ from those of as many other ranks"
                                         : "the parameters are not those of the other ranks");
}

heed_status heed_witness_take(heed_witness *w) {
  heed_communication *c = w->communication;
  HEED_TRY(heed_witness_check(w)); /* where the update since was skipped */
  flip(w, HEED_AT_REPLICA);
  HEED_TRY(c->agree(c, compare_replicas(w)));
  w->shard = hash_shard(w);
  w->remembers = true;
  flip(w, HEED_AT_SHARD);
  flip(w, HEED_AT_COPY);
  return HEED_OK;
}

heed_status heed_witness_check(const heed_witness *w) {
  heed_communication *c = w->communication;
  if (!w->remembers)
    return HEED_OK;
  if (hash_shard(w) != w->shard)
    return c->agree(c, odd_one("this rank's share of weights and moments changed by itself"));
  return c->agree(c, hash_common(w) == w->common ? HEED_OK : odd_one("this rank's copy of the parameters changed by itself"));
}

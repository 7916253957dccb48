#include "train/totals.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"

enum { SUMS = sizeof(heed_slice_sums) / sizeof(double) };

/* Doubles of a rank: its slices' sums, and its request. */
static int64_t stride_of(const heed_totals *totals) {
  return totals->slices * SUMS + 1;
}

heed_status heed_totals_create(heed_totals *totals, int64_t slices, heed_communication *job) {
  *totals = (heed_totals){.data = job->data, .tensor = job->tensor, .slices = slices};
  totals->all = calloc((size_t)(totals->data->size * stride_of(totals)), sizeof *totals->all);
  return totals->all ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the sums of %lld slices", (long long)slices);
}

void heed_totals_free(heed_totals *totals) {
  free(totals->all);
  totals->all = NULL;
}

heed_slice_sums *heed_totals_mine(const heed_totals *totals) {
  return (heed_slice_sums *)(totals->all + totals->data->rank * stride_of(totals));
}

double heed_totals_count(heed_totals *totals, int64_t mine) {
  heed_communication *c = totals->data;
  double sum = 0;
  totals->all[c->rank] = (double)mine;
  c->allgather(c, totals->all, 1);
  for (int rank = 0; rank < c->size; rank++)
    sum += totals->all[rank];
  return sum;
}

heed_slice_sums heed_totals_share(heed_totals *totals, int64_t request, int64_t *largest_request) {
  heed_communication *c = totals->data, *tensor = totals->tensor;
  const int64_t slices = totals->slices, stride = stride_of(totals);
  double total[SUMS], *all = totals->all;
  all[c->rank * stride + slices * SUMS] = (double)request;
  c->allgather(c, all, stride);
  *largest_request = 0;
  for (int rank = 0; rank < c->size; rank++) {
    int64_t theirs = (int64_t)all[rank * stride + slices * SUMS];
    *largest_request = theirs > *largest_request ? theirs : *largest_request;
  }
  *largest_request = tensor->maximum(tensor, *largest_request);
  /* A rank's slices are a subtree: sum it, then the tree over ranks. */
  for (int n = 0; n < SUMS; n++) {
    for (int rank = 0; rank < c->size; rank++)
      all[rank * stride + n] = heed_tree_sum(all + rank * stride + n, slices, SUMS);
    total[n] = heed_tree_sum(all + n, c->size, stride);
  }
  heed_slice_sums sums;
  memcpy(&sums, total, sizeof sums);
  return sums;
}

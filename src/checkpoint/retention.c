/* Which checkpoints stay, and how the others go. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "checkpoint/store.h"
#include "heed/log.h"

typedef struct candidate {
  int64_t step;
  bool sound;   /* manifest and sizes are as written, and no damage is known; not every byte is read again at each save */
  bool unknown; /* it could not be read just now: it may be the best of all */
  double validation_loss;
} candidate;

/* Where the step stands among those known to be damaged; NULL: it does not. */
static int64_t *find_damaged(const heed_checkpoint_store *store, int64_t step) {
  for (int64_t i = 0; i < store->damaged.count; i++)
    if (store->damaged.steps[i] == step)
      return &store->damaged.steps[i];
  return NULL;
}

static candidate judge(const heed_checkpoint_store *store, int64_t step) {
  candidate result = {.step = step, .validation_loss = NAN};
  if (find_damaged(store, step))
    return result;
  char name[32], *path = heed_checkpoint_path(store->path, step);
  heed_folder folder;
  heed_checkpoint_name(name, step);
  heed_status status = path ? heed_checkpoint_folder_open(&folder, store->folder, name, path, false, HEED_TRUST_MANIFEST) : HEED_FAILED;
  result.sound = status == HEED_OK;
  result.unknown = status == HEED_IO || status == HEED_FAILED;
  if (status == HEED_OK) {
    result.validation_loss = folder.manifest.info.validation_loss;
    heed_checkpoint_folder_close(&folder);
  }
  free(path);
  return result;
}

/* The lowest validation loss, the newest of equals; −1 when none is known (NaN compares false). */
static int64_t find_best(const candidate *candidates, int64_t count) {
  int64_t best = -1;
  for (int64_t i = 0; i < count; i++) {
    double loss = candidates[i].validation_loss;
    if (candidates[i].sound && (best < 0 ? !isnan(loss) : loss < candidates[best].validation_loss))
      best = i;
  }
  return best;
}

heed_status heed_checkpoint_discard(const heed_checkpoint_store *store, const char *name) {
  char digits[17], trash[64];
  heed_random_digits(digits);
  snprintf(trash, sizeof trash, HEED_TRASH_PREFIX "%.30s-%s", name, digits);
  if (renameat(store->folder, name, store->folder, trash) != 0)
    return heed_error(HEED_IO, "%s/%s could not be renamed: %s", store->path, name, strerror(errno));
  HEED_TRY(heed_failpoint(HEED_AT_SAVE_UNLINK));
  return heed_tree_remove(store->folder, trash)
             ? HEED_OK
             : heed_error(HEED_IO, "%s/%s could not be removed: %s", store->path, trash, strerror(errno));
}

void heed_checkpoint_retire(heed_checkpoint_store *store, int64_t step) {
  int64_t *steps, count, sound = 0, *damaged = find_damaged(store, step);
  if (damaged) /* saved anew */
    *damaged = -1;
  if (heed_checkpoint_steps(store->folder, store->path, &steps, &count) != HEED_OK) {
    heed_warn("old checkpoints stay: %s", heed_error_text());
    return;
  }
  candidate *candidates = calloc((size_t)count + 1, sizeof *candidates);
  for (int64_t i = 0; candidates && i < count; i++)
    candidates[i] = judge(store, steps[i]);
  int64_t best = candidates ? find_best(candidates, count) : -1;
  for (int64_t i = 0; candidates && i < count; i++) {
    /* A damaged one takes no good one's place, and goes once enough good ones are newer. */
    bool stays = candidates[i].step == step || i == best || candidates[i].unknown || sound < store->keep;
    sound += candidates[i].sound;
    if (stays)
      continue;
    char name[32];
    heed_checkpoint_name(name, candidates[i].step);
    heed_status status = heed_failpoint(HEED_AT_SAVE_RETIRE);
    if (status == HEED_OK)
      status = heed_checkpoint_discard(store, name);
    if (status != HEED_OK)
      heed_warn("an old checkpoint stays: %s", heed_error_text());
  }
  free(candidates);
  free(steps);
}

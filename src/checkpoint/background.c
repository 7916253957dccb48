/* Saving while training goes on.
 *
 * The ranks bring their parts and shards to rank 0, which keeps a copy of the whole state.  What would hold up all else, steps 1 to 4 of
 * the protocol (commit.c), a thread of rank 0 does meanwhile; when it is through and the ranks agree, the folder gets its name (5).  That
 * thread alone calls HDF5 until then, so whoever wants something of the store ends the save first. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "checkpoint/folder.h"
#include "checkpoint/save.h"
#include "heed/log.h"

/** The thread gives way to those that train, which wait for each other. */
enum { NICE = 5 };

struct heed_background {
  heed_save save;
  heed_checkpoint_tensors tensors; /* its blocks are not read once they are copied */
  char name[32];
  /* rank 0 only */
  pthread_t thread;
  bool runs; /* whether there is a thread */
  atomic_bool written;
  heed_status status;
  char error[2048]; /* texts of errors are a thread's own */
};

static int64_t floats_of(const heed_checkpoint_tensors *tensors) {
  return (1 + tensors->moments) * heed_parameters_whole_total(tensors->table);
}

/* Rank 0: a place for the copy, kept from save to save.  False where memory is short. */
static bool have_room(heed_checkpoint_store *store, const heed_checkpoint_tensors *tensors) {
  const int64_t floats = floats_of(tensors);
  const size_t bytes = (size_t)floats * sizeof(float);
  if (store->copy)
    return true;
  if (heed_memory_left() / 8 * 7 > bytes)
    store->copy = heed_memory_block(floats);
  if (!store->copy)
    heed_warn("there is no room for a copy of the state, of %zu MB: training waits while checkpoints are written", bytes >> 20);
  return store->copy;
}

static void copy_floats(float *to, const float *from, int64_t count) {
  enum { PIECE = 1 << 18 };
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i += PIECE)
    memcpy(to + i, from + i, (size_t)(count - i < PIECE ? count - i : PIECE) * sizeof *to);
}

/* On every rank. */
static void collect(heed_background *b) {
  float *copy = b->save.store->copy;
  for (int block = 0; block <= b->tensors.moments; block++)
    for (heed_piece piece = {0}; heed_piece_next(b->tensors.table, &piece);) {
      const float *values = heed_parts_gather(&b->save.parts, block, &piece);
      if (!copy)
        continue;
      copy_floats(copy, values, piece.end - piece.first);
      copy += piece.end - piece.first;
    }
}

static heed_status write_copy(heed_background *b) {
  const float *copy = b->save.store->copy;
  HEED_TRY(heed_save_prepare(&b->save));
  for (int block = 0; block <= b->tensors.moments; block++)
    for (heed_piece piece = {0}; heed_piece_next(b->tensors.table, &piece); copy += piece.end - piece.first)
      HEED_TRY(heed_save_write(&b->save, block, &piece, copy));
  return heed_save_seal(&b->save);
}

static void work(heed_background *b) {
  b->status = write_copy(b);
  if (b->status != HEED_OK)
    snprintf(b->error, sizeof b->error, "%s", heed_error_text());
  atomic_store(&b->written, true);
}

static void *run(void *background) {
  heed_pulse_stand_aside();
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); /* on Linux a thread's own */
  work(background);
  return NULL;
}

static void start(heed_background *b) {
  b->runs = heed_thread_start(&b->thread, run, b) == 0;
  if (!b->runs)
    work(b); /* no thread is to be had: then at once */
}

heed_status heed_checkpoint_begin(heed_checkpoint_store *store, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors) {
  heed_communication *c = store->communication;
  heed_pulse_enter(HEED_PHASE_SAVING);
  bool room = c->rank == 0 && have_room(store, tensors);
  c->broadcast(c, &room, sizeof room);
  if (!room)
    return heed_checkpoint_save(store, info, tensors);
  heed_background *b = calloc(1, sizeof *b);
  const heed_status taken = c->agree(c, b ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a save"));
  if (taken != HEED_OK) {
    free(b);
    return taken;
  }
  heed_checkpoint_name(b->name, info->step);
  b->tensors = *tensors;
  b->save = (heed_save){.store = store, .name = b->name, .replace = true, .info = *info, .tensors = &b->tensors, .folder = -1};
  heed_status status = heed_save_begin(&b->save);
  if (status == HEED_OK) {
    collect(b);
    status = heed_save_is_sound(&b->save);
  }
  if (status != HEED_OK) {
    heed_save_end(&b->save, status);
    const heed_status failed = heed_save_failed(&b->save, status);
    free(b);
    return failed;
  }
  heed_parts_close(&b->save.parts);
  store->background = b;
  if (c->rank == 0)
    start(b);
  return HEED_OK;
}

bool heed_checkpoint_is_begun(const heed_checkpoint_store *store) {
  return store->background != NULL;
}

bool heed_checkpoint_is_written(const heed_checkpoint_store *store) {
  return store->background && atomic_load(&store->background->written);
}

/* Rank 0.  While the thread goes on, so does the job. */
static heed_status wait_for(heed_background *b) {
  const struct timespec pause = {.tv_nsec = 20000000};
  for (uint64_t seen = heed_pulse_beats_aside(); !atomic_load(&b->written); nanosleep(&pause, NULL)) {
    if (heed_pulse_beats_aside() != seen)
      heed_pulse_beat();
    seen = heed_pulse_beats_aside();
  }
  if (b->runs)
    pthread_join(b->thread, NULL);
  b->runs = false;
  return b->status == HEED_OK ? HEED_OK : heed_error(b->status, "%s", b->error);
}

heed_status heed_checkpoint_end(heed_checkpoint_store *store, int64_t *step) {
  heed_communication *c = store->communication;
  heed_background *b = store->background;
  const bool root = c->rank == 0;
  heed_pulse_enter(HEED_PHASE_SAVING);
  *step = b->save.info.step;
  heed_status status = c->agree(c, root ? wait_for(b) : HEED_OK);
  if (status == HEED_OK)
    status = c->agree(c, root ? heed_save_publish(&b->save) : HEED_OK);
  heed_save_end(&b->save, status);
  if (status != HEED_OK)
    status = heed_save_failed(&b->save, status);
  else if (root)
    heed_checkpoint_retire(store, *step);
  store->background = NULL;
  free(b);
  return status;
}

void heed_background_drop(heed_checkpoint_store *store) {
  heed_background *b = store->background;
  if (b) {
    if (store->communication->rank == 0)
      wait_for(b);
    heed_save_end(&b->save, HEED_FAILED);
  }
  free(b);
  free(store->copy);
}

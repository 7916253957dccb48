#include "data/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"

/* The passes of a step become ready together, since each carries the targets of all (step_targets).  One batch is in the hands of the
 * reader's owner and the others of its step wait behind it; AHEAD more steps are made ahead. */
enum { AHEAD = 2 };

struct heed_reader {
  const heed_sampler *sampler;
  uint32_t data_position;
  int64_t first_slice, slices, slices_at_once;
  int64_t passes;   /* batches of a step */
  heed_batch *ring; /* batch number n is in ring[n mod room] */
  int64_t room;

  pthread_t thread;
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t made_one, gave_back;
  int64_t made;  /* batches finished by the thread */
  int64_t given; /* batches handed out; the last of them is still in use */
  bool stop;
  double waited;
};

/* Whether the next step's batches are free: batches given − 1 … made − 1 are in use or wait for their turn. */
static bool has_room(const heed_reader *reader) {
  int64_t oldest = reader->given > 0 ? reader->given - 1 : 0;
  return reader->made + reader->passes - oldest <= reader->room;
}

/* Makes the batches of the step that begins with batch `number`. */
static void make_step(heed_reader *reader, int64_t number) {
  uint32_t position = reader->data_position + (uint32_t)(number / reader->passes);
  int64_t targets = 0;
  for (int64_t pass = 0; pass < reader->passes; pass++) {
    heed_batch *batch = &reader->ring[(number + pass) % reader->room];
    heed_sampler_read(reader->sampler, batch, position, reader->first_slice + pass * reader->slices_at_once, reader->slices_at_once);
    targets += batch->targets;
  }
  for (int64_t pass = 0; pass < reader->passes; pass++)
    reader->ring[(number + pass) % reader->room].step_targets = targets;
}

static void *make_ahead(void *argument) {
  heed_reader *reader = argument;
  pthread_mutex_lock(&reader->mutex);
  for (;;) {
    while (!reader->stop && !has_room(reader))
      pthread_cond_wait(&reader->gave_back, &reader->mutex);
    if (reader->stop)
      break;
    int64_t number = reader->made;
    pthread_mutex_unlock(&reader->mutex);
    make_step(reader, number);
    pthread_mutex_lock(&reader->mutex);
    reader->made += reader->passes;
    pthread_cond_signal(&reader->made_one);
  }
  pthread_mutex_unlock(&reader->mutex);
  return NULL;
}

static heed_status start_thread(heed_reader *reader) {
  int error = heed_thread_start(&reader->thread, make_ahead, reader);
  if (error)
    return heed_error(HEED_FAILED, "the thread that reads data ahead cannot be started: %s; raise the limit of processes (ulimit -u)",
                      strerror(error));
  return HEED_OK;
}

static void free_memory(heed_reader *reader) {
  pthread_cond_destroy(&reader->gave_back);
  pthread_cond_destroy(&reader->made_one);
  pthread_mutex_destroy(&reader->mutex);
  for (int64_t i = 0; i < reader->room; i++)
    heed_batch_free(&reader->ring[i]);
  free(reader->ring);
  free(reader);
}

int64_t heed_reader_batches(int64_t passes) {
  return (AHEAD + 1) * passes;
}

heed_status heed_reader_create(heed_reader **reader, const heed_sampler *sampler, uint32_t data_position, int64_t first_slice,
                               int64_t slices, int64_t slices_at_once) {
  *reader = NULL;
  if (slices < 1 || slices_at_once < 1 || slices % slices_at_once != 0)
    return heed_error(HEED_INVALID, "train.slices_at_once: %lld does not divide the %lld slices of a rank", (long long)slices_at_once,
                      (long long)slices);
  heed_reader *made = calloc(1, sizeof *made);
  if (!made)
    return heed_error(HEED_FAILED, "out of memory for the reader");
  made->sampler = sampler;
  made->data_position = data_position;
  made->first_slice = first_slice;
  made->slices = slices;
  made->slices_at_once = slices_at_once;
  pthread_mutex_init(&made->mutex, NULL);
  pthread_cond_init(&made->made_one, NULL);
  pthread_cond_init(&made->gave_back, NULL);
  made->passes = slices / slices_at_once;
  made->ring = calloc((size_t)heed_reader_batches(made->passes), sizeof *made->ring);
  heed_status status = made->ring ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the reader");
  if (status == HEED_OK)
    made->room = heed_reader_batches(made->passes);
  for (int64_t i = 0; i < made->room && status == HEED_OK; i++)
    status = heed_sampler_create_batch(sampler, &made->ring[i], slices_at_once);
  if (status == HEED_OK)
    status = start_thread(made);
  if (status == HEED_OK)
    *reader = made;
  else
    free_memory(made);
  return status;
}

const heed_batch *heed_reader_next(heed_reader *reader) {
  pthread_mutex_lock(&reader->mutex);
  int64_t number = reader->given++;
  pthread_cond_signal(&reader->gave_back); /* the batch before this one is free now */
  if (reader->made <= number) {
    double start = heed_seconds();
    while (reader->made <= number)
      pthread_cond_wait(&reader->made_one, &reader->mutex);
    reader->waited += heed_seconds() - start;
  }
  pthread_mutex_unlock(&reader->mutex);
  return &reader->ring[number % reader->room];
}

double heed_reader_waited(const heed_reader *reader) {
  return reader->waited; /* written by heed_reader_next only, which the same thread calls */
}

void heed_reader_free(heed_reader *reader) {
  if (!reader)
    return;
  pthread_mutex_lock(&reader->mutex);
  reader->stop = true;
  pthread_cond_signal(&reader->gave_back);
  pthread_mutex_unlock(&reader->mutex);
  pthread_join(reader->thread, NULL);
  free_memory(reader);
}

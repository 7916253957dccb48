#include "data/reader.h"

#include <signal.h>
#include <unistd.h>

#include "data/sampler_fixture.h"
#include "test.h"

static void same_as_direct(void) {
  static const struct { int64_t first, slices, at_once; } cases[] = {{0, 8, 8}, {0, 8, 2}, {4, 4, 1}, {6, 2, 2}, {3, 1, 1}, {0, 6, 3}};
  fixture data;
  fixture_make(&data);
  data.spec.objective.next_sentence = true;
  heed_sampler *sampler = fixture_sampler(&data);
  heed_batch whole;
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &whole, 8) == HEED_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    heed_reader *reader = NULL;
    CU_ASSERT_FATAL(heed_reader_create(&reader, sampler, 17, cases[i].first, cases[i].slices, cases[i].at_once) == HEED_OK);
    for (uint32_t n = 17; n < 17 + 30; n++) {
      heed_sampler_read(sampler, &whole, n, 0, 8);
      for (int64_t g = 0; g < cases[i].slices; g += cases[i].at_once) {
        const heed_batch *batch = heed_reader_next(reader);
        CU_ASSERT_EQUAL(batch->slices, cases[i].at_once);
        CU_ASSERT(fixture_same(&whole, batch, cases[i].first + g));
      }
    }
    CU_ASSERT(heed_reader_waited(reader) >= 0 && heed_reader_waited(reader) < 60);
    heed_reader_free(reader);
  }
  heed_batch_free(&whole);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

/* The batch in use stays as it is while the thread makes all it can. */
static void batch_in_use_is_left_alone(void) {
  fixture data;
  fixture_make(&data);
  heed_sampler *sampler = fixture_sampler(&data);
  heed_batch direct;
  heed_reader *reader = NULL;
  CU_ASSERT_FATAL(sampler && heed_sampler_create_batch(sampler, &direct, 8) == HEED_OK);
  CU_ASSERT_FATAL(heed_reader_create(&reader, sampler, 0, 0, 8, 8) == HEED_OK);
  for (uint32_t n = 0; n < 6; n++) {
    const heed_batch *batch = heed_reader_next(reader);
    usleep(3000);
    heed_sampler_read(sampler, &direct, n, 0, 8);
    CU_ASSERT(fixture_same(&direct, batch, 0));
  }
  heed_reader_free(reader);
  heed_batch_free(&direct);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

/* Each pass carries the targets of its whole step. */
static void passes_know_their_step(void) {
  fixture data;
  fixture_make(&data);
  heed_sampler *sampler = fixture_sampler(&data);
  heed_reader *reader = NULL;
  CU_ASSERT_FATAL(sampler && heed_reader_create(&reader, sampler, 3, 0, 8, 2) == HEED_OK);
  for (int step = 0; step < 10; step++) {
    int64_t sum = 0, said = -1;
    for (int pass = 0; pass < 4; pass++) {
      const heed_batch *batch = heed_reader_next(reader);
      CU_ASSERT(pass == 0 || said == batch->step_targets);
      said = batch->step_targets;
      sum += batch->targets;
    }
    CU_ASSERT_EQUAL(sum, said);
  }
  heed_reader_free(reader);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

/* In evaluation the batches behind the data are empty. */
static void past_the_end(void) {
  fixture data;
  fixture_make(&data);
  data.spec.evaluation = true;
  heed_sampler *sampler = fixture_sampler(&data);
  heed_reader *reader = NULL;
  CU_ASSERT_FATAL(sampler && heed_reader_create(&reader, sampler, 0, 0, 8, 4) == HEED_OK);
  int64_t rows = 0, batches = heed_sampler_samples(sampler) / 16 + 2;
  for (int64_t i = 0; i < 2 * batches; i++)
    rows += heed_reader_next(reader)->stream.sequences;
  CU_ASSERT_EQUAL(rows, heed_sampler_samples(sampler));
  heed_reader_free(reader);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

static void starts_and_stops(void) {
  fixture data;
  fixture_make(&data);
  heed_sampler *sampler = fixture_sampler(&data);
  heed_reader *reader = NULL;
  CU_ASSERT_FATAL(sampler != NULL);
  for (int i = 0; i < 200; i++) {
    CU_ASSERT_FATAL(heed_reader_create(&reader, sampler, 0, 0, 8, 8) == HEED_OK);
    for (int k = 0; k < i % 7; k++)
      heed_reader_next(reader);
    heed_reader_free(reader);
  }
  heed_reader_free(NULL);
  CU_ASSERT_EQUAL(heed_reader_create(&reader, sampler, 0, 0, 8, 3), HEED_INVALID);
  CU_ASSERT_PTR_NULL(reader);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "slices_at_once"));
  CU_ASSERT_EQUAL(heed_reader_create(&reader, sampler, 0, 0, 8, 0), HEED_INVALID);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

/* With the signal blocked here nobody may take it: it stays pending for the process. */
static void signals_belong_to_the_main_thread(void) {
  fixture data;
  fixture_make(&data);
  heed_sampler *sampler = fixture_sampler(&data);
  heed_reader *reader = NULL;
  sigset_t before, after, usr1, pending;
  CU_ASSERT_FATAL(sampler != NULL);
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  CU_ASSERT_FATAL(heed_reader_create(&reader, sampler, 0, 0, 8, 8) == HEED_OK);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  CU_ASSERT(sigismember(&before, SIGUSR1) == 0 && sigismember(&after, SIGUSR1) == 0);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, NULL);
  kill(getpid(), SIGUSR1); /* a thread that took it would end the program */
  usleep(20000);
  heed_reader_next(reader);
  sigpending(&pending);
  CU_ASSERT_EQUAL(sigismember(&pending, SIGUSR1), 1);
  int taken = 0;
  sigwait(&usr1, &taken);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  heed_reader_free(reader);
  heed_sampler_free(sampler);
  fixture_free(&data);
}

HEED_TESTS({"the same batches as direct reads, in passes", same_as_direct}, {"the batch in use is left alone", batch_in_use_is_left_alone},
           {"passes know their step", passes_know_their_step}, {"past the end of an evaluation", past_the_end},
           {"starts and stops at any moment", starts_and_stops}, {"signals belong to the main thread", signals_belong_to_the_main_thread})

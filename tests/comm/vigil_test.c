/* What a watch makes of what it hears, by a clock of the test's own. */
#include "comm/vigil.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

static const heed_host hosts[4] = {"n0", "n1", "n2", "n3"};
static const heed_pulse forward = {.beats = 7, .step = 12, .phase = HEED_PHASE_FORWARD},
                        summing = {.beats = 9, .step = 12, .phase = HEED_PHASE_SUMMING, .waiting = true},
                        syncing = {.beats = 9, .step = 12, .phase = HEED_PHASE_SYNCING};
static char text[1024];

static heed_vigil *watch_of(int rank, int ranks) {
  heed_vigil *vigil = NULL;
  const heed_vigil_spec spec = {.rank = rank, .ranks = ranks, .hosts = hosts, .limit = 60, .silence = 2.5};
  CU_ASSERT_EQUAL_FATAL(heed_vigil_create(&vigil, &spec), HEED_OK);
  return vigil;
}

/* Whether the text holds this. */
static bool says(const char *words) {
  if (strstr(text, words))
    return true;
  printf("\n\"%s\" is not in \"%s\"\n", words, text);
  return false;
}

/* The first verdict but calm from `from` on, at seconds that are whole; all ranks but `silent` say `pulses` every second. */
static heed_verdict first(heed_vigil *v, const heed_pulse *pulses, int ranks, int silent, double median, double from, double until,
                          double *when) {
  for (*when = from; *when < until; ++*when) {
    for (int rank = 0; rank < ranks; rank++)
      if (rank != silent)
        heed_vigil_hear(v, rank, pulses[rank], *when);
    const heed_verdict verdict = heed_vigil_judge(v, median, *when, text, sizeof text);
    if (verdict != HEED_VERDICT_CALM)
      return verdict;
  }
  return HEED_VERDICT_CALM;
}

static void names_who_works_while_others_wait(void) {
  const heed_pulse pulses[] = {summing, summing, forward};
  double when;
  heed_vigil *v = watch_of(0, 3);
  CU_ASSERT_EQUAL(first(v, pulses, 3, -1, 0.1, 0, 100, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 3);
  CU_ASSERT(says("nothing has moved for 3 s: rank 2 (n2) is in: forward, step 12; the others wait"));
  CU_ASSERT_EQUAL(first(v, pulses, 3, -1, 0.1, when + 1, 100, &when), HEED_VERDICT_END);
  CU_ASSERT_EQUAL(when, 60);
  CU_ASSERT(says("nothing has moved for 60 s: rank 2 (n2)"));
  heed_vigil_free(v);
}

static void names_who_is_silent(void) {
  const heed_pulse pulses[] = {summing, summing, summing, summing};
  double when;
  heed_vigil *v = watch_of(0, 4);
  for (int rank = 0; rank < 4; rank++)
    heed_vigil_hear(v, rank, pulses[rank], 0);
  CU_ASSERT_EQUAL(first(v, pulses, 4, 3, 0.1, 1, 100, &when), HEED_VERDICT_WARN);
  CU_ASSERT(says("rank 3 (n3) is silent for 3 s, stopped or cut off, last seen in: summing gradients, step 12; the others wait"));
  heed_vigil_hear(v, 3, forward, when + 2);
  CU_ASSERT_EQUAL(heed_vigil_judge(v, 0.1, when + 2, text, sizeof text), HEED_VERDICT_AGAIN);
  CU_ASSERT_EQUAL(heed_vigil_judge(v, 0.1, when + 3, text, sizeof text), HEED_VERDICT_CALM);
  heed_vigil_free(v);
}

static void names_all_where_all_wait(void) {
  const heed_pulse pulses[] = {summing, summing};
  double when;
  heed_vigil *v = watch_of(0, 2);
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, 0, 100, &when), HEED_VERDICT_WARN);
  CU_ASSERT(says("all ranks wait for each other: rank 0 (n0) is in: summing gradients, step 12; rank 1 (n1)"));
  heed_vigil_free(v);
}

/* Ten times the step that is usual here; a disk may take ten times the limit; and nobody knows what a first step takes. */
static void waits_as_long_as_is_usual(void) {
  const heed_pulse pulses[] = {syncing, summing};
  double when;
  heed_vigil *v = watch_of(0, 2);
  const heed_pulse busy[] = {forward, summing};
  CU_ASSERT_EQUAL(first(v, busy, 2, -1, 20, 0, 1000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 100);
  CU_ASSERT_EQUAL(first(v, busy, 2, -1, 20, when + 1, 1000, &when), HEED_VERDICT_END);
  CU_ASSERT_EQUAL(when, 200);
  heed_vigil_free(v);
  v = watch_of(0, 2);
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, 0, 1000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 30);
  CU_ASSERT(says("saving: syncing"));
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, when + 1, 1000, &when), HEED_VERDICT_END);
  CU_ASSERT_EQUAL(when, 600);
  heed_vigil_free(v);
  v = watch_of(0, 2);
  CU_ASSERT_EQUAL(first(v, busy, 2, -1, 0, 0, 1000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 30);
  heed_vigil_free(v);
}

/* Without UDP between machines a watch must end no job that is sound. */
static void is_patient_with_the_unheard(void) {
  const heed_pulse pulses[] = {summing, summing};
  double when;
  heed_vigil *v = watch_of(0, 2);
  CU_ASSERT_EQUAL(first(v, pulses, 2, 1, 0.1, 0, 1000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 30);
  CU_ASSERT(says("rank 1 (n1) was never heard of"));
  CU_ASSERT_EQUAL(first(v, pulses, 2, 1, 0.1, when + 1, 1000, &when), HEED_VERDICT_END);
  CU_ASSERT_EQUAL(when, 600);
  heed_vigil_free(v);
  v = watch_of(0, 2);
  for (int now = 0; now < 10000; now++) {
    heed_vigil_hear(v, 0, (heed_pulse){.beats = (uint64_t)now, .phase = HEED_PHASE_FORWARD}, now);
    CU_ASSERT_EQUAL_FATAL(heed_vigil_judge(v, 0.1, now, text, sizeof text), HEED_VERDICT_CALM);
  }
  heed_vigil_free(v);
}

/* Another rank leaves it to rank 0 while that one speaks, however long it stands still itself. */
static void others_judge_without_rank_0_alone(void) {
  double when;
  heed_pulse pulses[] = {syncing, summing};
  heed_vigil *v = watch_of(1, 4);
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, 0, 2000, &when), HEED_VERDICT_CALM);
  heed_vigil_hear(v, 3, forward, when); /* no business of its own */
  pulses[0] = forward;
  heed_vigil_hear(v, 0, forward, 2000);
  CU_ASSERT_EQUAL(first(v, pulses, 2, 0, 0.1, 2001, 3000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 2003);
  CU_ASSERT_EQUAL(first(v, pulses, 2, 0, 0.1, when + 1, 3000, &when), HEED_VERDICT_END);
  CU_ASSERT_EQUAL(when, 2060);
  CU_ASSERT(says("rank 0 (n0) is silent for 60 s, stopped or cut off, last seen in: forward, step 12"));
  heed_vigil_free(v);
}

/* A process that was stopped itself, with all others perhaps, knows nothing of the time since. */
static void begins_anew(void) {
  const heed_pulse pulses[] = {summing, forward};
  double when;
  heed_vigil *v = watch_of(0, 2);
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, 0, 2, &when), HEED_VERDICT_CALM);
  heed_vigil_begin_anew(v, 5000);
  CU_ASSERT_EQUAL(first(v, pulses, 2, -1, 0.1, 5000, 6000, &when), HEED_VERDICT_WARN);
  CU_ASSERT_EQUAL(when, 5003);
  heed_vigil_free(v);
}

static void a_process_alone_watches_itself(void) {
  double when;
  heed_vigil *v = watch_of(0, 1);
  CU_ASSERT_EQUAL(first(v, &forward, 1, -1, 0.1, 0, 100, &when), HEED_VERDICT_WARN);
  CU_ASSERT_STRING_EQUAL(text, "nothing has moved for 3 s: this process is in: forward, step 12");
  heed_vigil_free(v);
}

/* What comes by the network may be anything. */
static void strange_words_do_no_harm(void) {
  static const heed_pulse strange = {.beats = UINT64_MAX, .step = INT64_MIN, .phase = 12345};
  heed_vigil *v = watch_of(0, 4);
  for (int rank = -2; rank < 6; rank++)
    heed_vigil_hear(v, rank, strange, 0);
  char small[16];
  CU_ASSERT_EQUAL(heed_vigil_judge(v, 0.1, 4, small, sizeof small), HEED_VERDICT_WARN);
  CU_ASSERT(strlen(small) < sizeof small);
  heed_vigil_free(v);
}

HEED_TESTS({"names who works while others wait", names_who_works_while_others_wait}, {"names who is silent", names_who_is_silent},
           {"names all where all wait", names_all_where_all_wait}, {"waits as long as is usual", waits_as_long_as_is_usual},
           {"is patient with the unheard", is_patient_with_the_unheard},
           {"others judge without rank 0 alone", others_judge_without_rank_0_alone}, {"begins anew", begins_anew},
           {"a process alone watches itself", a_process_alone_watches_itself}, {"strange words do no harm", strange_words_do_no_harm})

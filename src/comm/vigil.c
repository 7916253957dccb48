#include "comm/vigil.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 10, MOST_NAMED = 4 };
static const double WARN_AFTER = 3.0; /* seconds */

typedef struct watched {
  int rank;
  heed_host host;
  bool known; /* was heard of */
  double heard;
  heed_pulse pulse;
} watched;

struct heed_vigil {
  heed_vigil_spec spec;
  double moved; /* when something did last */
  bool warned;
  int count;
  watched all[];
};

heed_status heed_vigil_create(heed_vigil **result, const heed_vigil_spec *spec) {
  const int count = spec->rank == 0 ? spec->ranks : 2;
  heed_vigil *v = calloc(1, sizeof *v + (size_t)count * sizeof *v->all);
  *result = v;
  if (!v)
    return heed_error(HEED_FAILED, "out of memory for the watch over %d ranks", count);
  v->spec = *spec;
  v->count = count;
  for (int i = 0; i < count; i++) {
    v->all[i].rank = i > 0 && spec->rank > 0 ? spec->rank : i;
    memcpy(v->all[i].host, spec->hosts[i], HEED_HOST_BYTES);
    v->all[i].host[HEED_HOST_BYTES - 1] = 0;
  }
  v->spec.hosts = NULL; /* the caller's */
  heed_vigil_begin_anew(v, spec->start);
  return HEED_OK;
}

void heed_vigil_free(heed_vigil *v) {
  free(v);
}

static watched *find(heed_vigil *v, int rank) {
  if (v->spec.rank == 0)
    return rank >= 0 && rank < v->count ? &v->all[rank] : NULL;
  return rank == 0 ? &v->all[0] : rank == v->spec.rank ? &v->all[1] : NULL;
}

void heed_vigil_hear(heed_vigil *v, int rank, heed_pulse pulse, double now) {
  watched *w = find(v, rank);
  if (!w)
    return;
  const bool judges = rank == 0 && v->spec.rank > 0; /* whether a word is as good as a move: who speaks judges better than this one */
  if (!w->known || w->pulse.beats != pulse.beats || judges)
    v->moved = now;
  w->known = true;
  w->heard = now;
  w->pulse = pulse;
}

void heed_vigil_begin_anew(heed_vigil *v, double now) {
  v->moved = now;
  for (int i = 0; i < v->count; i++)
    v->all[i].heard = now;
}

static bool is_silent(const heed_vigil *v, const watched *w, double now) {
  return !w->known || now - w->heard > v->spec.silence;
}

/* Whether the standstill may be this rank's doing. */
static bool is_suspect(const heed_vigil *v, const watched *w, double now) {
  return is_silent(v, w, now) || !w->pulse.waiting;
}

static bool has_patience(const heed_vigil *v, double now) {
  for (int i = 0; i < v->count; i++) {
    const watched *w = &v->all[i];
    if (!w->known || (!is_silent(v, w, now) && !w->pulse.waiting && heed_phase_is_patient(w->pulse.phase)))
      return true;
  }
  return false;
}

/* ---- what is said ---- */

typedef struct line {
  char *text;
  size_t bytes, used;
} line;

__attribute__((format(printf, 2, 3))) static void say(line *l, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int wanted = vsnprintf(l->text + l->used, l->bytes - l->used, format, arguments);
  va_end(arguments);
  l->used += wanted < 0 ? 0 : (size_t)wanted < l->bytes - l->used ? (size_t)wanted : l->bytes - l->used - 1;
}

static void say_where(line *l, const heed_pulse *pulse) {
  say(l, "%s", heed_phase_text(pulse->phase));
  if (pulse->step > 0)
    say(l, ", step %lld", (long long)pulse->step);
}

static void name(line *l, const heed_vigil *v, const watched *w, double now) {
  if (v->spec.ranks > 1)
    say(l, "rank %d (%s) ", w->rank, w->host);
  else
    say(l, "this process ");
  if (!w->known) {
    say(l, "was never heard of (does a firewall hold up UDP?)");
  } else if (is_silent(v, w, now)) {
    say(l, "is silent for %.0f s, stopped or cut off, last seen in: ", now - w->heard);
    say_where(l, &w->pulse);
  } else {
    say(l, "is in: ");
    say_where(l, &w->pulse);
  }
}

/* Those that are silent or at work; where all wait, where each does. */
static void say_who(line *l, const heed_vigil *v, double now) {
  int suspects = 0, named = 0;
  for (int i = 0; i < v->count; i++)
    suspects += is_suspect(v, &v->all[i], now);
  const int to_name = suspects > 0 ? suspects : v->count;
  if (suspects == 0 && v->count > 1)
    say(l, "all ranks wait for each other: ");
  for (int i = 0; i < v->count && named < MOST_NAMED; i++) {
    if (suspects > 0 && !is_suspect(v, &v->all[i], now))
      continue;
    say(l, named > 0 ? "; " : "");
    name(l, v, &v->all[i], now);
    named++;
  }
  if (to_name > named)
    say(l, "; and %d more", to_name - named);
  if (suspects > 0 && suspects < v->count)
    say(l, "; the others wait");
}

/* ---- the judgement ---- */

static double larger(double a, double b) {
  return a > b ? a : b;
}

heed_verdict heed_vigil_judge(heed_vigil *v, double median_step, double now, char *text, size_t bytes) {
  const double still = now - v->moved, patience = has_patience(v, now) ? PATIENCE : 1;
  const double warn = larger(WARN_AFTER, 5 * median_step) * (median_step > 0 ? patience : PATIENCE);
  const double end = larger(v->spec.limit, 10 * median_step) * patience;
  line l = {.text = text, .bytes = bytes};
  if (v->warned && still < WARN_AFTER) {
    v->warned = false;
    say(&l, "the job goes on");
    return HEED_VERDICT_AGAIN;
  }
  if (still < end && (v->warned || still < warn))
    return HEED_VERDICT_CALM;
  v->warned = true;
  say(&l, "nothing has moved for %.0f s: ", still);
  say_who(&l, v, now);
  return still < end ? HEED_VERDICT_WARN : HEED_VERDICT_END;
}

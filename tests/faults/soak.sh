# title: many steps and saves
# expected: memory grows by less than 1%, descriptors by none
# 2,000 steps with 20 saves; the long form: 20,000 with 200.  What stands after a quarter is held against the end.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

soak() { # RANKS STEPS
  local steps=$2 process now quarter
  limit=3600
  begin_job "$1" run --set "train.steps=$steps" --set "checkpoint.every_steps=$((steps / (long ? 200 : 20)))" --set "log.every_steps=$((steps / 100))"
  reached "^step $((steps / 4))  saved" 1800 || lost "it does not train: $(tail -n 3 out)"
  : >samples
  while kill -0 $timer 2>/dev/null; do
    for process in $(ranks_of); do
      now=$(awk '/^VmRSS:/ { print $2 }' "/proc/$process/status" 2>/dev/null) &&
        echo "$process $now $(find "/proc/$process/fd" -mindepth 1 2>/dev/null | wc -l)"
    done >>samples
    sleep "$long.05"
  done
  end_job
  ended 0
  # Of each rank: the first tenth of the samples against the last but for the end, where the report is made.  The least of each: a save
  # that goes on beside has files open, and pages of its own.
  quarter=$(awk '{ rss[$1, ++n[$1]] = $2; files[$1, n[$1]] = $3 }
    END { for (p in n) { k = int(n[p] / 10) + 1; a = b = f = g = 1e18
        for (i = 1; i <= k; i++) {
          if (rss[p, i] < a) a = rss[p, i]
          if (files[p, i] < f) f = files[p, i]
          j = n[p] - 1 - i
          if (rss[p, j] < b) b = rss[p, j]
          if (files[p, j] < g) g = files[p, j] }
        if (n[p] < 6) print "too few samples: " n[p]
        if (b > 1.01 * a) print "from " a " to " b " KiB"
        if (g > f) print "from " f " to " g " descriptors" } }' samples)
  [ -z "$quarter" ] || lost "$quarter"
}

prepare
try 1 soak 1 $((long ? 20000 : 2000))
try 2 soak 2 $((long ? 20000 : 2000))
[ "$long" = 0 ] || try 4 soak 4 20000

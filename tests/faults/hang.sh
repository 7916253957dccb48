# title: SIGSTOP of a rank for good
# expected: exit 124, naming rank and phase; resumes, same bits
# HEED_WATCHDOG=5: the limit in seconds.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"
grep -q HEED_WATCHDOG "$heed" || pending "this program has no watchdog"
export HEED_WATCHDOG=5

stop_for_good() { # RANKS WHICH
  local victim rank begun
  begin_job "$1" run "${far[@]}"
  reached 'step 100  saved' || lost "it does not train: $(tail -n 3 out)"
  victim=$(ranks_of | sort -n | sed -n "$2p") begun=$SECONDS
  rank=$(tr '\0' '\n' <"/proc/$victim/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
  kill -STOP "$victim" || lost "it was over already"
  wait $timer || code=$?
  ended 124
  [ $((SECONDS - begun)) -le 25 ] || lost "it took $((SECONDS - begun)) s"
  no_orphans || lost "processes were left: $left"
  said "^error: .*rank $rank .*last seen in: ."
  look_at_newest run
  train "$(other_ranks "$1")" run --resume "${far[@]}"
  ended 0
  said "resuming at step $kept"
  same_bits run far
}

prepare
far=(--set train.steps=4000 --set checkpoint.every_steps=100 --set log.every_steps=1000)
make_reference far "${far[@]}"
try 2-1 stop_for_good 2 1
try 2-2 stop_for_good 2 2
for i in $(seq $((long ? 40 : 1))); do
  try "4-$i" stop_for_good 4 $((i % 4 + 1))
done

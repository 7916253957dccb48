# title: not a number, on one rank only
# expected: skipped on all ranks; N in a row: rolled back; same bits
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

# The same steps fail on one rank of several as in a process alone, and the same comes out; also when resumed in between.
on_one_rank() { # RANKS WHICH PASSINGS WORDS
  before=(env "HEED_FAILPOINT=step.gradients:$3:error") sick=$2
  train "$1" run
  ended 0
  said "$4"
  [ "$(grep -c "$4" out)" = 1 ] || lost "it was said more than once"
  sick=first
  train 0 run.alone
  same_bits run run.alone
  rm -r run/checkpoints/step-00000024
  before=()
  train "$(other_ranks "$1")" run --resume
  ended 0
  same_bits run run.alone
}

# A stop that comes while updates are skipped waits for their end: what it saves is what a run that was never stopped had there.
stopped_within() { # RANKS WHICH
  local longer=(--set train.steps=1030 --set guard.skips=1000 --set checkpoint.every_steps=6 --set log.every_steps=1030)
  before=(env HEED_FAILPOINT=step.gradients:8-1007:error) sick=$2
  begin_job "$1" run "${longer[@]}"
  reached 'step 10: .* skipped' || lost "it ended before: $(tail -n 3 out)"
  kill -USR1 "$pid"
  end_job
  ended 75
  said 'step [0-9]*: stopping once an update is made again'
  said '1000 updates in a row were skipped'
  sick=first
  train 0 run.alone "${longer[@]}"
  before=()
  train "$(other_ranks "$1")" run --resume "${longer[@]}"
  ended 0
  same_bits run run.alone
}

hopeless() { # RANKS WHICH
  before=(env HEED_FAILPOINT=step.gradients:4-99:error) sick=$2
  train "$1" run --set guard.skips=2
  ended 1
  said 'not even after rolling back 3 times'
  before=()
  train 1 run --resume # sound, from before or behind the bad steps
  ended 0
  tensors run >/dev/null || lost "its newest checkpoint is not sound"
}

prepare
rolled='5 updates in a row were skipped'
for count in 2 4; do
  for which in first last; do
    try "$count-$which-skip" on_one_rank $count $which 7 'step 7: the gradient is not finite; its update is skipped'
    [ "$long" = 0 ] && [ $which = first ] || try "$count-$which-roll-back" on_one_rank $count $which 7-11 "step 11: $rolled"
  done
done
try 2-last-hopeless hopeless 2 last
try 2-last-stopped-within stopped_within 2 last
[ "$long" = 0 ] || for count in 1 2 4; do try "$count-first-stopped-within" stopped_within "$count" first; done
for step in $(seq $((long ? 20 : 0))); do
  try "4-last-skip-$step" on_one_rank 4 last "$step" "step $step: the gradient is not finite; its update is skipped"
  [ "$step" -gt 19 ] || try "2-last-roll-back-$step" on_one_rank 2 last "$step-$((step + 4))" "step $((step + 4)): $rolled"
done

# title: two jobs on one run folder; a lock left by kill -9
# expected: the second refuses, the first is unharmed; a lock is no hurdle
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

second_refuses() { # RANKS OTHERS OPTION…
  local first=$1 other=$2
  shift 2
  begin_job "$first" run "${far[@]}"
  reached 'step 100  saved' || lost "it does not train: $(tail -n 3 out)"
  mv out out.first
  train "$other" run "${far[@]}" "$@"
  ended 65
  said 'another job is using this run folder'
  mv out.first out
  end_job
  ended 0
  same_bits run far
}

# Both are started at once: one wins.
race() { # RANKS
  local job first=0 second=0
  launch "$1" run --resume
  timeout "$limit" "${job[@]}" >out.first 2>&1 </dev/null &
  timeout "$limit" "${job[@]}" >out 2>&1 </dev/null || second=$?
  wait $! || first=$?
  case $first,$second in
    0,65 | 65,0) ;;
    0,0) grep -q 'steps are done already' out out.first || lost "both trained" ;; # one was over before the other began
    *) lost "exit codes $first and $second: $(tail -n 2 out)" ;;
  esac
  same_bits run
}

left_by_a_kill() { # RANKS
  begin_job "$1" run "${far[@]}"
  reached 'step 100  saved' || lost "it does not train: $(tail -n 3 out)"
  ranks_of | xargs kill -KILL
  end_job
  look_at_newest run
  train "$(other_ranks "$1")" run "${far[@]}" --resume
  ended 0
  said "resuming at step $kept"
  same_bits run far
}

prepare
far=(--set train.steps=3000 --set checkpoint.every_steps=100 --set log.every_steps=1000)
make_reference far "${far[@]}"
try refuses-2-1 second_refuses 2 1 --resume
try refuses-1-2 second_refuses 1 2 --resume
try refuses-2-2 second_refuses 2 2
for i in $(seq $((long ? 50 : 2))); do
  try "race-$i" race $((i % 2 + 1))
  try "left-$i" left_by_a_kill $((i % 2 + 1))
done

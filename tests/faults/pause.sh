# title: SIGSTOP of a rank for 5 s
# expected: goes on, same bits
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

stop_for_a_while() { # RANKS WHICH
  local victim
  begin_job "$1" run "${far[@]}"
  reached 'step 100  saved' || lost "it does not train: $(tail -n 3 out)"
  victim=$(ranks_of | sed -n "$2p")
  kill -STOP "$victim" || lost "it was over already"
  sleep 5
  kill -CONT "$victim"
  end_job
  ended 0
  same_bits run far
}

prepare
far=(--set train.steps=4000 --set checkpoint.every_steps=100 --set log.every_steps=1000)
make_reference far "${far[@]}"
try 2-1 stop_for_a_while 2 1
try 2-2 stop_for_a_while 2 2
for i in $(seq $((long ? 40 : 0))); do
  try "4-$i" stop_for_a_while 4 $((i % 4 + 1))
done

# title: USR1 in start, step and save; twice; to one rank
# expected: one checkpoint, exit 75 on all ranks, resumes, same bits
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

# All ranks of the job take USR1 by now (bit 9 of what they catch): that is before MPI_Init.
all_listen() { # RANKS
  local process caught count=0
  for process in $(ranks_of); do
    caught=$(sed -n 's/^SigCgt:\t//p' "/proc/$process/status" 2>/dev/null)
    [ $((16#0${caught: -4} >> 9 & 1)) = 0 ] || count=$((count + 1))
  done
  [ "$count" = "${1/#0/1}" ]
}

# The exit codes of the ranks, from strace's record: of the processes that became the program.  mpirun may kill a rank that has closed MPI
# before it comes to its exit: such a one has none.
codes() {
  awk -v heed="$heed" 'index($0, "execve(\"" heed "\"") { rank[$1] = 1 }
    /exit_group\([0-9]/ && rank[$1] { sub(/.*exit_group\(/, ""); print $0 + 0 }' exits | sort -u | tr '\n' ' '
}

# MOMENT: start, step or save.  HOW: once, twice, or one (rank only).
stop_by_signal() { # RANKS MOMENT HOW
  local every=0 at target
  [ "$2" != save ] || every=1
  before_mpirun=(strace -f -qq --seccomp-bpf -e 'trace=execve,exit_group' -e signal=none -o exits)
  begin_job "$1" run --set train.steps=1000000 --set "checkpoint.every_steps=$every"
  if [ "$2" = start ]; then
    until all_listen "$1"; do kill -0 $timer 2>/dev/null || lost "it does not start: $(tail -n 3 out)"; done
  else
    reached '^step [4-9]/' || lost "it does not train: $(tail -n 3 out)"
  fi
  target=$(pgrep -f -- "^mpirun .*$work/" | head -n 1)
  [ "$1" != 0 ] || target=$(ranks_of)
  [ "$3" != one ] || target=$(ranks_of | sort -n | tail -n 1)
  kill -USR1 $target
  [ "$3" != twice ] || { sleep 0.02; kill -USR1 $target; }
  end_job
  ended 75
  [ "$(codes)" = "75 " ] || lost "the ranks ended with $(codes)"
  at=$(sed -n 's/.*stopped at step \([0-9]*\) .*/\1/p' out)
  [ "$(wc -l <<<"$at")" = 1 ] && [ -n "$at" ] || lost "not one message: $(tail -n 3 out)"
  [ "$every" = 1 ] || [ "$(find run/checkpoints -mindepth 1 | grep -c 'step-[0-9]*$')" = 1 ] || lost "not one checkpoint"
  before_mpirun=()
  train "$(other_ranks "$1")" run --resume --set "train.steps=$((at + 3))"
  ended 0
  said "resuming at step $at"
  "$heed" train micro.yaml --set "run.output=$work/run.alone" --set "train.steps=$((at + 3))" --set checkpoint.every_steps=0 >/dev/null 2>&1
  same_bits run run.alone
}

prepare
counts=(2 4 1) turn=0
for round in $(seq $((long ? 20 : 1))); do
  for moment in start step save; do
    for how in once twice one; do
      turn=$((turn + 1))
      try "$round-$moment-$how" stop_by_signal "${counts[(turn + turn / 3) % 3]}" $moment $how
    done
  done
done
try alone stop_by_signal 0 step once

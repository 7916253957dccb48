#!/usr/bin/env bash
# jobs/slurm.sbatch under a real Slurm, of one node, which lives in a temporary folder and ends with this script:  tests/scale/slurm.sh
#   scancel                     the job saves and is not queued again
#   the same job once more      goes on; before its time limit Slurm's USR1 reaches the ranks, which save and exit 75; the job queues
#                               itself again, goes on, ends with 0
#   in the end                  the bits are those of a run that nothing happened to, in one process
# Needs root and what `jobs/setup.sh --scale` installs.  Two minutes or three.
set -euo pipefail
# shellcheck source=tests/scale/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/scale/daemons.sh
. tests/scale/daemons.sh
at() { "${@:2}"; }

# Processes that were started with our configuration, by daemons or by jobs.
ours() {
  local process
  for process in /proc/[0-9]*; do
    [ "${process#/proc/}" != $$ ] && grep -qsaF "SLURM_CONF=$dir/slurm.conf" "$process/environ" && echo "${process#/proc/}"
  done
  return 0
}
none_left() { [ -z "$(ours)" ]; }

clean_up() {
  [ -e "$dir/slurm.conf" ] || return 0
  scancel --quiet --me 2>/dev/null || true
  wait_for 10 none_queued || true
  local left
  left=$(ours)
  # shellcheck disable=SC2086  # a number a word
  kill $left
  wait
  wait_for 10 none_left && return
  left=$(ours)
  say "processes are left:"
  # shellcheck disable=SC2086
  ps -o pid=,args= -p $left && kill -KILL $left
  return 1
}

begin
make_model "$dir"
start_slurm "$(hostname -s)=127.0.0.1"

log=$dir/cancelled.log
job=$(submit "$log" 1 2)
wait_for 60 has_reached "$dir/run" 30 || { cat "$log"; fail "the job does not train"; }
cancel "$job" "$log"

log=$dir/limit.log
began=$SECONDS
job=$(submit "$log" 1 2)
wait_for 150 grep -qs "exit code 75: saved; queueing job $job again" "$log" || { cat "$log"; fail "no requeue at the time limit"; }
stopped=$(saved_step "$dir/run")
set_steps "$dir/micro.yaml" $((stopped + 30)) # long before Slurm starts it again
say "a time limit of 1 minute: after $((SECONDS - began)) s USR1, saved at step $stopped, exit code 75, queued again"
has_done "$job" "$log"
! job_is "$job" Restarts=0 || fail "it was not Slurm that started it again"
expect "$log" "USR1: asking the ranks to save and stop" "stopped at step $stopped of 1000000 (a signal came) and saved" \
  "resuming at step $cancelled" "resuming at step $stopped"
[ "$(saved_step "$dir/run")" = $((stopped + 30)) ] || fail "it ended at step $(saved_step "$dir/run")"
say "started again by Slurm, it went on to step $((stopped + 30)): exit code 0, $((SECONDS - began)) s after it was submitted"

train_alone "$dir/alone" "$dir/micro.yaml" $((stopped + 30))
same "$dir/run" "$dir/alone"
say "parameters and moments are bit-equal to those of $((stopped + 30)) steps in one process that nothing happened to"

#!/usr/bin/env bash
# jobs/slurm.sbatch under a real Slurm, of one node, which lives in a temporary folder and ends with this script:  tests/scale/slurm.sh
#   scancel                     the job saves and is not queued again
#   the same job once more      goes on; before its time limit Slurm's USR1 reaches the ranks, which save and exit 75; the job queues
#                               itself again, goes on, ends with 0
#   in the end                  the bits are those of a run that nothing happened to, in one process
# Needs root and what `jobs/setup.sh --scale` installs.  Some three minutes.
set -euo pipefail
# shellcheck source=tests/scale/common.sh
. "$(dirname "$0")/common.sh"
daemons=()

job_is() { [[ " $(scontrol show job -o "$1" 2>/dev/null) " == *" $2 "* ]]; } # JOB FIELD=VALUE
none_queued() { [ -z "$(squeue -h 2>/dev/null)" ]; }

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
  for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
  wait
  wait_for 10 none_left && return
  say "processes are left: $(ours | xargs ps -o pid=,args= -p)"
  ours | xargs -r kill -KILL
  return 1
}

free_port() {
  local port
  for port in $(shuf -i 20000-30000 -n 20); do
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start_slurm() {
  local host processors
  host=$(hostname -s) processors=$(nproc)
  [ "$processors" -ge 2 ] || processors=2 # two ranks; Slurm only has to believe it
  chmod 755 "$dir"
  mkdir "$dir/state" "$dir/spool"
  export SLURM_CONF=$dir/slurm.conf
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
  cat >"$SLURM_CONF" <<CONF
ClusterName=heed
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=10
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$processors State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  munged --foreground --force --socket="$dir/munge.socket" --key-file="$dir/munge.key" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" >"$dir/munged.out" 2>&1 &
  daemons+=($!)
  wait_for 10 test -S "$dir/munge.socket" || { tail "$dir"/munged.*; fail "munged does not start"; }
  slurmctld -D >"$dir/slurmctld.out" 2>&1 &
  daemons+=($!)
  slurmd -D >"$dir/slurmd.out" 2>&1 &
  daemons+=($!)
  node_is_idle() { [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; }
  wait_for 60 node_is_idle || { tail -n 20 "$dir"/slurm*.log "$dir"/slurm*.out; fail "Slurm does not start"; }
}

submit() { # LOG: prints the job's number
  sbatch --parsable --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 --time=1 --signal=B:USR1@10 --output="$1" \
    jobs/slurm.sbatch "$dir/micro.yaml" --set "run.output=$dir/run"
}
# expect LOG TEXT…: shows the log if a text is missing in it.
expect() {
  local log=$1 text
  shift
  for text; do
    grep -qF -- "$text" "$log" || { cat "$log"; fail "the job's log lacks: $text"; }
  done
}

[ "$(id -u)" = 0 ] || leave_out "it needs root, as which Slurm's daemons run"
begin
make_model "$dir"
start_slurm
say "Slurm is up: $(sinfo -h -o '%N, %c processors'), $(slurmctld -V)"

log=$dir/cancelled.log
job=$(submit "$log")
wait_for 60 has_reached "$dir/run" 30 || { cat "$log"; fail "the job does not train"; }
scancel "$job"
began=$SECONDS
wait_for 60 none_queued || fail "the job does not end after scancel"
expect "$log" "TERM: asking the ranks to save and stop" "stopped at step"
! grep -q "queueing job" "$log" || fail "a job that was cancelled queued itself again"
job_is "$job" JobState=CANCELLED && job_is "$job" Restarts=0 || fail "$(scontrol show job -o "$job")"
cancelled=$(saved_step "$dir/run")
[ "$cancelled" = "$(logged_step "$dir/run")" ] || fail "scancel lost steps: saved at $cancelled of $(logged_step "$dir/run")"
say "scancel: the ranks saved at step $cancelled and the job ended, $((SECONDS - began)) s later; it was not queued again"

log=$dir/limit.log
began=$SECONDS
job=$(submit "$log")
wait_for 150 grep -qs "exit code 75: saved; queueing job $job again" "$log" || { cat "$log"; fail "no requeue at the time limit"; }
stopped=$(saved_step "$dir/run")
set_steps "$dir/micro.yaml" $((stopped + 30)) # long before Slurm starts it again
say "a time limit of 1 minute: after $((SECONDS - began)) s USR1, saved at step $stopped, exit code 75, queued again"
wait_for 150 job_is "$job" JobState=COMPLETED || { cat "$log"; fail "the job that was queued again does not end: $(scontrol show job -o "$job")"; }
job_is "$job" ExitCode=0:0 && ! job_is "$job" Restarts=0 || fail "$(scontrol show job -o "$job")"
expect "$log" "USR1: asking the ranks to save and stop" "stopped at step $stopped of 1000000 (a signal came) and saved" \
  "resuming at step $cancelled" "resuming at step $stopped"
[ "$(saved_step "$dir/run")" = $((stopped + 30)) ] || fail "it ended at step $(saved_step "$dir/run")"
say "started again by Slurm, it went on to step $((stopped + 30)): exit code 0, $((SECONDS - began)) s after it was submitted"

train_alone "$dir/alone" "$dir/micro.yaml" $((stopped + 30))
same "$dir/run" "$dir/alone"
say "parameters and moments are bit-equal to those of $((stopped + 30)) steps in one process that nothing happened to"

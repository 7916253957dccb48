# Sourced: a Slurm in $dir that ends with the script.  The script says `at NODE COMMAND…`, how something is run on a node.
# shellcheck shell=bash disable=SC2154
first=

job_is() { [[ " $(at "$first" scontrol show job -o "$1" 2>/dev/null) " == *" $2 "* ]]; } # JOB FIELD=VALUE
none_queued() { [ -z "$(at "$first" squeue -h 2>/dev/null)" ]; }
nodes_are_idle() { [ "$(at "$first" sinfo -h -o %D.%T 2>/dev/null)" = "$1.idle" ]; }

free_port() {
  local port
  for port in $(shuf -i 20000-30000 -n 20); do
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# start_slurm NODE=ADDRESS…: the first one also has the controller.  Each has two processors; Slurm only has to believe it.
start_slurm() {
  local node
  [ "$(id -u)" = 0 ] || leave_out "it needs root, as which Slurm's daemons run"
  first=${1%=*}
  chmod 755 "$dir"
  mkdir "$dir/state"
  export SLURM_CONF=$dir/slurm.conf
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
  cat >"$SLURM_CONF" <<CONF
ClusterName=heed
SlurmctldHost=$first(${1#*=})
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=10
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
$(for node; do echo "NodeName=${node%=*} NodeAddr=${node#*=} CPUs=2"; done)
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  echo CgroupPlugin=cgroup/v1 >"$dir/cgroup.conf" # not used; it would be looked for, and a container may have none
  at "$first" munged --foreground --force --socket="$dir/munge.socket" --key-file="$dir/munge.key" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" >"$dir/munged.out" 2>&1 &
  wait_for 10 test -S "$dir/munge.socket" || { tail "$dir"/munged.*; fail "munged does not start"; }
  at "$first" slurmctld -D >"$dir/slurmctld.out" 2>&1 &
  for node; do
    at "${node%=*}" slurmd -D >"$dir/slurmd.out" 2>&1 &
  done
  wait_for 60 nodes_are_idle $# || { tail -n 20 "$dir"/slurm*.log "$dir"/slurm*.out; fail "Slurm does not start"; }
  say "Slurm is up, $# node(s): $(slurmctld -V)"
}

submit() { # LOG NODES TASKS OF A NODE: prints the job's number
  at "$first" sbatch --parsable --nodes="$2" --ntasks-per-node="$3" --cpus-per-task=1 --time=1 --signal=B:USR1@10 --output="$1" \
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

# cancel JOB LOG: at step $cancelled the ranks saved, and the job was not queued again.
cancel() {
  at "$first" scancel "$1"
  local began=$SECONDS
  wait_for 60 none_queued || fail "the job does not end after scancel"
  expect "$2" "TERM: asking the ranks to save and stop" "stopped at step"
  ! grep -q "queueing job" "$2" || fail "a job that was cancelled queued itself again"
  job_is "$1" JobState=CANCELLED && job_is "$1" Restarts=0 || fail "$(at "$first" scontrol show job -o "$1")"
  cancelled=$(saved_step "$dir/run")
  [ "$cancelled" = "$(logged_step "$dir/run")" ] || fail "scancel lost steps: saved at $cancelled of $(logged_step "$dir/run")"
  say "scancel: the ranks saved at step $cancelled and the job ended, $((SECONDS - began)) s later; it was not queued again"
}

# has_done JOB LOG: waits for it, requeues included; exit code 0.
has_done() {
  wait_for 150 none_queued && job_is "$1" JobState=COMPLETED && job_is "$1" ExitCode=0:0 && return
  cat "$2"
  fail "the job does not end as it should: $(at "$first" scontrol show job -o "$1")"
}

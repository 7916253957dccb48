#!/usr/bin/env bash
# jobs/pbs.sh without a PBS: this script plays its part on one machine.  It runs the job from a copy, as PBS does, with the variables that
# a qsub of its own was given, and nothing else of this environment.      tests/scale/pbs.sh
#   the time limit              training stops itself, saves, exits 75, and qsub is called for the same; that job goes on, and ends with 0
#   qdel                        TERM to all processes of the job: it saves, exits 75, and is not submitted again
#   in the end                  the bits are those of a run that nothing happened to, in one process
# (Two machines under a PBS_NODEFILE: hosts.sh.)  Half a minute.
set -euo pipefail
# shellcheck source=tests/scale/common.sh
. "$(dirname "$0")/common.sh"
job=

clean_up() {
  [ -z "$job" ] || pkill -KILL -s "$job" || true
  wait
}

# qsub as jobs/pbs.sh calls it: notes what to run.
make_qsub() {
  mkdir "$dir/bin"
  cat >"$dir/bin/qsub" <<'QSUB'
#!/usr/bin/env bash
while [ $# -gt 1 ]; do
  case $1 in
    -v) for variable in ${2//,/ }; do [[ $variable = *=* ]] && echo "$variable" || echo "$variable=${!variable?}"; done >"$queue" ;;
    *) echo "qsub: $1 is not known" >&2; exit 2 ;;
  esac
  shift 2
done
sed 's/^#PBS -l walltime=.*/#PBS -l walltime=00:00:20/' "$1" >"$queue.sh"
QSUB
  chmod +x "$dir/bin/qsub"
  export queue=$dir/queue PATH=$dir/bin:$PATH
}

# Starts what is queued in a session of its own, as PBS does.
start_job() {
  local variables
  mapfile -t variables <"$queue"
  mv "$queue.sh" "$dir/spooled.sh"
  rm "$queue"
  env -i PATH="$PATH" HOME="$HOME" queue="$queue" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    PBS_JOBID=1.here PBS_O_WORKDIR="$PWD" PBS_NODEFILE="$dir/nodes" OMP_NUM_THREADS=1 "${variables[@]}" \
    setsid bash "$dir/spooled.sh" >"$dir/job.log" 2>&1 &
  job=$!
}
end_job() { # EXIT CODE
  local code=0
  wait "$job" || code=$?
  [ "$code" = "$1" ] || { cat "$dir/job.log"; fail "the job's exit code is $code, not $1"; }
  ! pgrep -a -s "$job" -r D,R,S,T || fail "processes of the job are left, see above"
  job=
}

begin
make_model "$dir"
make_qsub
printf 'localhost\nlocalhost\n' >"$dir/nodes"

qsub -v "CONFIG=$dir/micro.yaml,SETTINGS=run.output=$dir/run,HEED=$heed" jobs/pbs.sh
start_job
end_job 75
[ -s "$queue" ] || { cat "$dir/job.log"; fail "a job that stopped at its time limit was not submitted again"; }
stopped=$(saved_step "$dir/run")
say "the time limit: saved at step $stopped, exit code 75, submitted again"

start_job
wait_for 60 has_reached "$dir/run" $((stopped + 10)) || { cat "$dir/job.log"; fail "the job does not go on"; }
pkill -TERM -s "$job"
end_job 75
[ ! -e "$queue" ] || fail "a job that was deleted was submitted again"
deleted=$(saved_step "$dir/run")
[ "$deleted" = "$(logged_step "$dir/run")" ] || fail "qdel lost steps: saved at $deleted of $(logged_step "$dir/run")"
say "qdel: saved at step $deleted, exit code 75, not submitted again"

set_steps "$dir/micro.yaml" $((deleted + 20))
qsub -v "CONFIG=$dir/micro.yaml,SETTINGS=run.output=$dir/run,HEED=$heed" jobs/pbs.sh
start_job
end_job 0
[ ! -e "$queue" ] || fail "a job that is done was submitted again"
train_alone "$dir/alone" "$dir/micro.yaml" $((deleted + 20))
same "$dir/run" "$dir/alone"
say "submitted anew it went on to step $((deleted + 20)), exit code 0: bit-equal to one process that nothing happened to"

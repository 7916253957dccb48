#!/usr/bin/env bash
# Heed under PBS:  qsub jobs/pbs.sh     from the project's folder, on a shared file system.  Sizes are the lines below; set them here,
# since a job that goes on is submitted as they stand.  What else there is to say goes through the environment:
#   qsub -v CONFIG=configs/bert-mini.yaml,SETTINGS="run.output=runs/mine train.steps=500" jobs/pbs.sh
#     CONFIG, SETTINGS (each becomes a --set), HEED (the program), BIND=none (leaves ranks unbound)
# PBS has no signal before the end: training stops itself `spare` minutes before, saves, exits 75, and the job is submitted again.
# qdel saves too, within PBS's kill_delay, and ends it.
# Many builds of Open MPI (Debian's among them) do not know PBS, so the host file is PBS's own and ranks start through ssh.
#PBS -N heed
#PBS -l select=4:ncpus=32:mpiprocs=2:ompthreads=16
#PBS -l walltime=04:00:00
#PBS -j oe
#PBS -r y
set -euo pipefail
spare=10 # minutes: what starting and a save need
cd "$PBS_O_WORKDIR"
. jobs/launch.sh
catch_signals
export CONFIG=${CONFIG:-configs/bert-base.yaml} SETTINGS=${SETTINGS:-} HEED=${HEED:-build/bin/heed} BIND=${BIND:-}
limit=$(awk -F '[=:]' '/^#PBS -l walltime=/ { print 60 * $2 + $3 + $4 / 60 }' "$0")
minutes=$(awk -v limit="$limit" -v spare="$spare" 'BEGIN { print (limit > 2 * spare ? limit - spare : limit / 2) }')
settings=()
for setting in $SETTINGS; do settings+=(--set "$setting"); done

read_hosts "$PBS_NODEFILE" # a line a rank: nodes × mpiprocs; must suit train.slices
cores=$(cores)
place slot "$most" "${OMP_NUM_THREADS:-$((cores > most ? cores / most : 1))}" "$cores" # ompthreads above
launch -n "$ranks" --hostfile "$hosts" "${placing[@]}" --wdir "$PWD" \
  "$HEED" train "$CONFIG" --resume "${settings[@]}" --set "train.time_limit=$minutes"
finish
# 75 by the time limit: go on in a new job.  By a signal (qdel): the user wants the end.
if [ "$finished" = 75 ] && [ -z "$stop_signal" ]; then
  echo "exit code 75: saved; submitting again"
  qsub -v CONFIG,SETTINGS,HEED,BIND jobs/pbs.sh || echo "this node may not submit: run  qsub  as before on the login node, and it goes on"
fi
exit "$finished"

#!/usr/bin/env bash
# Heed under PBS:  qsub jobs/pbs.sh     from the project's folder, on a shared file system.  Set the sizes here.
# PBS has no signal before the end: training stops itself after `minutes`, saves, exits 75, and the job is submitted again.
# Many builds of Open MPI (Debian's among them) do not know PBS, so the host file is PBS's own and ranks start through ssh.
#PBS -N heed
#PBS -l select=4:ncpus=32:mpiprocs=2:ompthreads=16
#PBS -l walltime=04:00:00
#PBS -j oe
#PBS -r y
set -euo pipefail
cd "$PBS_O_WORKDIR"
. jobs/launch.sh
config=configs/bert-base.yaml
heed=${HEED:-build/bin/heed}
minutes=230                      # the walltime less what starting and a save need
threads=${OMP_NUM_THREADS:-16}   # ompthreads above
ranks=$(wc -l <"$PBS_NODEFILE")  # a line a rank: nodes × mpiprocs; must suit train.slices

export OMP_NUM_THREADS=$threads OMP_PROC_BIND=close OMP_PLACES=cores
launch -n "$ranks" --hostfile "$PBS_NODEFILE" --map-by "slot:PE=$threads" --bind-to core --report-bindings \
  -x OMP_NUM_THREADS -x OMP_PROC_BIND -x OMP_PLACES -x LD_LIBRARY_PATH -x PATH \
  "$heed" train "$config" --resume --set "train.time_limit=$minutes"
finish
# 75 by the time limit: go on in a new job.  By a signal (qdel): the user wants the end.
if [ "$finished" = 75 ] && [ -z "$stop_signal" ]; then
  echo "saved; submitting again"
  qsub jobs/pbs.sh || echo "this node may not submit: run  qsub jobs/pbs.sh  on the login node"
fi
exit "$finished"

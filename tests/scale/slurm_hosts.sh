#!/usr/bin/env bash
# jobs/slurm.sbatch on two nodes of a real Slurm, the two hosts of hosts.sh:  tests/scale/slurm_hosts.sh
#   scancel in a long step      Slurm sends TERM to all processes on both nodes: the ranks finish the step, save, and are not killed
#   the same job once more      goes on, ends with 0, with the bits of a run that nothing happened to, in one process
# Needs root with the right to make network namespaces, and what `jobs/setup.sh --scale` installs.  A minute.
set -euo pipefail
# shellcheck source=tests/scale/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/scale/two_hosts.sh
. tests/scale/two_hosts.sh
# shellcheck source=tests/scale/daemons.sh
. tests/scale/daemons.sh
at() { "$dir/on" "$@"; }

clean_up() {
  if [ -n "$first" ]; then
    at "$first" scancel --quiet --me 2>/dev/null || true
    wait_for 10 none_queued || true
  fi
  remove_hosts
}

begin
make_model "$dir"
sed -i 's/batch_sequences: 16/batch_sequences: 1024, slices_at_once: 1/; s/warmup_steps: 10/warmup_steps: 1/' "$dir/micro.yaml" # steps of seconds: longer than mpirun waits
make_hosts
set_environment
start_slurm $one=10.77.0.1 $two=10.77.0.2

log=$dir/cancelled.log
job=$(submit "$log" 2 1)
wait_for 120 has_reached "$dir/run" 1 || { cat "$log"; fail "the job does not train"; }
cancel "$job" "$log"

set_steps "$dir/micro.yaml" $((cancelled + 1))
log=$dir/again.log
job=$(submit "$log" 2 1)
has_done "$job" "$log"
expect "$log" "resuming at step $cancelled"
train_alone "$dir/alone" "$dir/micro.yaml" $((cancelled + 1))
same "$dir/run" "$dir/alone"
say "submitted once more, 2 nodes × 1 rank: from step $cancelled to $((cancelled + 1)), exit code 0, bit-equal to one process"

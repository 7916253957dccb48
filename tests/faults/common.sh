# Sourced by the scenarios.  A scenario is a script of this folder with a line "# title: …" and a line "# expected: …", which the table shows.
# It makes its runs by `try KEY FUNCTION ARGUMENT…`, and calls `lost WHY` in them for anything that was lost; each run appends a line
# "ok KEY" or "lost KEY: WHY" to $results.  A run whose key is there already is not made again.  `pending WHY` says that none can be made.
# run.sh gives it: $heed the program, $programs the folder of the C ones, $work a folder of its own, $results, $long 0 or 1, $seed.
# shellcheck shell=bash disable=SC2034
set -uo pipefail
: "${heed:?start it by tests/faults/run.sh}" "${source:?}" "${programs:?}" "${work:?}" "${results:?}" "${long:?}" "${seed:?}"
export PATH=$PATH:/usr/sbin:/sbin HWLOC_COMPONENTS=-gl OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
# Between the signals by which it ends the ranks that a failure left mpirun waits 2 s: the short form lets it, the long one does not.
[ "$long" = 0 ] || export OMPI_MCA_odls_base_sigkill_timeout=0
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
RANDOM=$seed
limit=120 # seconds of a job, after which it hangs
code=0    # exit code of the last job
cd "$work" || exit 1

lost() {
  printf 'lost %s: %s\n' "$key" "$(tr '\n' ' ' <<<"$*")" >>"$results"
  exit 1
}
pending() {
  printf 'pending %s\n' "$*" >>"$results"
  exit 0
}

# Processes of this scenario: all name its folder.
of_scenario() { pgrep -f -- "$work/" | grep -vx $$; }
left= # what no_orphans found
no_orphans() {
  local i
  for i in $(seq 100); do
    [ -n "$(of_scenario)" ] || return 0
    sleep 0.1
  done
  left=$(of_scenario | xargs -r ps -o pid=,stat=,etimes=,wchan:16=,args= -p 2>/dev/null | cut -c -120)
  of_scenario | xargs -r kill -KILL 2>/dev/null
  return 1
}

# Makes one run in a shell of its own, after which no process of it may be left.
try() {
  local key=$1
  shift
  ! grep -qsE "^(ok|lost) $key(:|\$)" "$results" || return 0
  (
    "$@"
    no_orphans || lost "processes were left after 10 s: $left"
    printf 'ok %s\n' "$key" >>"$results"
  )
  grep -qE "^(ok|lost) $key(:|\$)" "$results" || printf 'lost %s: the run itself ended with an error\n' "$key" >>"$results"
  no_orphans
  rm -rf "$work"/run "$work"/run.*
}

# program NAME: the runs of a C program, all of them or none.
program() {
  local key=$1 code=0
  ! grep -qx "# $key is done" "$results" || return 0
  results=$work/part "$programs/$key" >out 2>&1 || code=$?
  cat "$work/part" >>"$results"
  [ "$code" = 0 ] || printf 'lost %s: exit code %s: %s\n' "$key" "$code" "$(grep -a asserts out)" >>"$results"
  echo "# $key is done" >>"$results"
}

# The data, the run that nothing ever happened to (reference), and its first half.
prepare() {
  local text=$source/datasets/sample/text.txt
  head -n 300 "$text" >text.txt &&
    "$heed" tokenizer train --type wordpiece --vocab-size 400 --output vocab.txt "$text" &&
    "$heed" prepare --vocab vocab.txt --output train.h5 text.txt || exit 1
  cat >micro.yaml <<YAML
run: {name: micro}
model: {family: bert, vocabulary_size: 400, layers: 2, hidden: 32, heads: 2, feed_forward: 64, max_positions: 32}
data: {train: train.h5, vocabulary: vocab.txt}
train: {steps: 24, sequence_length: 32, batch_sequences: 16, slices: 8}
optimizer: {learning_rate: 1.0e-3}
schedule: {warmup_steps: 2, decay: constant}
checkpoint: {every_steps: 3, keep: 2}
evaluate: {every_steps: 0}
log: {every_steps: 1}
YAML
  make_reference reference
  make_reference half --set train.steps=12
}
make_reference() { # NAME OPTION…
  local name=$1
  shift
  "$heed" train micro.yaml --set "run.output=$work/$name" "$@" || exit 1
}

# launch RANKS RUN OPTION…: puts the words of that job into the array `job`.  The words of $before stand before one rank's program: of rank 0,
# or with sick=last of the last one; those of $before_mpirun before all.  0 ranks: without mpirun.
before=() sick=first before_mpirun=()
launch() {
  local ranks=$1 run=$2 others=$(($1 - 1))
  shift 2
  local train=("$heed" train micro.yaml --set "run.output=$work/$run" "$@")
  job=("${before[@]}" "${train[@]}")
  case $others,$sick in
    -1,*) ;;
    0,*) job=(mpirun -n 1 "${job[@]}") ;;
    *,first) job=(mpirun -n 1 "${job[@]}" : -n "$others" "${train[@]}") ;;
    *,last) job=(mpirun -n "$others" "${train[@]}" : -n 1 "${job[@]}") ;;
  esac
  job=("${before_mpirun[@]}" "${job[@]}")
}

# The same, run to its end: $code, and its words in $work/out.
train() {
  local job
  launch "$@"
  code=0
  timeout -k 5 "$limit" "${job[@]}" >out 2>&1 </dev/null || code=$?
  [ "$code" != 124 ] || lost "it hangs: $(tail -n 3 out)"
}

# A job in the background: its process is $pid.
begin_job() {
  local job
  launch "$@"
  timeout -k 5 "$limit" "${job[@]}" >out 2>&1 </dev/null &
  timer=$!
  for _ in $(seq 100); do
    pid=$(pgrep -P $timer) && return
    sleep 0.01
  done
  pid=$timer
}
ranks_of() { pgrep -f -- "^$heed train.*run.output=$work/"; } # the ranks' processes
end_job() {
  code=0
  wait $timer 2>/dev/null || code=$?
  [ "$code" != 124 ] || lost "it hangs: $(tail -n 3 out)"
}
# reached WORDS [SECONDS]: waits until the job has said so.
reached() {
  local i
  for i in $(seq $((20 * ${2:-60}))); do
    ! grep -q -- "$1" out || return 0
    kill -0 $timer 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}

said() { grep -q -- "$1" out || lost "it did not say '$1' but: $(tail -n 3 out)"; }
ended() { [ "$code" = "$1" ] || lost "exit code $code, not $1: $(tail -n 3 out)"; } # CODE
saved() { sed -n 's/^step \([0-9]*\) *saved in .*/\1/p' out | tail -n 1; }          # the last step that a job said it has saved

newest() { find "$1/checkpoints" -maxdepth 1 -name 'step-????????' | sort | tail -n 1; } # RUN: its newest checkpoint
# look_at_newest RUN: $kept becomes its step, which is that of the last save told of, or of one that the job did not come to tell of.
look_at_newest() {
  kept=$(newest "$1")
  kept=$((10#${kept##*step-}))
  [ "$kept" -ge "$(saved)" ] || lost "step $(saved) was saved, and the newest checkpoint is of step $kept"
}

# The tensors of a run's newest checkpoint, which must be sound.
tensors() {
  local folder
  folder=$(newest "$1")
  "$heed" checkpoint verify "$folder" >/dev/null 2>&1 || return 1
  grep -E '^(step|updates|data_position|samples_seen|item float32) ' "$folder/MANIFEST"
}
same_bits() { # RUN [REFERENCE]
  local reference=${2:-reference}
  [ "$(tensors "$reference" | wc -l)" -gt 100 ] || lost "the reference holds hardly any tensor"
  tensors "$1" >tensors.out || lost "its newest checkpoint is not sound"
  tensors "$reference" | cmp -s - tensors.out || lost "other bits than the run that nothing happened to"
}

# goes_on RANKS RUN STEP: it resumes, at STEP or later, and comes to the same bits.
goes_on() {
  local ranks=$1 run=$2 least=${3:-0} at
  before=()
  train "$ranks" "$run" --resume
  ended 0
  at=$(sed -n 's/.*resuming at step \([0-9]*\).*/\1/p' out | head -n 1)
  grep -q 'steps are done already' out && at=24
  [ "${at:-0}" -ge "${least:-0}" ] || lost "resumed at step ${at:-0} although step $least was saved"
  same_bits "$run"
}
# Another allowed number of ranks.
other_ranks() { case $1 in 0 | 1) echo 2 ;; 2) echo 4 ;; *) echo 1 ;; esac; }

# Sourced by tests of what befalls a run from outside, in bash and in the folder of micro.yaml.
#   start NAME RANKS ARGUMENT…   `heed train` in the background into the folder NAME, long enough for anything; 0 ranks: without mpirun.
#                                Returns when it has trained some steps.  FAULT=RANK:FAILPOINT arms one on one rank
#   rank N, launcher             their process ids
#   ended SECONDS                waits until it has ended; prints "exit CODE after S s", what it said, and "left: N" processes
# shellcheck shell=bash

start() {
  local launch=() name=$1 ranks=$2
  shift 2
  run=run.output=$PWD/$name
  [ "$ranks" = 0 ] || launch=("$MPIEXEC" --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n "$ranks")
  OMP_NUM_THREADS=1 "${launch[@]}" bash -c '
    [ "${FAULT%%:*}" != "${OMPI_COMM_WORLD_RANK:-0}" ] || export HEED_FAILPOINT="${FAULT#*:}"
    exec "$@"' rank "$HEED" train micro.yaml --set "$run" --set train.steps=1000000 --set checkpoint.every_steps=0 \
    --set evaluate.every_steps=0 --set log.every_steps=10 "$@" >"$name.log" 2>&1 &
  job=$!
  for _ in $(seq 600); do
    if [ -s "$name/metrics.jsonl" ] || ! kill -0 $job 2>/dev/null; then return; fi
    sleep 0.05
  done
}

# ids PATTERN: of this run's processes whose environment has a line like that
ids() {
  local file
  for file in $(grep -lzxF -e "$run" /proc/[0-9]*/cmdline); do
    if grep -qz -e "$1" "${file%cmdline}environ"; then basename "${file%/cmdline}"; fi
  done 2>/dev/null
}
rank() { ids "^OMPI_COMM_WORLD_RANK=$1\$"; }
launcher() { echo "$job"; }

ended() {
  local code begun=$SECONDS left
  for _ in $(seq $((10 * $1))); do
    kill -0 "$job" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$job" 2>/dev/null; then echo "still there after $1 s"; fi
  [ "${2:-}" != killed ] || for _ in $(seq 100); do [ -n "$(ids '')" ] || break; sleep 0.1; done
  left=$(ids '' | wc -l)
  ids "" | xargs -r kill -CONT 2>/dev/null
  ids "" | xargs -r kill -KILL 2>/dev/null
  wait "$job"
  code=$?
  echo "exit $code after $((SECONDS - begun)) s"
  cat "${run##*/}.log"
  echo "left: $left"
}

#!/usr/bin/env bash
# From nothing to a BERT that fills masks, on this machine: installs, builds, makes the English dataset, trains under mpirun, stops in
# the middle and resumes, evaluates on text never seen, fills five sentences, and tells what was reached.  About a quarter of an hour
# on two cores.  Run again, it goes on where it was; Ctrl-C saves first.
#   jobs/quickstart.sh [--fresh] [--ranks N] [--steps N]
#     --fresh   throw away the model trained before (runs/quickstart)
#     --ranks   1, 2, 4 or 8 processes instead of what suits the machine
#     --steps   instead of what configs/quickstart.yaml says
set -euo pipefail
cd "$(dirname "$0")/.."
. jobs/launch.sh
config=configs/quickstart.yaml
run=runs/quickstart
heed=build/bin/heed
fresh= ranks= steps=

usage() { sed -n '2,8s/^# \?//p' "$0"; exit "$1"; }
while [ $# -gt 0 ]; do
  case $1 in
    --fresh) fresh=1 ;;
    --ranks) ranks=${2:-} && shift ;;
    --steps) steps=${2:-} && shift ;;
    --help) usage 0 ;;
    *) usage 64 >&2 ;;
  esac
  shift || usage 64 >&2
done
if ! [[ $ranks =~ ^(|1|2|4|8)$ && $steps =~ ^[0-9]*$ ]]; then
  echo "quickstart.sh: --ranks takes 1, 2, 4 or 8, --steps a number" >&2
  exit 64
fi

warmup=$(sed -n 's/.*warmup_steps: *\([0-9]*\).*/\1/p' "$config")
if [ -n "$steps" ] && [ "$steps" -lt "$warmup" ]; then
  echo "quickstart.sh: --steps must be at least $warmup, the steps in which $config warms up" >&2
  exit 64
fi

title() { printf '\n== %s\n' "$*"; }
minutes() { awk -v s="$1" 'BEGIN { printf "%.1f", s / 60 }'; }
percent() { awk -v a="$1" 'BEGIN { printf "%.2f%%", 100 * a }'; }
# field KEY: a number of a JSON object on standard input
field() { sed -n "s/.*\"$1\": *\([-0-9.eE+]*\).*/\1/p" | tail -n 1; }
last_step() { tail -n 1 "$run/metrics.jsonl" 2>/dev/null | field step || true; }

title "Setup"
jobs/setup.sh

title "Build"
cmake --preset release >/dev/null
cmake --build --preset release --target heed_program

title "Dataset"
datasets/english.sh

# One process for each processor up to 8, the number of slices of a batch; what is left becomes threads.  The result is the same.
cores=$(processors)
if [ -z "$ranks" ]; then
  ranks=1
  while [ $((2 * ranks)) -le "$cores" ] && [ $((2 * ranks)) -le 8 ]; do ranks=$((2 * ranks)); done
fi
threads=$((cores > ranks ? cores / ranks : 1))
arguments=(--host "localhost:$ranks" --bind-to none -n "$ranks" "$heed" train "$config" --resume --set "run.output=$run")
[ -z "$steps" ] || arguments+=(--set "train.steps=$steps")
steps=${steps:-$(sed -n 's/^train:.*[{ ]steps: *\([0-9]*\).*/\1/p' "$config")}
# On a machine that does other work as well, threads that wait by spinning would only slow each other down.
export OMP_NUM_THREADS=$threads OMP_WAIT_POLICY=passive

if [ -n "$fresh" ]; then
  rm -rf "$run"
elif [ -d "$run" ]; then
  echo
  echo "$run is there: going on with it (--fresh begins anew)"
fi

train() {
  launch "${arguments[@]}"
  # Half-way, ask the ranks to stop, as a scheduler would before it takes the machine away.
  while [ "$1" = stop ] && [ -z "$stop_signal" ] && kill -0 "$mpirun_pid" 2>/dev/null; do
    local step
    step=$(last_step)
    if [ "${step:-0}" -ge $((steps / 2)) ]; then
      title "Half-way: USR1 to the job, which saves and stops"
      kill -USR1 "$mpirun_pid" 2>/dev/null || true
      break
    fi
    sleep 0.5 || true # Ctrl-C ends it: the ranks save then, and finish waits for them
  done
  finish
}

started=$SECONDS
begun=$(last_step)
title "Training: $ranks process(es) of $threads thread(s), $steps steps, mpirun -n $ranks $heed train $config"
if [ "${begun:-0}" -lt $((steps / 2)) ]; then
  train stop
  if [ "$finished" = 75 ] && [ -z "$stop_signal" ]; then
    title "Exit code 75: the ranks saved; the same command with --resume goes on"
    train on
  fi
else
  train on
fi
if [ "$finished" != 0 ]; then
  [ "$finished" != 75 ] || echo "Saved; $0 goes on from there." >&2 || true
  exit "$finished"
fi
trained=$((SECONDS - started))
export OMP_NUM_THREADS=$cores

title "Evaluation, on text the model has not seen"
result=$("$heed" evaluate "$run" --json)
echo "$result"

title "Filling masks"
while read -r sentence; do
  echo "$sentence"
  "$heed" fill "$run" "$sentence" --top 3 | sed 's/^/    /'
done <<'SENTENCES'
In the beginning, God created the heavens and the [MASK].
Jesus said to them, “Go into all the [MASK], and preach the Good News.”
The workers should control their own [MASK].
oak: a large [MASK] with acorns and lobed leaves.
The capitalist [MASK] is based on private property.
SENTENCES

speed=$(perl -ne 'push @s, $1 if /"tokens_per_second": *([\d.]+)/; END { @s = sort { $a <=> $b } @s; print int $s[@s / 2] if @s }' \
  "$run/metrics.jsonl")
masked=$(field accuracy_masked <<<"$result")
unigram=$(field unigram_accuracy <<<"$result")
times=$(awk -v a="$masked" -v b="$unigram" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }')
title "Reached"
printf '%-34s %s\n' \
  "validation loss" "$(printf %.3f "$(field loss <<<"$result")")" \
  "validation perplexity" "$(printf %.1f "$(field perplexity <<<"$result")")" \
  "accuracy where [MASK] was shown" "$(percent "$masked"), $times times that of guessing" \
  "by guessing the commonest token" "$(percent "$unigram")" \
  "steps" "$(field step <<<"$result")" \
  "tokens a second" "$speed" \
  "processes × threads" "$ranks × $threads" \
  "minutes of training" "$(minutes $trained)" \
  "minutes in all" "$(minutes $SECONDS)" \
  "checkpoints, metrics, loss curve" "$run" \
  "text, vocabulary, token shards" "datasets/english"
echo
echo "Try: $heed fill $run \"Your own sentence with a [MASK].\"    Then: configs/bert-mini.yaml, trained in full"

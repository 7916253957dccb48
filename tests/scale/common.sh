# Sourced by the scripts of this folder.  Each runs by one command from a clean clone, says what it sees, leaves nothing behind, and exits
# 0, or 1, or 77 where this machine lacks what it needs.  HEED=… names a program to test instead of building one.
# A script has a function `clean_up`, which may be called at any time; everything it makes is below $dir.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
name=$(basename "$0" .sh)
heed=$PWD/build/bin/heed
export PATH=$PATH:/usr/sbin:/sbin HWLOC_COMPONENTS=-gl OMP_WAIT_POLICY=passive OMPI_MCA_btl_vader_single_copy_mechanism=none
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say() { echo "$name, $SECONDS s: $*"; }
fail() {
  say "FAILED: $*" >&2
  exit 1
}
leave_out() {
  say "left out: $*" >&2
  exit 77
}

end() {
  local code=$?
  trap '' INT TERM
  clean_up || code=1
  rm -rf "$dir"
  [ "$code" != 0 ] || say "all as it should be"
  exit "$code"
}

# Folder, packages, program.
begin() {
  dir=$(mktemp -d -t "heed-$name.XXXXXX")
  trap end EXIT
  trap 'exit 130' INT TERM
  jobs/setup.sh --scale >"$dir/log" 2>&1 || { cat "$dir/log"; leave_out "packages are missing, see above"; }
  if [ -n "${HEED:-}" ]; then
    heed=$(realpath "$HEED")
  else
    { cmake --preset release && cmake --build --preset release --target heed_program; } >"$dir/log" 2>&1 ||
      { tail -n 30 "$dir/log"; fail "heed does not build"; }
  fi
  export HEED=$heed
}

# make_model FOLDER: there a vocabulary, a shard and micro.yaml, a small BERT.  Its learning rate does not depend on train.steps, so that a
# run may be told how far to go while it is under way.
make_model() {
  local text=datasets/sample/text.txt
  { "$heed" tokenizer train --type wordpiece --vocab-size 1024 --output "$1/vocab.txt" $text &&
    "$heed" prepare --vocab "$1/vocab.txt" --output "$1/train.h5" $text; } >"$dir/log" 2>&1 ||
    { cat "$dir/log"; fail "making the data"; }
  cat >"$1/micro.yaml" <<YAML
run: {name: micro}
model: {family: bert, vocabulary_size: 1024, layers: 2, hidden: 128, heads: 2, feed_forward: 512, max_positions: 64, dropout: 0.1, attention_dropout: 0.1}
data: {train: $1/train.h5, vocabulary: $1/vocab.txt}
train: {steps: 1000000, sequence_length: 64, batch_sequences: 16, slices: 8}
optimizer: {learning_rate: 1.0e-3}
schedule: {warmup_steps: 10, decay: constant}
checkpoint: {every_steps: 20, keep: 2}
evaluate: {every_steps: 0}
log: {every_steps: 1}
YAML
}
set_steps() { sed -i "s/{steps: [0-9]*/{steps: $2/" "$1"; } # CONFIG STEPS

# train_alone RUN CONFIG STEPS: what the run would be if nothing ever happened to it, in one process.
train_alone() {
  OMP_NUM_THREADS=$(nproc) "$heed" train "$2" --set "run.output=$1" --set "train.steps=$3" --set checkpoint.every_steps=0 >"$dir/log" 2>&1 ||
    { cat "$dir/log"; fail "training in one process"; }
}

newest() { find "$1/checkpoints" -maxdepth 1 -name 'step-????????' | sort | tail -n 1; }
saved_step() { sed -n 's/^step //p' "$(newest "$1")/MANIFEST" 2>/dev/null || echo 0; }
logged_step() { sed -n 's/.*"step": *\([0-9]*\).*/\1/p' "$1/metrics.jsonl" 2>/dev/null | tail -n 1; }
has_reached() { [ "$(logged_step "$1" || true)" -ge "$2" ] 2>/dev/null; } # RUN STEP

# same RUN RUN: their newest checkpoints are sound, of the same step, and hold the same bits in every tensor, moments included.
same() {
  local run
  for run; do
    "$heed" checkpoint verify "$(newest "$run")" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "a checkpoint of $run is not sound"; }
    grep -E '^(step|updates|data_position|samples_seen|item float32) ' "$(newest "$run")/MANIFEST" >"$dir/tensors.$([ "$run" = "$1" ] && echo 1 || echo 2)"
  done
  [ "$(grep -c '^item float32' "$dir/tensors.1")" -gt 30 ] || fail "$1 holds hardly any tensor"
  cmp "$dir/tensors.1" "$dir/tensors.2" || fail "$1 and $2 are not the same bits"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
}

# step_time RUN: "M ms a step, N tokens/s", medians.
step_time() {
  perl -ne '
    if (/"tokens": *(\d+).*"tokens_per_second": *([\d.]+)/) { push @ms, 1000 * $1 / $2; push @speed, $2 }
    END { my $m = @ms / 2; printf "%.1f ms a step, %.0f tokens/s\n", (sort { $a <=> $b } @ms)[$m], (sort { $a <=> $b } @speed)[$m] }' "$1/metrics.jsonl"
}

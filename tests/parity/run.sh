#!/usr/bin/env bash
# Compares Heed with PyTorch, Hugging Face transformers, the Rust tokenizers and TensorBoard: token ids, kernels, logits, losses,
# gradients, the distance of bf16, greedy text, training step by step, weights to and fro, events.  Its last line is "N passed, N
# failed".  Needs a release build with tests (tests/run.sh makes it) and, the first time, the network: PyTorch and the rest go into
# build/parity (or HEED_PYTHON names a python that has them), the text into datasets/english.
#   tests/parity/run.sh [--long] [SCRIPT.py …]     --long: also 1,000 steps of BERT-mini beside PyTorch, most of an hour on two cores,
#                                                and GPT-2 124M without the cache
set -euo pipefail
cd "$(dirname "$0")/../.."
long=
case ${1:-} in
  --long) long=1; shift ;;
  --help) sed -n '2,7s/^# \?//p' "$0"; exit 0 ;;
esac
scripts=("$@")
[ ${#scripts[@]} -gt 0 ] || scripts=(tokenizer.py bpe.py mechanism.py models.py families.py bf16.py weights.py training.py events.py)

[ -x build/bin/heed ] && [ -x build/bin/parity ] && [ -x build/bin/parity-kernels ] || { echo "parity: build first: tests/run.sh, or cmake --build --preset release" >&2; exit 1; }
python=$(tests/python.sh)
datasets/english.sh >/dev/null

export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0

# run SCRIPT ARGUMENT…: adds its counts; one that ends without any has failed.
run() {
  local counts
  echo "== $*"
  "$python" "tests/parity/$1" "${@:2}" 2>&1 | tee "$out" || true
  counts=$(tail -n 1 "$out" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p')
  read -r good bad <<<"${counts:-0 1}"
  passed=$((passed + good)) failed=$((failed + bad))
}

for script in "${scripts[@]}"; do run "$script"; done
[ -z "$long" ] || { run families.py --long; run training.py --long; }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

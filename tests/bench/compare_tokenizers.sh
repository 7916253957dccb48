#!/usr/bin/env bash
# How fast Heed and the Rust library `tokenizers` encode text and prepare it for training, in turn, in one run, on the same number of threads
# (OMP_NUM_THREADS, else all), with the same vocabularies: those of datasets/english, and its text unless files are named.  Needs a build, and
# the first time the network (tests/python.sh, datasets/english.sh).
#   tests/bench/compare_tokenizers.sh [--rounds N] [--markdown] [--json FILE] [--lock FILE] [TEXT …]
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x "${HEED:-build/bin/heed}" ] || { echo "compare_tokenizers: build first: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
python=$(tests/python.sh)
datasets/english.sh >/dev/null
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
export RAYON_NUM_THREADS=$OMP_NUM_THREADS TOKENIZERS_PARALLELISM=true
exec "$python" tests/bench/compare_tokenizers.py "$@"

#!/usr/bin/env bash
# How fast Heed and PyTorch train here, in turn, in one run: a table of step times and their ratios.  PyTorch at its best: eager and
# torch.compile, fp32 and bf16 autocast, scaled_dot_product_attention, logits at the targets only, fused AdamW.  Same sizes, vocabulary, lengths,
# dropout 0.1, clipping and threads (OMP_NUM_THREADS, else all).  Needs a build, a quiet machine, and the first time the network
# (tests/python.sh).
#   tests/bench/compare_pytorch.sh [--cases NAME,…] [--precisions fp32,bf16] [--modes eager,compile] [--steps N] [--rounds N] [--quick]
#                                  [--markdown] [--json FILE] [--lock FILE]       --help tells more
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x "${HEED:-build/bin/heed}" ] || { echo "compare_pytorch: build first: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
python=$(tests/python.sh)
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
exec "$python" tests/bench/compare.py "$@"

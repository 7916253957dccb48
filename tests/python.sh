#!/usr/bin/env bash
# Prints the Python that has PyTorch, transformers and the Rust tokenizers, for the comparisons of tests/parity and tests/bench: HEED_PYTHON if
# that is set, else that of build/parity, which is made here the first time (it wants the network).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${HEED_PYTHON:-}" ]; then
  "$HEED_PYTHON" -c 'import torch, transformers, tokenizers' >&2 || { echo "python.sh: HEED_PYTHON=$HEED_PYTHON lacks what tests/parity/requirements.txt names" >&2; exit 1; }
  echo "$HEED_PYTHON"
  exit
fi
jobs/setup.sh --parity >&2
environment=$PWD/build/parity
if ! cmp -s tests/parity/requirements.txt "$environment/made-from"; then
  echo "python.sh: PyTorch and the rest, into build/parity" >&2
  rm -rf "$environment"
  python3 -m venv "$environment" >&2
  "$environment/bin/pip" install -q --disable-pip-version-check -r tests/parity/requirements.txt >&2
  cp tests/parity/requirements.txt "$environment/made-from"
fi
echo "$environment/bin/python"

# title: flipped bits, files cut short, missing, exchanged
# expected: detected, the one before taken, with a reason
# Each bit of MANIFEST, random ones of state.h5 (tests/faults/damage.c); then through the program.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

resumes_before() { # RANKS WORDS COMMAND…, which is done in the newest checkpoint's folder
  local ranks=$1 words=$2
  shift 2
  cp -a half run
  (cd run/checkpoints/step-00000012 && "$@") || lost "it could not be damaged"
  train "$ranks" run --resume
  ended 0
  said "step-00000012: $words.*passed over"
  said 'resuming at step 9'
  same_bits run
}
nothing_good() { # RANKS
  cp -a half run
  for file in run/checkpoints/*/state.h5; do truncate -s 1000 "$file"; done
  train "$1" run --resume
  ended 65
  said 'none of its checkpoints is sound'
}

program damage
prepare
flip() { printf '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
try 1-flip resumes_before 1 'state.h5 is damaged' flip state.h5 200000
try 2-short resumes_before 2 'state.h5 has 4096 bytes' truncate -s 4096 state.h5
try 4-manifest resumes_before 4 'MANIFEST' truncate -s 100 MANIFEST
try 2-missing resumes_before 2 'state.h5 is missing' rm state.h5
try 4-nothing nothing_good 4

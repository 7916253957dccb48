# title: symlink, FIFO, folder where a file is expected
# expected: named, no hang, nothing written through it; goes on without
# Each name of a run folder is in turn replaced by each other kind of thing.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"
limit=30
newest=checkpoints/step-00000012

put() { # KIND PATH: in place of what is there, of which `original` keeps a copy
  rm -rf original nowhere
  [ ! -e "$2" ] || cp -a "$2" original
  rm -rf "$2"
  case $1 in
    link) ln -s "$work/target" "$2" ;;
    copy) ln -s "$work/original" "$2" ;; # a link to what was there, which must not be followed
    broken) ln -s "$work/nowhere" "$2" ;;
    fifo) mkfifo "$2" ;;
    folder) mkdir "$2" ;;
    file) echo text >"$2" ;;
  esac
}

# Goes on as if it were damaged: the checkpoint before is taken, which says why.
passed_over() { # RANKS KIND NAME
  cp -a half run
  put "$2" "run/$3"
  train "$1" run --resume
  ended 0
  said 'this checkpoint is passed over'
  said 'resuming at step 9'
  same_bits run
}

# Either it goes on or it refuses with a word; when it is away again, nothing is lost.
refused_or_harmless() { # RANKS KIND NAME
  cp -a half run
  echo untouched >target
  put "$2" "run/$3"
  train "$1" run --resume
  case $code in
    0) same_bits run ;;
    65 | 74) said "${3##*/}" ;;
    *) lost "exit code $code: $(tail -n 3 out)" ;;
  esac
  [ "$(cat target)" = untouched ] && [ ! -e nowhere ] || lost "it wrote through the link"
  rm -rf "run/$3"
  [ ! -e original ] || mv original "run/$3"
  goes_on "$([ "$long" = 1 ] && other_ranks "$1" || echo 0)" run 12
}

# The run folder itself.
no_folder() { # KIND
  echo untouched >target
  put "$1" run
  train 2 run
  ended 65
  said "$work/run"
  [ "$(cat target)" = untouched ] && [ ! -e nowhere ] || lost "it wrote through the link"
}

prepare
counts=(0 2 0 4) turn=0
[ "$long" = 0 ] || counts=(1 2 4 0)
rounds=$((long ? 4 : 1))
for round in $(seq $rounds); do
  for kind in link copy broken fifo folder file; do
    for name in MANIFEST state.h5; do
      turn=$((turn + 1))
      try "$round-$name-$kind" passed_over "${counts[turn % 4]}" $kind $newest/$name
    done
    try "$round-checkpoint-$kind" passed_over "${counts[turn % 4]}" $kind $newest
    for name in .lock metrics.jsonl config.yaml checkpoints $([ "$long" = 0 ] || echo vocab.txt report.html loss.svg); do
      turn=$((turn + 1))
      try "$round-$name-$kind" refused_or_harmless "${counts[turn % 4]}" $kind "$name"
    done
  done
done
for kind in link broken fifo file; do try "run-$kind" no_folder $kind; done

# title: no memory for an allocation of Heed's own
# expected: a clear error, or it goes on; then same bits
# In start, save and load.  Short: the first allocation of each place in the program; long: all, and on one rank of two.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

with() { before=(env "LD_PRELOAD=$programs/memory_preload.so" "$@"); }

# What a job without memory may do: go on, or end with a reason.
sound() {
  case $code in
    0) ;;
    1 | 65 | 74) said 'error: ..*' ;;
    *) lost "exit code $code: $(tail -n 3 out)" ;;
  esac
}

at_start() { # RANKS NUMBER
  with "HEED_NO_MEMORY=$2" sick=last
  train "$1" run --set train.steps=6
  sound
  sick=first
  goes_on 0 run "$(saved)"
}

at_load() { # RANKS NUMBER
  cp -a half run
  with "HEED_NO_MEMORY=$2" sick=last
  train "$1" run --resume
  sound
  sick=first
  goes_on 0 run "$(at=$(saved); echo "${at:-12}")"
}

# numbers LIST [OTHER]: of the first of each place that OTHER does not have; in the long form all.
numbers() {
  if [ "$long" = 1 ]; then
    seq "$(awk '$1 == "all" { print $2 }' "$1")"
  else
    awk 'NR == FNR && FILENAME != ARGV[2] { other[$1]; next } $1 != "all" && !($1 in other)' "${2:-/dev/null}" "$1" | sort -n -k 2 | awk '{ print $2 }'
  fi
}

prepare
key=list
for count in 0 2; do
  with "HEED_ALLOCATIONS=$work/start.$count" sick=last
  train $count run --set train.steps=6
  ended 0
  rm -r run
  cp -a half run
  with "HEED_ALLOCATIONS=$work/load.$count" sick=last
  train $count run --resume
  ended 0
  rm -r run
  [ "$(wc -l <"start.$count")" -gt 50 ] || lost "hardly any allocation is seen"
done
for number in $(numbers start.0); do try "start-$number" at_start 0 "$number"; done
for number in $(numbers load.0 start.0); do try "load-$number" at_load 0 "$number"; done
every=$((long ? 1 : 12)) # with ranks that wait for the one without memory
for number in $(numbers start.2 | awk -v e=$every 'NR % e == 0'); do try "start-2-$number" at_start 2 "$number"; done
for number in $(numbers load.2 start.2 | awk -v e=$every 'NR % e == 0'); do try "load-2-$number" at_load 2 "$number"; done

#!/usr/bin/env bash
# Breaks Heed in every way that promises something, and counts what was lost: a run folder that cannot be resumed, more steps than those
# since the last save, bits other than an uninterrupted run's, a damaged checkpoint taken, a wrong exit code, a hang, an orphan, a crash.
#   tests/faults/run.sh [--long] [--markdown] [SCENARIO…]      SCENARIO: the name of a script of this folder
#     --long       for a night: thousands of runs; what is done is kept below $HEED_FAULTS_STATE (build/faults), for this very program, and
#                  the next call goes on from there
#     --markdown   rows as README.md has them
#   HEED=… names a program to break instead of building one; SEED=… the random choices
# Exits 0 when nothing was lost, 1 when something was.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
source=$PWD long=0 markdown=0 seed=${SEED:-1}
scenarios=()
for option; do
  case $option in
    --long) long=1 ;;
    --markdown) markdown=1 ;;
    -*) sed -n '2,/^set/{/^set/d;s/^# \?//p}' "$0"; [ "$option" = --help ] && exit 0 || exit 64 ;;
    *) scenarios+=("$option") ;;
  esac
done
if [ ${#scenarios[@]} -eq 0 ]; then
  for file in tests/faults/*.sh; do
    ! grep -q '^# title: ' "$file" || scenarios+=("$(basename "$file" .sh)")
  done
fi

jobs/setup.sh --tests >/dev/null || exit 77
targets=(faults)
[ -n "${HEED:-}" ] || targets+=(heed_program)
if ! log=$({ cmake --preset release -DHEED_TESTS=ON && cmake --build --preset release --target "${targets[@]}"; } 2>&1); then
  tail -n 30 <<<"$log"
  exit 1
fi
heed=$(realpath "${HEED:-build/bin/heed}")
programs=$source/build/tests/faults

# The long form's results stay; those of the short form are of one run.
temporary=$(mktemp -d -t heed-faults.XXXXXX)
state=$temporary
[ $long = 0 ] || state=${HEED_FAULTS_STATE:-$source/build/faults}/$(cksum <"$heed" | cut -d ' ' -f 1)
mkdir -p "$state"
scenario= # the process of the one under way
end() {
  trap '' INT TERM
  local children
  # The scripts before their jobs, so that none takes the end of its job for a loss.
  # shellcheck disable=SC2046
  [ -z "$scenario" ] || kill -KILL "$scenario" $(pgrep -P "$scenario") 2>/dev/null
  children=$(pgrep -f -- "$temporary/" | grep -vx $$)
  # shellcheck disable=SC2086
  [ -z "$children" ] || kill -KILL $children 2>/dev/null
  umount "$temporary"/*/disk 2>/dev/null
  rm -rf "$temporary"
}
trap end EXIT
trap 'exit 130' INT TERM

row() {
  if [ $markdown = 1 ]; then
    printf '| %s | %s | %s | %s |\n' "$@"
  else
    printf '%-73s %6s  %-5s %s\n' "$1" "$2" "$4" "$3"
  fi
}
field() { sed -n "s/^# $2: //p" "tests/faults/$1.sh"; }
count() { grep -c "^$1 " "$results"; }

row scenario runs expected lost
[ $markdown = 0 ] || row --- ---: --- ---:
wrong=0 begun=$SECONDS
for name in "${scenarios[@]}"; do
  [ -f "tests/faults/$name.sh" ] || { echo "run.sh: there is no scenario $name" >&2; exit 64; }
  results=$state/$name.results work=$temporary/$name
  if ! [ -e "$state/$name.done" ]; then
    touch "$results" && sed -i '/^pending /d' "$results" && mkdir "$work"
    (export source heed programs results work long seed; exec bash "tests/faults/$name.sh" >"$work.log" 2>&1) &
    scenario=$!
    wait $scenario ||
      { echo "lost the scenario itself ended with an error: $(tail -n 3 "$work.log" | tr '\n' ' ')" >>"$results"; }
    scenario=
    rm -rf "$work"
    grep -q '^pending ' "$results" || touch "$state/$name.done"
  fi
  lost=$(count lost) runs=$((lost + $(count ok)))
  reason=$(sed -n 's/^pending //p' "$results" | head -n 1)
  if [ "$lost" != 0 ] || { [ $runs = 0 ] && [ -z "$reason" ]; }; then
    wrong=1
    sed -n 's/^lost /    /p' "$results" | head -n 20 >&2
    [ $runs != 0 ] || echo "    $name made no run" >&2
  fi
  row "$(field "$name" title)" $runs "$(field "$name" expected)" "$lost${reason:+, pending: $reason}"
done
[ $markdown = 1 ] || echo "$((SECONDS - begun)) s"
exit $wrong

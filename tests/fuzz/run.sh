#!/usr/bin/env bash
# Lets a fuzzer loose on what reads files from strangers, one format after the other, under the address and undefined-behaviour sanitizers.
#   tests/fuzz/run.sh [--seconds N] [--engine libfuzzer|afl] [FORMAT…]      N seconds a format (60); all formats: the *.c here
# What it learns stays in build-fuzz/, where the next run goes on.  A finding is an input that crashes, leaks, takes over 2 s or 256 MiB, or
# after which something does not hold that must: it is named, and the script exits 1.  Once mended, it goes to corpus/FORMAT, whose files
# are fed to the targets by the ordinary tests.  jobs/setup.sh --fuzz installs what is needed.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/fuzz seconds=60 engine=libfuzzer formats=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?} && shift ;;
    --engine) engine=${2:?} && shift ;;
    -*) sed -n '2,6s/^# \?//p' "$0"; [ "$1" = --help ] && exit 0 || exit 64 ;;
    *) [ -d "$here/corpus/$1" ] || { echo "run.sh: there is no format $1" >&2; exit 64; }
       formats+=("$1") ;;
  esac
  shift
done
[ ${#formats[@]} -gt 0 ] || mapfile -t formats < <(ls "$here/corpus")

case $engine in
  libfuzzer) compiler=clang ;;
  afl) compiler=afl-clang-fast ;;
  *) echo "run.sh: --engine takes libfuzzer or afl" >&2; exit 64 ;;
esac
build=build-fuzz/$engine
export AFL_QUIET=1 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_AUTORESUME=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
CC=$compiler cmake -G Ninja -S $here -B "$build" >/dev/null
ninja -C "$build" >"$build/log" || { cat "$build/log" >&2; exit 1; }

# A sanitizer keeps freed memory back for a while, which is not the program's use of it.
export ASAN_OPTIONS=quarantine_size_mb=4:allocator_may_return_null=1:detect_stack_use_after_return=0
export UBSAN_OPTIONS=print_stacktrace=1

fuzz_libfuzzer() { # FORMAT
  mkdir -p "$build/corpus/$1" "$build/findings/$1"
  nice -n 10 "$build/bin/fuzz-$1" -max_total_time="$seconds" -rss_limit_mb=256 -timeout=2 -max_len=16384 -use_value_profile=1 \
    -print_final_stats=1 -artifact_prefix="$build/findings/$1/" "$build/corpus/$1" "$here/corpus/$1" >"$build/$1.log" 2>&1 || true
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$1.log")
}

fuzz_afl() { # FORMAT
  mkdir -p "$build/findings"
  ASAN_OPTIONS=$ASAN_OPTIONS:abort_on_error=1:symbolize=0:detect_leaks=0 nice -n 10 afl-fuzz -i "$here/corpus/$1" -o "$build/findings/$1" -t 2000 -m none \
    -V "$seconds" -- "$build/bin/fuzz-$1" >"$build/$1.log" 2>&1 || true
  tried=$(sed -n 's/^execs_done *: *//p' "$build/findings/$1/default/fuzzer_stats")
}

# The fuzzers' own clock is the wall's, and the machine may have had other work: what took too long must do so again in processor time.
drop_false_alarms() { # FORMAT
  local input
  while read -r input; do
    if (ulimit -t 2 && "$build/bin/fuzz-$1" "$input") >/dev/null 2>&1; then rm "$input"; fi
  done < <(find "$build/findings/$1" -type f \( -name 'timeout-*' -o -path '*/hangs/id*' \))
}

found=0
for format in "${formats[@]}"; do
  begun=$SECONDS tried=
  "fuzz_$engine" "$format"
  if [ -z "$tried" ]; then
    echo "run.sh: the fuzzer of $format did not run to its end; $build/$format.log:" >&2
    tail -n 5 "$build/$format.log" >&2
    found=1
  fi
  echo $((SECONDS - begun)) >>"$build/$format.seconds"
  total=$(awk '{ sum += $1 } END { print sum }' "$build/$format.seconds")
  drop_false_alarms "$format"
  mapfile -t findings < <(find "$build/findings/$format" -type f \( -name 'crash-*' -o -name 'leak-*' -o -name 'timeout-*' -o -name 'oom-*' \
    -o -path '*/crashes/id*' -o -path '*/hangs/id*' \))
  echo "$format: ${tried:-?} inputs in $((SECONDS - begun)) s ($total s in all), ${#findings[@]} findings"
  for finding in "${findings[@]}"; do
    echo "  $finding"
    found=1
  done
done
exit $found

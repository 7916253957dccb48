#!/usr/bin/env bash
# Sets up, builds and runs all tests.  Its last line is "N passed, N failed, N skipped"; it exits 1 if any failed or none ran.
#   tests/run.sh [release|debug|tiles] [CTEST OPTION…]     debug: under the address and undefined-behaviour sanitizers
#                                                           tiles: AMX's instructions worked out in C, to test its kernels without it
# With CI=true warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=release
case ${1:-} in
  release | debug | tiles) preset=$1; shift ;;
esac

jobs/setup.sh --tests
werror=OFF
[ "${CI:-}" = true ] && werror=ON
cmake --preset "$preset" -DHEED_WERROR=$werror -DHEED_TESTS=ON >/dev/null
cmake --build --preset "$preset"
build=build
[ "$preset" = release ] || build=build-$preset

results=$PWD/$build/tests.xml
rm -f "$results"
ctest --test-dir "$build" --output-on-failure --no-tests=ignore --timeout 300 -j "$(nproc)" --output-junit "$results" "$@" </dev/null || true
[ -s "$results" ] || { echo "run.sh: ctest wrote no results" >&2; exit 1; }

# A test is a testcase element.  What exits 77 is skipped; a program that is missing or never started has failed.
passed=$(grep -c '<testcase .* status="run"' "$results" || true)
skipped=$(grep -c '<skipped message="SKIP_RETURN_CODE=' "$results" || true)
failed=$(($(grep -c '<testcase ' "$results" || true) - passed - skipped))

# Every test source must be among those results, unless ctest was asked for a part.
if [ $# -eq 0 ]; then
  while read -r source; do
    name=${source#tests/}
    case $name in
      *_test.c) grep -qE "<testcase name=\"${name%_test.c}(-[0-9]+)?\"" "$results" && continue ;;
    esac
    echo "run.sh: $source was not run" >&2
    failed=$((failed + 1))
  done < <({ find tests -name '*_test.c'; grep -rl --include='*.c' '^HEED_[A-Z_]*TESTS(' tests; } | sort -u)
fi
[ $((passed + failed)) -gt 0 ] || echo "run.sh: no test ran" >&2

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

# title: the cable between two hosts is pulled
# expected: ends with a message, no orphan; resumes, same bits
# tests/scale/hosts.sh has this case, on two network namespaces.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

pull() {
  HEED=$heed timeout 900 "$source/tests/scale/hosts.sh" >out 2>&1 || code=$?
  [ "$code" != 77 ] || exit 77
  ended 0
}

for i in $(seq $((long ? 10 : 1))); do
  try "$i" pull
  [ -s "$results" ] || pending "$(tail -n 1 out)"
done

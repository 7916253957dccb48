# title: a bit that flips in a rank's memory: in its copy of the parameters, in its shard
# expected: exit 1, naming the rank, nothing of it saved; resumes, same bits
# With guard.hash_every_steps=1, at each step in turn, those with a save among them.  Twelve slices, which 1, 3 and 6 ranks share.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

flip() { # RANKS WHICH PLACE PASSING BACKGROUND
  local odd=0 words
  case $3 in
    shard) words='this rank.s share of weights and moments changed by itself' ;;
    copy) words='this rank.s copy of the parameters changed by itself' ;;
    replica) words='the parameters are not those of the other ranks' ;;
  esac
  [ "$2" = first ] || odd=$(($1 - 1))
  before=(env "HEED_FAILPOINT=step.$3:$4:error") sick=$2
  train "$1" run --set guard.hash_every_steps=1 --set checkpoint.background="$5"
  ended 1
  said "^error: .*$([ "$1" = 1 ] || echo "rank $odd: ")on .*$words"
  [ "$(grep -c '^error: ' out)" = 1 ] || lost "not one message: $(tail -n 3 out)"
  sick=first
  goes_on "$(($1 == 3 ? 1 : 3))" run "$(saved)"
}

prepare
sed -i 's/batch_sequences: 16, slices: 8/batch_sequences: 24, slices: 12/' micro.yaml
rm -r reference
make_reference reference
turn=0 ranks=(3 1 6)
for passing in $([ "$long" = 1 ] && seq 24 || echo 1 3 6 24); do
  for place in replica shard copy; do
    for which in first last; do
      turn=$((turn + 1)) background=$([ $((turn % 3)) = 0 ] && echo false || echo true)
      count=${ranks[turn % 3]}
      [ "$count" != 1 ] || [ $place = shard ] || count=3 # one rank has no copy
      try "$count-$which-$place-$passing" flip "$count" $which $place "$passing" "$background"
    done
  done
done

# title: kill -9 of a rank, of mpirun, of all ranks
# expected: resumes on other ranks at the last save, same bits
# At each failpoint of a save and a load, and at random moments; on 1, 2 and 4 ranks.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

# Rank 0 kills itself at a passing of a place.
at_failpoint() { # RANKS PLACE PASSING
  before=(env "HEED_FAILPOINT=$2:$3")
  train "$1" run
  ended 137
  goes_on "$(other_ranks "$1")" run "$(saved)"
}

# A first half, and a kill while it is loaded.
in_a_load() { # RANKS PASSING
  cp -a half run
  before=(env "HEED_FAILPOINT=load.piece:$2")
  train "$1" run --resume
  ended 137
  goes_on "$(other_ranks "$1")" run 12
}

# WHO: a rank, mpirun, or all ranks; MOMENT: hundredths of the time that such a job takes, half of it if the job was over by then.
at_random() { # RANKS WHO MOMENT
  local victims
  begin_job "$1" run
  sleep "$(awk "BEGIN { print $3 / 100 * ${duration[$1]} }")"
  case $2 in
    rank) victims=$(ranks_of | shuf -n 1 --random-source=<(yes "$3")) ;;
    mpirun) victims=$pid ;;
    all) victims=$(ranks_of) ;;
  esac
  # shellcheck disable=SC2086
  kill -KILL $victims 2>/dev/null
  end_job
  no_orphans || lost "processes were left 10 s after the kill of $2: $left"
  if [ "$code" = 0 ]; then
    grep -q 'step 24  saved' out || lost "exit code 0 before the end"
    [ "$3" = 0 ] || { rm -r run; at_random "$1" "$2" $(($3 / 2)); }
    return
  fi
  goes_on "$(other_ranks "$1")" run "$(saved)"
}

# Once all ranks are there and before they have found each other: mpirun.
in_the_start() { # RANKS HUNDREDTHS, to wait
  begin_job "$1" run
  until [ "$(ranks_of | wc -l)" = "$1" ]; do kill -0 $timer 2>/dev/null || lost "it does not start: $(tail -n 3 out)"; done
  sleep "0.$2"
  kill -KILL "$pid" 2>/dev/null
  end_job
  no_orphans || lost "processes were left 10 s after the kill of mpirun: $left"
  goes_on "$(other_ranks "$1")" run "$(saved)"
}

prepare
places=(store.open save.begin save.folder save.create save.texts save.piece save.window save.sync save.read_back save.manifest save.manifest_sync
  save.folder_sync save.agree save.rename save.parent_sync save.retire save.unlink)
ranks=(1 2 4) whom=(rank mpirun all) passings=(1 2 3)
[ "$long" = 0 ] || passings=(1 2 3 4 5 6)
for i in "${!places[@]}"; do
  for passing in "${passings[@]}"; do
    for count in "${ranks[@]}"; do # short: each place once, on ranks and at passings that change
      [ "$long" = 1 ] || { [ "$count" = "${ranks[i % 3]}" ] && [ "$passing" = $((i / 3 % 3 + 1)) ]; } || continue
      [ "${places[i]}" != store.open ] || [ "$passing" = 1 ] || continue
      try "$count-${places[i]}-$passing" at_failpoint "$count" "${places[i]}" "$passing"
    done
  done
done
try 2-load.piece-3 in_a_load 2 3
for moment in $([ "$long" = 1 ] && seq -w 0 39 || echo 00 02); do try "4-start-$moment" in_the_start 4 "$moment"; done

declare -A duration
for count in "${ranks[@]}"; do
  begun=$(date +%s.%N)
  key=timing
  train "$count" run.timed
  duration[$count]=$(awk "BEGIN { print $(date +%s.%N) - $begun }")
  rm -r run.timed
done
for i in $(seq $((long ? 720 : 9))); do
  moment=$((RANDOM % 100))
  try "random-$i-${ranks[i % 3]}-${whom[i / 3 % 3]}-$moment" at_random "${ranks[i % 3]}" "${whom[i / 3 % 3]}" $moment
done

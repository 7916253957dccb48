# title: a shard unreadable, damaged or different on one rank; cut short or written to under way
# expected: exit 65 or 74, naming rank or file; goes on when mended
# A mount namespace of its own shows one rank another file.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

# cover WITH: words that start a program which sees WITH in place of train.h5.
cover() { before=(unshare -m sh -c "mount --bind '$1' '$work/train.h5' && exec \"\$@\"" sh); }

refused_on_one() { # RANKS WITH [OPTION]
  cp -a half run
  cover "$work/$2"
  sick=last
  train "$1" run --resume
  [ "$code" = 65 ] || [ "$code" = 74 ] || lost "exit code $code: $(tail -n 3 out)"
  said "rank $(($1 - 1)): .*train.h5"
  [ "$2" != flipped.h5 ] || said 'it is damaged: its content is not what'
  sick=first before=()
  goes_on "$1" run 12
}

# What happens to the file that all have mapped.
cut_short() { : >mapped.h5; }
spoil() { head -c 20000 /dev/urandom | dd of=mapped.h5 bs=1000 seek=3 conv=notrunc status=none; }
exchange() { cat other.h5 >mapped.h5; }

under_way() { # RANKS HOW
  cp train.h5 mapped.h5
  begin_job "$1" run --set data.train=mapped.h5 --set train.steps=1000000 --set checkpoint.every_steps=100 --set log.every_steps=1000
  reached 'step 200  saved' || lost "it does not train: $(tail -n 3 out)"
  "$2"
  end_job
  ended 74
  said 'error: .*mapped.h5: .*\(can no longer be read\|was written to while in use\)'
  look_at_newest run
  cp train.h5 mapped.h5
  train "$(other_ranks "$1")" run --resume --set data.train=mapped.h5 --set "train.steps=$((kept + 3))"
  ended 0
  said "resuming at step $kept"
  "$heed" train micro.yaml --set "run.output=$work/run.alone" --set "train.steps=$((kept + 3))" --set checkpoint.every_steps=0 >/dev/null 2>&1
  same_bits run run.alone
}

prepare
head -n 200 text.txt >other.txt
"$heed" prepare --vocab vocab.txt --output other.h5 other.txt
for count in 1 2 4; do
  for how in cut_short spoil exchange; do try "$how-$count" under_way $count $how; done
done
unshare -m true 2>unshare.out || pending "no mount namespace can be made here: $(cat unshare.out)"
head -c 5000 train.h5 >short.h5
cp train.h5 flipped.h5 # a bit of a token, which stays a possible one
at=$(($(stat -c %s train.h5) / 4 * 2))
printf '%b' "\\0$(printf %o $(($(od -An -tu1 -j $at -N 1 train.h5) ^ 1)))" | dd of=flipped.h5 bs=1 seek=$at conv=notrunc status=none
: >empty.h5
counts=(2 4)
for round in $(seq $((long ? 10 : 1))); do
  for with in other.h5 flipped.h5 short.h5 empty.h5 text.txt; do
    try "$round-$with" refused_on_one "${counts[round % 2]}" $with
  done
done

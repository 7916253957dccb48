# title: a small disk that fills during a save
# expected: told, earlier checkpoint kept; with room goes on, same bits
# A tmpfs of many sizes, so that it fills at many places.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

mount_small() { mount -t tmpfs -o "size=$1" tmpfs "$work/disk"; }

# Full to the end: the last save is the error of the run.
to_the_end() { # RANKS KIBIBYTES
  mount_small "$2k" || lost "the tmpfs cannot be mounted"
  trap 'umount "$work/disk"' EXIT
  train "$1" disk/run
  [ "$code" = 74 ] || [ "$code" = 0 ] || lost "exit code $code, not 74: $(tail -n 3 out)"
  [ "$code" = 0 ] || said 'No space left on device'
  local kept
  kept=$(saved)
  mount -o remount,size=16m "$work/disk"
  goes_on "$(other_ranks "$1")" disk/run "$kept"
}

# Room is made while it trains: it goes on and saves again.
while_it_trains() { # RANKS
  local limit=600 # thousands of steps, on processors that may have other work
  mount_small 1200k || lost "the tmpfs cannot be mounted"
  trap 'umount "$work/disk"' EXIT
  begin_job "$1" disk/run "${far[@]}"
  reached 'No space left on device' || lost "the disk did not fill: $(tail -n 3 out)"
  mount -o remount,size=16m "$work/disk"
  end_job
  ended 0
  said 'training goes on'
  same_bits disk/run far
}

prepare
mkdir "$work/disk"
mount_small 1m 2>mount.out || pending "no tmpfs can be mounted here: $(cat mount.out)"
umount "$work/disk"
far=(--set train.steps=4000 --set checkpoint.every_steps=100 --set log.every_steps=1000)
make_reference far "${far[@]}"
turn=0 ranks=(1 2 4)
for size in $(seq 64 $((long ? 16 : 150)) 1500); do
  turn=$((turn + 1))
  try "to-the-end-$size" to_the_end "${ranks[turn % 3]}" "$size"
done
for count in 1 2 4; do
  try "while-it-trains-$count" while_it_trains "$count"
done

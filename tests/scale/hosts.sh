#!/usr/bin/env bash
# jobs/hostfile.sh on two hosts: network namespaces of this machine, each with a name, an address, a processor and a disk of its own, and
# a cable between them.  mpirun starts ranks on the other one through a program in place of ssh.        tests/scale/hosts.sh
#   two ranks, four ranks       across both hosts: the bits of one process; jobs/pbs.sh likewise, each host named once
#   100 Mbit/s                  slower, and the same bits
#   data on each host's disk    nothing is read from the disk of rank 0's host only; a missing copy and a different one are refused
#   a rank is stopped for good  the watchdog ends the job, with the rank's host in its message, whichever rank it is
#   the cable is pulled         the job ends in bounded time with a message, leaves no process, and --resume goes on to the same bits
# Needs root with the right to make network namespaces, and what `jobs/setup.sh --scale` installs.  Some three minutes.
set -euo pipefail
# shellcheck source=tests/scale/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/scale/two_hosts.sh
. tests/scale/two_hosts.sh
job=

clean_up() {
  remove_hosts
}

# across SLOTS [heed train's options]: the launcher runs on the first host.
across() {
  local slots=$1
  shift
  printf '%s slots=%d\n' $one "$slots" $two "$slots" >"$dir/hosts"
  "$dir/on" $one jobs/hostfile.sh "$dir/hosts" "$@" >"$dir/out" 2>&1
}
train_across() {
  across "$@" || { cat "$dir/out"; fail "training across the hosts"; }
}
refused() { # TEXT SLOTS OPTION…: exit code 65, with that text
  local text=$1 code=0
  shift
  across "$@" || code=$?
  [ "$code" = 65 ] && grep -qF -- "$text" "$dir/out" || { cat "$dir/out"; fail "exit code $code, not 65 with: $text"; }
}

same_bits() {
  train_alone "$dir/alone" "$dir/micro.yaml" 40
  train_across 1 "$dir/micro.yaml" --set "run.output=$dir/two" --set train.steps=40
  same "$dir/two" "$dir/alone"
  say "2 hosts × 1 rank, 40 steps: bit-equal to one process; $(step_time "$dir/two")"

  train_across 2 "$dir/micro.yaml" --set "run.output=$dir/four" --set train.steps=40
  same "$dir/four" "$dir/alone"
  say "2 hosts × 2 ranks: bit-equal to one process; $(step_time "$dir/four")"

  printf '%s\n' $one $two >"$dir/nodes"
  PBS_O_WORKDIR=$PWD PBS_NODEFILE=$dir/nodes CONFIG=$dir/micro.yaml SETTINGS="run.output=$dir/pbs train.steps=40" \
    "$dir/on" $one bash jobs/pbs.sh >"$dir/out" 2>&1 || { cat "$dir/out"; fail "jobs/pbs.sh across the hosts"; }
  same "$dir/pbs" "$dir/alone"
  say "jobs/pbs.sh, each host once in PBS_NODEFILE: bit-equal to one process"
}

slow_network() {
  local host before after parameters least
  for host in $one $two; do
    ip netns exec $host tc qdisc add dev eth0 root tbf rate 100mbit burst 64kb latency 100ms 2>"$dir/log" ||
      leave_out "this kernel does not shape traffic (tbf): $(cat "$dir/log")"
  done
  train_across 1 "$dir/micro.yaml" --set "run.output=$dir/shaped" --set train.steps=40
  same "$dir/shaped" "$dir/alone"
  before=$(step_time "$dir/two") after=$(step_time "$dir/shaped")
  # Of two ranks each sends half of the gradients and half of the parameters in a step, and receives as much.
  parameters=$(awk '$5 ~ "^/parameters/" { n = split($4, shape, "x"); count = 1; for (i = 1; i <= n; i++) count *= shape[i]; sum += count }
    END { print sum }' "$(newest "$dir/shaped")/MANIFEST")
  least=$(awk -v n="$parameters" 'BEGIN { printf "%.1f", 4 * 8 * n / 1e8 * 1e3 }')
  say "the same through 100 Mbit/s, which need $least ms for 2 × $parameters / 2 numbers each way: bit-equal; $after, without the limit $before"
  awk -v a="${after%% *}" -v b="${before%% *}" -v l="$least" 'BEGIN { exit !(a > b && a > 0.8 * l) }' || fail "100 Mbit/s did not make it slower"
  for host in $one $two; do ip netns exec $host tc qdisc del dev eth0 root; done
}

# Configuration, vocabulary, data and run are on each host's own disk: the run's files on the first only, where rank 0 is.
own_disks() {
  local host
  for host in $one $two; do
    cp "$dir/vocab.txt" "$dir/train.h5" "$dir/disk/$host/"
    sed "s|$dir/|$dir/own/|g" "$dir/micro.yaml" >"$dir/disk/$host/micro.yaml"
  done
  local options=(1 "$dir/own/micro.yaml" --set "run.output=$dir/own/run")
  train_across "${options[@]}" --set train.steps=20
  train_across "${options[@]}" --set train.steps=40
  grep -qF "resuming at step 20" "$dir/out" || { cat "$dir/out"; fail "it did not resume"; }
  same "$dir/disk/$one/run" "$dir/alone"
  [ ! -e "$dir/disk/$two/run" ] || fail "the second host wrote a run of its own"
  say "all files on each host's own disk, stopped and resumed: bit-equal to one process"

  mv "$dir/disk/$two/train.h5" "$dir/disk/$two/elsewhere.h5"
  refused "rank 1: $dir/own/train.h5" "${options[@]}" --set train.steps=60
  head -n 200 datasets/sample/text.txt >"$dir/part.txt"
  "$heed" prepare --vocab "$dir/vocab.txt" --output "$dir/disk/$two/train.h5" "$dir/part.txt" >/dev/null 2>&1
  refused "rank 1: " "${options[@]}" --set train.steps=60
  say "a copy that is missing, and one that is different, on the second host: refused, $(grep -m 1 -o 'rank 1: .*' "$dir/out")"
}

stop_a_rank() {
  local host rank=1 code process
  for host in $two $one; do
    HEED_WATCHDOG=5 across 1 "$dir/micro.yaml" --set "run.output=$dir/stopped-$rank" &
    job=$! code=0
    wait_for 60 has_reached "$dir/stopped-$rank" 20 || { cat "$dir/out"; fail "the job does not train"; }
    for process in $(ip netns pids $host); do
      [ "$(readlink "/proc/$process/exe")" != "$(realpath "$heed")" ] || kill -STOP "$process"
    done
    wait $job || code=$?
    job=
    [ $code = 124 ] && grep -qF "rank $rank ($host) is silent" "$dir/out" || { cat "$dir/out"; fail "exit code $code, or the rank is not named"; }
    wait_for 10 none_left || fail "processes are left: $(of_hosts | xargs ps -o pid=,args= -p)"
    say "stopped for good: $(grep -o "rank $rank ($host) is silent.*; the others wait" "$dir/out" | tail -n 1); exit code 124, no process left"
    rank=$((rank - 1))
  done
}

pull_the_cable() {
  local began code=0 stopped
  across 1 "$dir/micro.yaml" --set "run.output=$dir/cut" &
  job=$!
  wait_for 60 has_reached "$dir/cut" 50 || { cat "$dir/out"; fail "the job does not train"; }
  ip -n $two link set eth0 down
  began=$SECONDS
  job_is_gone() { ! kill -0 $job 2>/dev/null; }
  wait_for 120 job_is_gone || fail "the job is still there two minutes after the network went"
  wait $job || code=$?
  job=
  say "the cable pulled after step $(logged_step "$dir/cut"): the job ended after $((SECONDS - began)) s with exit code $code"
  [ $code != 0 ] && grep -qF "lost communication with a remote daemon" "$dir/out" || { cat "$dir/out"; fail "exit code $code, or no message"; }
  wait_for 60 none_left || fail "processes are left: $(of_hosts | xargs ps -o pid=,args= -p)"
  say "no process of it was left on either host after $((SECONDS - began)) s"

  ip -n $two link set eth0 up
  stopped=$(saved_step "$dir/cut")
  train_across 1 "$dir/micro.yaml" --set "run.output=$dir/cut" --set train.steps=$((stopped + 30))
  grep -qF "resuming at step $stopped" "$dir/out" || { cat "$dir/out"; fail "it did not resume"; }
  rm -r "$dir/alone"
  train_alone "$dir/alone" "$dir/micro.yaml" $((stopped + 30))
  same "$dir/cut" "$dir/alone"
  say "resumed at step $stopped, its last save, to step $((stopped + 30)): bit-equal to one process"
}

begin
make_model "$dir"
make_hosts
set_environment
same_bits
slow_network
own_disks
stop_a_rank
pull_the_cable

# title: a failing call of a save: EIO, ENOSPC, EDQUOT, EINTR, short, lies
# expected: earlier checkpoint intact, one message, training goes on
# In one process each call, each way.  In jobs by strace, on rank 0: each call (short: some).
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"

inject() { before=(strace -f -qq --seccomp-bpf -o /dev/null -e "trace=$1" -e signal=none -e "inject=$1:error=$2:when=$3"); }

# The NTH call fails: of all saves', where training waits for them; of each save's, where a thread makes it, for strace counts by threads.
one_call() { # RANKS CALL ERROR NTH BACKGROUND
  inject "$2" "$3" "$4"
  train "$1" run --set checkpoint.background="$5"
  case $code in
    0) [ "$(grep -c '^error: ' out)" = 0 ] || lost "exit code 0 after an error: $(tail -n 3 out)" ;;
    74) [ "$(grep -c '^error: ' out)" = 1 ] || lost "not one message: $(tail -n 3 out)" ;;
    *) lost "exit code $code: $(tail -n 3 out)" ;;
  esac
  before=()
  goes_on "$(other_ranks "$1")" run "$(saved)"
}

# From some call on the disk is dead: all saves fail, and training goes on to its end.
dead_disk() { # RANKS CALL ERROR NTH
  inject "$2" "$3" "$4+"
  train "$1" run --set checkpoint.background=false
  ended 74
  said 'training goes on'
  [ "$(grep -c '^error: ' out)" = 1 ] || lost "not one message: $(tail -n 3 out)"
  before=()
  goes_on "$(other_ranks "$1")" run "$(saved)"
}

program calls
prepare
strace -f -qq --seccomp-bpf -o /dev/null -e trace=fsync -e inject=fsync:error=EIO:when=100 true 2>out || pending "strace cannot inject here: $(cat out)"
if [ "$long" = 1 ]; then
  for count in 1 2 4; do
    for error in EIO ENOSPC EDQUOT EINTR; do
      for call in fsync:48 fallocate:8 pwrite64:24 renameat2:8 mkdirat:9 unlinkat:18; do
        for nth in $(seq "${call#*:}"); do
          try "$count-${call%:*}-$error-$nth" one_call $count "${call%:*}" $error "$nth" false
        done
      done
      for call in fsync:3 fallocate:1 pwrite64:3 mkdirat:1; do
        for nth in $(seq "${call#*:}"); do
          try "$count-background-${call%:*}-$error-$nth" one_call $count "${call%:*}" $error "$nth" true
        done
      done
    done
  done
else
  try 2-fsync-EIO-9 one_call 2 fsync EIO 9 false
  try 4-pwrite64-ENOSPC-11 one_call 4 pwrite64 ENOSPC 11 false
  try 1-renameat2-EIO-3 one_call 1 renameat2 EIO 3 true
  try 2-mkdirat-EDQUOT-4 one_call 2 mkdirat EDQUOT 4 false
  try 1-fallocate-ENOSPC-2 one_call 1 fallocate ENOSPC 2 false
  try 2-background-pwrite64-EIO-2 one_call 2 pwrite64 EIO 2 true
  try 2-unlinkat-EIO-2 one_call 2 unlinkat EIO 2 true
fi
try 2-dead-fsync dead_disk 2 fsync EIO 12
try 4-dead-pwrite64 dead_disk 4 pwrite64 ENOSPC 8

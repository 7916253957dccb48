# Sourced by the launch scripts.
#   processors, cores              what this machine lets the job use
#   read_hosts FILE                `hosts`: a host file of the same machines; `ranks`: of all; `most`: of one machine
#   place BY RANKS THREADS [CORES PROCESSORS]    `placing`: mpirun's arguments for RANKS a machine, mapped BY, of THREADS each
#   catch_signals; launch ARGUMENT…; finish      mpirun in the background, so that a signal to the script reaches the ranks, which
#                                                save first; then $finished is its exit code, $stop_signal the signal that came
# shellcheck shell=bash

# A lost machine is noticed after 40 s without an answer, not 8 minutes.
export OMPI_MCA_oob_tcp_keepalive_time=20 OMPI_MCA_oob_tcp_keepalive_intvl=5 OMPI_MCA_oob_tcp_keepalive_probes=4
# How long the ranks of a job that failed have to end, in seconds, twice over: a rank that saved and exits 75 waits for it too.
export OMPI_MCA_odls_base_sigkill_timeout=1
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # in a container
# Containers mostly forbid reading a peer's memory.  hwloc's search for displays only prints errors.
export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}" HWLOC_COMPONENTS=-gl

# Those of the affinity mask, or fewer where a container has a quota.  nproc would take OMP_NUM_THREADS for a number of processors.
processors() {
  local count quota period
  count=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [ "$quota" != max ]; then
    quota=$(((quota + period - 1) / period))
    [ "$quota" -ge "$count" ] || count=$quota
  fi
  echo "$count"
}

# Of how many cores these processors are: two of a core are hardware threads, which share its arithmetic.
cores() {
  local allowed range number count most
  allowed=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
  count=$(for range in ${allowed//,/ }; do
    for ((number = ${range%-*}; number <= ${range#*-}; number++)); do
      cat "/sys/devices/system/cpu/cpu$number/topology/thread_siblings_list" 2>/dev/null || echo "$number"
    done
  done | sort -u | wc -l)
  most=$(processors)
  echo $((count < most ? count : most))
}

# A machine without slots= has as many as lines.  Open MPI would give one that is named once as many as it has cores, and all ranks.
read_hosts() {
  local list
  list=$(awk '!/^[ \t]*(#|$)/ {
    gsub(/[ \t]*=[ \t]*/, "=")
    slots = 1
    for (i = 2; i <= NF; i++)
      if (sub(/^slots=/, "", $i))
        slots = $i
    if (!($1 in of))
      name[++count] = $1
    of[$1] += slots
  }
  END { for (i = 1; i <= count; i++) print name[i], "slots=" of[name[i]] }' "$1")
  read -r ranks most <<<"$(awk -F = '{ sum += $2; if ($2 > most) most = $2 } END { print sum + 0, most + 0 }' <<<"$list")"
  hosts=$(mktemp)
  trap 'rm -f "$hosts"' EXIT
  echo "$list" >"$hosts"
}

# "1 rank", "2 ranks"
counted() {
  [ "$1" = 1 ] && echo "1 $2" || echo "$1 $2s"
}

# Bound to cores; where only hardware threads suffice, to these; where not even those do, or BIND=none, not at all.  Threads that have
# no processor of their own must not spin while they wait.
place() {
  local by=$1 ranks=$2 threads=$3 cores=${4:-$(cores)} processors=${5:-$(processors)} name
  local wanted=$((ranks * threads))
  export OMP_NUM_THREADS=$threads OMP_PROC_BIND=close OMP_PLACES=cores
  if [ "${BIND:-}" = none ] || [ "$wanted" -gt "$processors" ]; then
    placing=(--map-by "$by" --bind-to none)
    export OMP_PROC_BIND=false # threads of ranks that are not bound would all be placed on the first cores
  elif [ "$wanted" -le "$cores" ]; then
    placing=(--map-by "$by:PE=$threads" --bind-to core --report-bindings)
  else
    placing=(--use-hwthread-cpus --map-by "$by:PE=$threads" --bind-to hwthread --report-bindings)
    export OMP_PLACES=threads
  fi
  if [ "$wanted" -gt "$processors" ]; then
    echo "$(counted "$ranks" rank) a machine of $(counted "$threads" thread) each on $(counted "$processors" processor): not bound," \
      "and who waits sleeps" >&2
    export OMP_WAIT_POLICY=passive OMPI_MCA_mpi_yield_when_idle=1
  fi
  # mpirun takes OMPI_… to other machines by itself.
  for name in $(compgen -e); do
    case $name in
      OMP_* | HEED_* | OPENBLAS_* | HWLOC_COMPONENTS | LD_LIBRARY_PATH | PATH) placing+=(-x "$name") ;;
    esac
  done
}

stop_signal= mpirun_pid= at_once=

# The ranks save at the next step and end with exit code 75.  A second Ctrl-C does not wait for that.  Nobody may be left to read what is
# said.
pass_on() {
  if [ "$stop_signal$1" = INTINT ]; then
    at_once=1
    kill -HUP "$mpirun_pid" 2>/dev/null || true
    echo "once more: ending the ranks at once" >&2 2>/dev/null || true
    return
  fi
  stop_signal=$1
  [ -z "$mpirun_pid" ] || kill -USR1 "$mpirun_pid" 2>/dev/null || true
  echo "$1: asking the ranks to save and stop" >&2 2>/dev/null || true
}

catch_signals() {
  local signal
  trap '' PIPE # of `… | tee log` the same Ctrl-C ends tee first
  for signal in USR1 TERM INT; do
    # shellcheck disable=SC2064
    trap "pass_on $signal" "$signal"
  done
}

# Schedulers send TERM to all processes of a job and terminals Ctrl-C, to mpirun and its daemons on the other machines too, which would
# give the ranks a second and then kill them: they must not see either, only USR1, which they pass on.
launch() {
  local hidden=()
  if env --block-signal=TERM,INT true 2>/dev/null; then
    hidden=(env "--block-signal=TERM,INT")
    export OMPI_MCA_orte_launch_agent="${OMPI_MCA_orte_launch_agent:-env --block-signal=TERM orted}"
  else
    export OMPI_MCA_odls_base_sigkill_timeout=60
    echo "this env has no --block-signal (coreutils before 8.31): after a save mpirun stays for up to two minutes" >&2
  fi
  catch_signals
  (trap '' USR1 && exec "${hidden[@]}" mpirun "$@") </dev/null &
  mpirun_pid=$!
}

# shellcheck disable=SC2034  # `finished` is for the caller
# A trapped signal ends `wait` early.  From then on the ranks are asked every second: one that came while they started would be lost.
finish() {
  while kill -0 "$mpirun_pid" 2>/dev/null; do
    if [ -z "$stop_signal" ]; then
      wait "$mpirun_pid" || true
    else
      kill -USR1 "$mpirun_pid" 2>/dev/null || true
      sleep 1 || true # a scheduler's TERM ends it, too
    fi
  done
  finished=0
  wait "$mpirun_pid" || finished=$?
  # Asked to end at once while the ranks end by themselves, mpirun itself may crash.
  [ -z "$at_once" ] || [ "$finished" = 0 ] || [ "$finished" = 75 ] || finished=130
  mpirun_pid=
  trap - USR1 TERM INT
}

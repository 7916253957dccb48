# Sourced by the launch scripts: mpirun in the background, so that a signal to the script reaches the ranks and they save first.
#   launch ARGUMENT… ; finish; echo $finished
# USR1, TERM and Ctrl-C go on to mpirun as USR1: the ranks save at the next step and end with exit code 75.

# A dead node is noticed after 8 minutes by default: look sooner.  (odls_base_sigkill_timeout stays 1 s: mpirun sits it out twice after
# any exit code but 0, and a save is asked for with USR1, which has no limit.)
export OMPI_MCA_oob_tcp_keepalive_time=20 OMPI_MCA_oob_tcp_keepalive_intvl=5 OMPI_MCA_oob_tcp_keepalive_probes=4
# Containers mostly forbid reading a peer's memory.  hwloc's search for displays only prints errors.
export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}" HWLOC_COMPONENTS=-gl

stop_signal= # the signal that came, for the caller

pass_on() {
  stop_signal=$1
  echo "$1: asking the ranks to save and stop" >&2
  kill -USR1 "$mpirun_pid" 2>/dev/null || true
}

launch() {
  mpirun "$@" </dev/null &
  mpirun_pid=$!
  local signal
  for signal in USR1 TERM INT; do
    # shellcheck disable=SC2064
    trap "pass_on $signal" "$signal"
  done
}

# A trapped signal ends `wait` early: wait again until mpirun is gone; the last wait gives its exit code.
finish() {
  while kill -0 "$mpirun_pid" 2>/dev/null; do
    wait "$mpirun_pid" || true
  done
  finished=0
  wait "$mpirun_pid" || finished=$?
  trap - USR1 TERM INT
}

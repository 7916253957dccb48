#!/usr/bin/env bash
# Heed on a list of machines, through ssh:  jobs/hostfile.sh HOSTS CONFIG.yaml [heed train's options]
# HOSTS is Open MPI's host file, a machine a line, slots = its ranks:
#     node01 slots=2
#     node02 slots=2
# The same folder must be on all machines (NFS or the like; data may be copies), with ssh between them without a password.  All slots
# together must suit train.slices: with 8 slices, 1, 2, 4 or 8 ranks.  Ctrl-C, USR1 or TERM saves and exits 75; the same command goes on.
# THREADS=… of each rank instead of a machine's cores divided by its slots, BIND=none leaves ranks unbound, HEED=… names the program.
# Where machines have several networks:  OMPI_MCA_btl_tcp_if_include=10.0.0.0/24 OMPI_MCA_oob_tcp_if_include=10.0.0.0/24
# Where they are not reached by ssh:     OMPI_MCA_plm_rsh_agent=PROGRAM, which gets a machine's name and a command
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,11s/^# \?//p' "$0" >&2; exit 64; }
file=$1 config=$2
shift 2
cd "$(dirname "$0")/.." && . jobs/launch.sh
catch_signals
[[ $file = /* ]] || file=$OLDPWD/$file
[[ $config = /* || -e $config ]] || config=$OLDPWD/$config
[ -r "$file" ] || { echo "$file: the host file cannot be read" >&2; exit 65; }
wrong=$(grep -nE '^[^#]*[[:space:]]slots[[:space:]]*=[[:space:]]*([^0-9[:space:]]|$|0+([[:space:]]|$))' "$file" | head -n 1) || true
[ -z "$wrong" ] || { echo "$file, line ${wrong%%:*}: slots= takes a whole number from 1" >&2; exit 65; }
read_hosts "$file"
[ "$ranks" -gt 0 ] || { echo "$file: names no machine" >&2; exit 65; }

# What each machine has, and whether it is reached at all: the smallest decides.
found=$(mpirun --hostfile "$hosts" --map-by ppr:1:node --bind-to none --wdir "$PWD" \
  bash -c '. jobs/launch.sh; echo "machine $(hostname) $(processors) $(cores)"' </dev/null) ||
  { echo "hostfile.sh: not all machines of $file can be reached with $PWD on them; what mpirun said is above" >&2; exit 65; }
read -r processors cores <<<"$(awk '/^machine / { if (!p || $3 < p) p = $3; if (!c || $4 < c) c = $4 } END { print p, c }' <<<"$found")"

place slot "$most" "${THREADS:-$((cores > most ? cores / most : 1))}" "$cores" "$processors"
launch -n "$ranks" --hostfile "$hosts" "${placing[@]}" --wdir "$PWD" "${HEED:-$PWD/build/bin/heed}" train "$config" --resume "$@"
finish
[ "$finished" != 75 ] || echo "exit code 75: saved; the same command goes on" || true
exit "$finished"

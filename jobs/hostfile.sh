#!/usr/bin/env bash
# Heed on a list of machines, through ssh:  jobs/hostfile.sh HOSTS CONFIG.yaml [heed train's options]
# HOSTS is Open MPI's host file, a machine a line, slots = its ranks:
#     node01 slots=2
#     node02 slots=2
# The same folder must be on all machines (NFS or the like), with ssh between them without a password.  All slots together must suit
# train.slices: with 8 slices, 1, 2, 4 or 8 ranks.  Ctrl-C, USR1 or TERM saves and exits 75; the same command goes on.
# Where machines have several networks:  OMPI_MCA_btl_tcp_if_include=10.0.0.0/24 OMPI_MCA_oob_tcp_if_include=10.0.0.0/24
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 64; }
hosts=$1 config=$2
shift 2
cd "$(dirname "$0")/.." && . jobs/launch.sh
[[ $hosts = /* ]] || hosts=$OLDPWD/$hosts
[[ $config = /* || -e $config ]] || config=$OLDPWD/$config
heed=${HEED:-$PWD/build/bin/heed}
threads=${THREADS:-8}   # of each rank: a machine's cores divided by its slots

ranks=$(awk '!/^[ \t]*(#|$)/ { n = 1; for (i = 2; i <= NF; i++) if (sub(/^slots=/, "", $i)) n = $i; sum += n } END { print sum + 0 }' "$hosts")
export OMP_NUM_THREADS=$threads OMP_PROC_BIND=close OMP_PLACES=cores
launch -n "$ranks" --hostfile "$hosts" --map-by "slot:PE=$threads" --bind-to core --report-bindings --wdir "$PWD" \
  -x OMP_NUM_THREADS -x OMP_PROC_BIND -x OMP_PLACES -x LD_LIBRARY_PATH -x PATH "$heed" train "$config" --resume "$@"
finish
[ "$finished" != 75 ] || echo "saved; the same command goes on"
exit "$finished"

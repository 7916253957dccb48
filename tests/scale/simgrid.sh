#!/usr/bin/env bash
# What the exchange of src/comm takes on large clusters: its code as it is, compiled for SimGrid's MPI and run on a simulated fat tree of
# 1,024 nodes (32 switches of 32, as many links up as down, 100 Gbit/s, 2 µs from end to end), a rank a node.
# First the bits of a sum against the serial tree, on 16 and 48 ranks.  Then a table: the sum of BERT's gradients and the way back of its
# parameters, the formula's time, and MPI_Allreduce by the algorithm that Open MPI takes, on the same network; additions take no time in
# these.  Then, without --quick, weak scaling on the fewest and the most ranks: steps of BERT-large with 8,192 tokens a rank, in which
# backward hands over its gradients as training does, and additions and the optimizer's passes take the time that they take here.
# Exits 1 if a bit differs, if an exchange takes over 110% of the formula's time, or if the most ranks work at less than 95% of the
# efficiency of the fewest; 77 without SimGrid.
#   tests/scale/simgrid.sh [--quick] [--ranks 16,64,256,1024] [--models bert-base,bert-large]      powers of two, up to 1,024
#     --quick           16 and 64 ranks, BERT-base, no steps: a minute.  With 1,024 ranks the sum of BERT-base takes a minute of a
#                       processor, that of BERT-large four, a step of it eight
#   STEP_SECONDS="S …"  seconds of a step's matrix products; else measured here by `heed bench step` on a short one, and a 32nd of it too,
#                       for a node of 64 such threads
#   ADD_RATE=BYTES      of summands a second; else measured here
set -euo pipefail
cd "$(dirname "$0")/../.."

ranks=16,64,256,1024 models=bert-base,bert-large quick=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ranks=16,64 models=bert-base ;;
    --ranks) ranks=${2:?--ranks takes numbers} && shift ;;
    --models) models=${2:?--models takes names} && shift ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \?//p}' "$0"; [ "$1" = --help ] && exit 0 || exit 64 ;;
  esac
  shift
done
for tool in smpicc smpirun; do
  command -v $tool >/dev/null || { echo "simgrid.sh: $tool is missing; jobs/setup.sh --scale installs SimGrid" >&2; exit 77; }
done

bandwidth=12.5e9 latency=2e-6 # bytes a second of a link; seconds from end to end, over four links
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
failures=0
fail() { echo "simgrid.sh: $*" >&2; failures=$((failures + 1)); }
calculate() { awk "BEGIN {$1}"; }
holds() { awk "BEGIN {exit !($1)}"; }
milliseconds() { calculate "printf \"%.1f\", 1000 * ($1)"; }

# ---- what is compiled ----

base=(src/base/{status,log,alone,parameters,normal,memory,clock,pulse,thread}.c)
exchange=()
for source in src/comm/*.c; do
  [ "$source" = src/comm/sum.c ] || exchange+=("$source")
done
wrapped=-Wl,--wrap=MPI_Query_thread,--wrap=MPI_Comm_split_type,--wrap=MPI_Test,--wrap=MPI_Testall,--wrap=MPI_Waitall,--wrap=sched_yield
compile() { # compile PROGRAM SOURCE… [OPTION…]
  smpicc -std=c11 -O2 -Wall -Wextra -Wno-unknown-pragmas -D_GNU_SOURCE -I include -I src -I tests "${@:2}" "${base[@]}" "${exchange[@]}" \
    tests/scale/simulated_mpi.c -lgomp $wrapped -o "$work/$1"
}
compile check tests/scale/simulated_check.c src/comm/sum.c
compile simulated tests/scale/{simulated,bert,simulated_work}.c src/train/{optimizer,chunks,masters}.c -Wl,--wrap=aligned_alloc,--wrap=memset
if [ ! -x build/bin/heed ]; then
  echo "building heed, for the sizes of its models" >&2
  { cmake --preset release && cmake --build --preset release; } >/dev/null
fi

# ---- the cluster ----

cat >"$work/cluster.xml" <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="node-" suffix="" radical="0-1023" speed="1Gf" bw="12.5GBps" lat="500ns"
           topology="FAT_TREE" topo_parameters="2;32,32;1,32;1,1"/>
</platform>
XML
seq -f 'node-%g' 0 1023 >"$work/hosts"
# A flow takes its fair share of each link, no more and no less.  Time passes in messages and in what a program says that it computes.
# Two choices spare a thousand ranks what grows with the square of their number.  No send ends before its message has come: those that may
# stand in one list, which SimGrid walks through for each.  And broadcasts, all of them small, go along a binomial tree: the one that Open
# MPI would take has SimGrid send a message from every rank to every other for each new communicator.
simulator=(-platform "$work/cluster.xml" -hostfile "$work/hosts" --cfg=network/model:CM02 --cfg=network/crosstraffic:no
  --cfg=network/loopback-lat:0 --cfg=smpi/simulate-computation:no --cfg=smpi/wtime:0 --cfg=smpi/test:0
  --cfg=smpi/send-is-detached-thresh:0 --cfg=smpi/coll-selector:ompi --cfg=smpi/bcast:binomial_tree
  --cfg=smpi/privatization:dlopen --cfg=smpi/shared-malloc:local)

# run RANKS PROGRAM ARGUMENT…: what the program prints
run() { smpirun -np "$1" "${simulator[@]}" --log=root.thresh:warning "$work/$2" "${@:3}"; }
# value NAME: the word after it, of the line on stdin
value() { sed -n "s/.*\b$1 \([^ ]*\).*/\1/p"; }

# allreduce RANKS FLOATS: seconds.  Replayed: there are no blocks.
allreduce() {
  seq 0 $(($1 - 1)) | awk -v floats="$2" '{print $1, "init"; print $1, "allreduce", floats, 0, 5; print $1, "finalize"}' >"$work/trace"
  echo "$work/trace" >"$work/traces"
  smpirun -np "$1" "${simulator[@]}" -replay "$work/traces" --cfg=smpi/display-timing:yes 2>&1 |
    sed -n 's/.*Simulated time: \([0-9.e-]*\) seconds.*/\1/p'
}

# ---- the same bits ----

for size in 16 48; do
  line=$(run $size check) || fail "the sum over $size ranks has not the bits of the serial tree"
  echo "check: ${line:-nothing printed}"
done

# ---- the exchange ----

# formula RANKS FLOATS: seconds of halving and doubling
formula() { calculate "print 2 * log($1) / log(2) * $latency + 2 * ($1 - 1) / $1 * 4 * $2 / $bandwidth"; }

echo
echo "| ranks | model | sum, ms | way back, ms | both | formula | MPI_Allreduce |"
echo "|---|---|---|---|---|---|---|"
for model in ${models//,/ }; do
  planned=$(build/bin/heed plan "configs/$model.yaml" --set model.vocabulary_size=30522 --json --no-time |
    sed -n 's/.*"parameters": \([0-9]\{7,\}\).*/\1/p' | head -n 1)
  for size in ${ranks//,/ }; do
    line=$(run "$size" simulated sum "$model" 0)
    floats=$(value parameters <<<"$line") sum=$(value sum <<<"$line") back=$(value back <<<"$line")
    [ "$floats" = "$planned" ] || fail "$model: the simulation has $floats parameters, heed plan $planned"
    expected=$(formula "$size" "$floats") both=$(calculate "print $sum + $back")
    echo "| $size | $model | $(milliseconds "$sum") | $(milliseconds "$back") | $(milliseconds "$both") | $(milliseconds "$expected") |" \
      "$(milliseconds "$(allreduce "$size" "$floats")") |"
    holds "$both <= 1.1 * $expected" || fail "$size ranks, $model: $both s, over 110% of the formula's $expected s"
  done
done
[ -z "$quick" ] || exit $((failures > 0))

# ---- weak scaling ----

tokens=8192 model=bert-large
if [ -z "${ADD_RATE:-}" ]; then
  cc -std=c11 -O3 -D_GNU_SOURCE -fopenmp -I include -I src tests/scale/addition_rate.c src/comm/sum.c -o "$work/addition_rate"
  ADD_RATE=$("$work/addition_rate")
fi
if [ -z "${STEP_SECONDS:-}" ]; then
  short=8 # rows of 128
  STEP_SECONDS=$(build/bin/heed bench step configs/$model.yaml --json --warmup 1 --steps 2 --set model.vocabulary_size=30522 \
    --set train.batch_sequences=$short --set train.slices=1 | sed -n 's/.*"step_ms_median": \([0-9.e+]*\).*/\1/p' |
    awk -v rows=$short -v tokens=$tokens '{seconds = $1 / 1000 * tokens / (128 * rows); print seconds, seconds / 32}')
fi

echo
echo "Summands are added at $(calculate "printf \"%.1f\", $ADD_RATE / 1e9") GB/s."
echo
echo "| a step's products, s | ranks | step, s | in backward's polls, ms | then waiting for sums, ms | update, ms | way back, ms | efficiency |"
echo "|---|---|---|---|---|---|---|---|"
for seconds in $STEP_SECONDS; do
  least=
  for size in ${ranks%%,*} ${ranks##*,}; do
    line=$(run "$size" simulated step $model "$ADD_RATE" "$seconds")
    step=$(value step <<<"$line")
    least=${least:-$step}
    cells=
    for part in polls wait update back; do
      cells+=" $(milliseconds "$(value $part <<<"$line")") |"
    done
    echo "| $(calculate "printf \"%.2f\", $seconds") | $size | $(calculate "printf \"%.3f\", $step") |$cells" \
      "$(calculate "printf \"%.2f\", 100 * $least / $step")% |"
  done
  holds "$least >= 0.95 * $step" || fail "${ranks##*,} ranks take $step s for a step, ${ranks%%,*} take $least s: below 95%"
done
exit $((failures > 0))

#!/usr/bin/env bash
# Installs what Heed needs on Debian and its relatives: as root, or with sudo, saying what it does.  Elsewhere, or without those
# rights, it prints what is missing with Debian's package names and exits 1.  Quick and silent but for a line when all is there.
#   jobs/setup.sh [--tests] [--checks] [--parity] [--scale] [--fuzz]    also what tests/run.sh, the rest of .ci/run,
#                                              tests/parity/run.sh, the scripts of tests/scale and tests/fuzz/run.sh need
set -euo pipefail

# A package a line, then what shows that it is there already: from Debian, a module, Spack or conda alike.
needs='
build-essential         command -v cc && command -v make
cmake                   command -v cmake
ninja-build             command -v ninja
pkg-config              command -v pkg-config
libopenmpi-dev          command -v mpicc
openmpi-bin             command -v mpirun
libopenblas-serial-dev  ls /usr/lib/*/openblas-serial/libopenblas.so || test -e "${HEED_OPENBLAS:-}"
libhdf5-dev             command -v h5cc || pkg-config --exists hdf5
libcyaml-dev            pkg-config --exists libcyaml
libyaml-dev             pkg-config --exists yaml-0.1
libjansson-dev          pkg-config --exists jansson
libutf8proc-dev         pkg-config --exists libutf8proc
libxxhash-dev           pkg-config --exists libxxhash
libprotobuf-c-dev       pkg-config --exists libprotobuf-c
libhwloc-dev            pkg-config --exists hwloc
protobuf-c-compiler     command -v protoc-c
perl                    perl -MCompress::Zlib -e 1'
tests='
libcunit1-dev           pkg-config --exists cunit
hdf5-tools              command -v h5dump
strace                  command -v strace'
checks='
clang-format            command -v clang-format
cppcheck                command -v cppcheck
shellcheck              command -v shellcheck
chromium                command -v chromium || command -v chromium-browser || command -v google-chrome
python3                 command -v python3'
parity='
python3                 command -v python3
python3-venv            python3 -c "import ensurepip, venv"'
scale='
slurmctld               PATH=$PATH:/usr/sbin command -v slurmctld
slurmd                  PATH=$PATH:/usr/sbin command -v slurmd
slurm-client            command -v sbatch
munge                   PATH=$PATH:/usr/sbin command -v munged
iproute2                PATH=$PATH:/usr/sbin command -v tc
libsimgrid-dev          command -v smpicc'
fuzz='
clang                   command -v clang
libclang-rt-dev         echo "int LLVMFuzzerTestOneInput(void) { return 0; }" | clang -fsanitize=fuzzer,address -x c -o /dev/null -
afl++                   command -v afl-fuzz'

for option; do
  case $option in
    --tests) needs+=$tests ;;
    --checks) needs+=$checks ;;
    --parity) needs+=$parity ;;
    --scale) needs+=$scale ;;
    --fuzz) needs+=$fuzz ;;
    *) sed -n '2,5s/^# \?//p' "$0"; [ "$option" = --help ] && exit 0 || exit 64 ;;
  esac
done

find_missing() {
  missing=()
  local package probe
  while read -r package probe; do
    [ -z "$package" ] || eval "$probe" >/dev/null 2>&1 </dev/null || missing+=("$package")
  done <<<"$needs"
}

find_missing
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is there"
  exit 0
fi

root=()
if ! command -v apt-get >/dev/null; then
  reason="this is no Debian"
elif [ "$(id -u)" = 0 ]; then
  reason=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  reason= root=(sudo)
else
  reason="installing needs root or sudo"
fi
if [ -n "$reason" ]; then
  printf 'setup: %s; what is missing, by the names of Debian packages:\n' "$reason" >&2
  printf '  %s\n' "${missing[@]}" >&2
  echo "Ask an administrator, or get them as modules, from Spack or from conda, and run this again." >&2
  exit 1
fi

apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
install() { apt install -y --no-install-recommends "${missing[@]}"; }

# The lists may be absent or too old for the mirror: only then are they fetched again.
echo "setup: ${root[*]:+sudo }apt-get install ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install >"$log" 2>&1; then
  echo "setup: ${root[*]:+sudo }apt-get update, then once more"
  { apt update && install; } >>"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "setup: apt-get failed, see above" >&2; exit 1; }
fi

find_missing
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installed, and yet not found: ${missing[*]}" >&2
  exit 1
fi
echo "setup: everything is there"

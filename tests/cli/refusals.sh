# What the rows of the refusals' tables are written with: sourced by bash in front of each (refusals.h).
# $source, $build and $mpiexec: the clone, the build's folder, mpirun.
export PATH="$build/bin:$PATH" OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# The world, in the folder we are in: a vocabulary, a text, a shard, a configuration, a run …
make_good_files() {
  local text=$source/datasets/sample/text.txt
  heed tokenizer train --type wordpiece --vocab-size 300 --output vocab.txt "$text"
  heed tokenizer train --type bpe --vocab-size 300 --output bpe "$text"
  head -n 120 "$text" >train.txt
  heed prepare --vocab vocab.txt --output train.h5 train.txt
  cat >micro.yaml <<END
run: {name: micro, output: run}
model: {family: bert, vocabulary_size: 300, layers: 1, hidden: 16, heads: 2, max_positions: 16}
data: {train: train.h5, validation: train.h5, vocabulary: vocab.txt}
train: {steps: 2, sequence_length: 16, batch_sequences: 8, slices: 8}
optimizer: {learning_rate: 1.0e-3}
schedule: {warmup_steps: 1}
evaluate: {every_steps: 2, batches: 1}
checkpoint: {every_steps: 1}
END
  heed train micro.yaml
}

# … and what is wrong with such files.
make_bad_files() {
  mkdir empty-folder empty-run empty-run/checkpoints row
  mkfifo pipe
  perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1) or exit 1'
  ln -s loop loop
  touch empty.txt
  printf '\n \n' >blank.txt
  printf 'caf\351\n' >latin.txt
  printf 'a\0b\n' >zero.txt
  gzip -k train.txt
  head -c 12000 train.h5 | tail -c 9000 >binary
  head -c 3000 train.h5 >cut.h5
  grep -v MASK vocab.txt >no-mask.txt
  { cat vocab.txt && tail -n 1 vocab.txt; } >twice.txt
  heed prepare --cased --vocab vocab.txt --output cased.h5 train.txt
  heed tokenizer train --type wordpiece --vocab-size 300 --output other.txt train.txt
  heed prepare --vocab other.txt --output other.h5 train.txt
  local kind checkpoint
  for kind in pipe socket; do # in the place of a checkpoint's files
    mkdir $kind-manifest $kind-state
    cp run/checkpoints/step-00000002/MANIFEST $kind-state/MANIFEST
  done
  mkfifo pipe-manifest/MANIFEST pipe-state/state.h5
  ln socket socket-manifest/MANIFEST && ln socket socket-state/state.h5
  for kind in unlisted cut edited relabelled linked; do cp -r run $kind; done
  for checkpoint in step-00000001 step-00000002; do
    rm unlisted/checkpoints/$checkpoint/MANIFEST
    truncate -s 3000 cut/checkpoints/$checkpoint/state.h5
    printf X | dd of=edited/checkpoints/$checkpoint/state.h5 bs=1 seek=5000 conv=notrunc status=none
    sed -i 's/^seed .*/seed 9/' relabelled/checkpoints/$checkpoint/MANIFEST
    mv linked/checkpoints/$checkpoint/state.h5 linked/$checkpoint.h5
    ln -s ../../$checkpoint.h5 linked/checkpoints/$checkpoint/state.h5
  done
}

# A model of transformers', sound, and weights that are not: made by hand, since no library writes them.
make_foreign_models() {
  heed export run --output hf
  weights overlap '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 12
  weights huge '{"a":{"dtype":"F32","shape":[2305843009213693951],"data_offsets":[0,9223372036854775804]}}' 12
  weights gap '{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 12
  weights foreign '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8
  head -c 5000 hf/model.safetensors >cut.safetensors
  printf 'PK\3\4 and so on' >pickle.safetensors
  printf '\377\377\377\377\377\377\377\177{}' >endless.safetensors
  sed 's/"bert"/"t5"/' hf/config.json >t5.json
  sed 's/"vocab_size": 300/"vocab_size": 299/' hf/config.json >smaller.json
  sed 's/"hidden_size": 16/"hidden_size": 32/' hf/config.json >wider.json
}
weights() { # NAME HEADER BYTES
  local length=${#2}
  printf "\\x$(printf %02x $((length & 255)))\\x$(printf %02x $((length >> 8)))\0\0\0\0\0\0" >"$1.safetensors"
  printf %s "$2" >>"$1.safetensors"
  head -c "$3" /dev/zero >>"$1.safetensors"
}

ranks() { # COUNT COMMAND…
  local count=$1
  shift
  "$mpiexec" --quiet --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n "$count" "$@"
}

# Root without the right to pass over modes is refused what anybody is.
unprivileged() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --bounding-set -dac_override,-dac_read_search "$@"
  else
    "$@"
  fi
}
can_be_unprivileged() {
  mkdir -p row/mode && chmod 555 row/mode && ! unprivileged touch row/mode/file
}

own_mounts() {
  if unshare -m true 2>/dev/null; then unshare -m "$@"; else unshare -rm "$@"; fi
}
small_disk() {
  mkdir -p row/disk && mount -t tmpfs -o size=64k none row/disk
}
can_mount() {
  export -f small_disk && own_mounts bash -c small_disk
}

# On a full disk, row/disk.  What is there, a shard and a vocabulary among it, must stay as it is, but for a folder `run`.
on_full_disk() {
  export -f small_disk fill_disk_and
  own_mounts bash -c 'fill_disk_and "$@"' - "$@"
}
fill_disk_and() {
  small_disk && cp train.h5 vocab.txt row/disk
  cat /dev/zero >row/disk/fill 2>row/log
  ls -A row/disk >row/before
  "$@"
  local code=$?
  ls -A row/disk | grep -v '^run$' | cmp -s - row/before && cmp -s train.h5 row/disk/train.h5 &&
    cmp -s vocab.txt row/disk/vocab.txt || code=99
  return $code
}

# Where nothing can be mounted, a disk may still turn out to be full when what was written is to be made durable.
full_at_sync() {
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:error=ENOSPC "$@"
}
can_trace() {
  strace -qq -o /dev/null true
}

# While another job trains into row/run.
beside_a_job() {
  heed train micro.yaml --set run.output=row/run --set train.steps=100000000 --set evaluate.every_steps=0 \
    --set checkpoint.every_steps=0 --set log.every_steps=1 2>/dev/null &
  local job=$! code
  for _ in $(seq 300); do
    grep -qs step row/run/metrics.jsonl && break
    sleep 0.1
  done
  "$@"
  code=$?
  kill -KILL $job
  wait $job 2>/dev/null
  return $code
}

#!/usr/bin/env bash
# English: about 27 MB of clean text from three Debian packages; a WordPiece vocabulary of 8,192 (uncased) and a byte-level BPE one of the
# same size, and token shards of each.
#   wordnet-base     glosses and example sentences of WordNet 3.0 (free licence, Princeton University)
#   sword-text-web   World English Bible (public domain)
#   anarchism        An Anarchist FAQ, long prose (GPL 2)
#
#   datasets/english.sh [--text]      --text: stop after train.txt and validation.txt; needs no heed
#
# Below datasets/english/: train.txt, validation.txt (a paragraph a line, a blank line between documents); for BERT vocab.txt, train.h5,
# validation.h5; for GPT bpe/ (vocab.json, merges.txt), train-bpe.h5, validation-bpe.h5.  Needs apt-get the first time only, no root:
# packages stay in datasets/english/download.  Where there is no apt-get, put the three .deb files there.  Done again, it does only what
# is missing or was made from something else.
# HEED=… names the heed program; otherwise build/bin/heed, or heed on PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=$here/english
packages=(wordnet-base sword-text-web anarchism)
vocabulary_size=8192

say() { echo "english: $*"; }
die() { say "$*" >&2; exit 1; }

text_only=
case ${1:-} in
  '') ;;
  --text) text_only=1 ;;
  *) sed -n '2,14s/^# \?//p' "$0"; [ "$1" = --help ] && exit 0 || exit 64 ;;
esac

mkdir -p "$out/download"
exec 9>"$out/.lock"
flock -n 9 || { say "waiting for another run of this script"; flock 9; }
work=$out/.work
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# made FILE KEY: whether FILE is there and was made from what KEY says.  made_now records it, moving FILE out of the work folder.
made() { [ -s "$out/$1" ] && [ "$(cat "$out/.made/$1" 2>/dev/null)" = "$2" ]; }
made_now() {
  mkdir -p "$out/.made"
  rm -f "$out/.made/$1"
  mv "$work/$1" "$out/$1"
  echo "$2" >"$out/.made/$1"
}
checksum() { cat "$@" | sha256sum | cut -d ' ' -f 1; }

# The package's file in the cache, or nothing.
cached() { find "$out/download" -name "$1_*.deb" | sort | tail -n 1; }

fetch() {
  command -v apt-get >/dev/null || die "there is no apt-get: put the .deb of Debian's $* into $out/download and run this again"
  (
    mkdir -p "$work/fetch" && cd "$work/fetch"
    apt=(apt-get -q -o APT::Sandbox::User="$(id -un)")
    say "apt-get download $*"
    if ! "${apt[@]}" download "$@" >"$work/apt.log" 2>&1 </dev/null; then
      # The system's package lists are empty or old, and are root's: fetch lists of our own.
      say "apt-get update, into a private folder"
      mkdir -p "$work/lists/partial" "$work/archives/partial"
      printf '#clear %s;\n' APT::Update::Post-Invoke APT::Update::Post-Invoke-Success >"$work/apt.conf"
      apt+=(-c "$work/apt.conf" -o Dir::State::lists="$work/lists" -o Dir::Cache::archives="$work/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
      { "${apt[@]}" update && "${apt[@]}" download "$@"; } >>"$work/apt.log" 2>&1 </dev/null || { tail -n 10 "$work/apt.log" >&2; exit 1; }
    fi
    mv -- *.deb "$out/download/"
  ) || die "could not fetch $*; is the network there, and a Debian mirror among apt's sources?"
}

unpack() {
  if command -v dpkg-deb >/dev/null; then
    dpkg-deb -x "$1" "$2"
  else
    (cd "$2" && ar x "$1" && tar -xf data.tar.* && rm -f data.tar.* control.tar.* debian-binary)
  fi || die "$1 is damaged: remove it and run this again"
}

missing=()
for package in "${packages[@]}"; do
  [ -n "$(cached "$package")" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || fetch "${missing[@]}"

debs=()
for package in "${packages[@]}"; do
  debs+=("$(cached "$package")")
done
key=$(checksum "${debs[@]}" "$here/english-text.pl")
if made train.txt "$key" && made validation.txt "$key"; then
  say "train.txt and validation.txt are there"
else
  say "text from ${debs[*]##*/}"
  perl -MCompress::Zlib -e 1 2>/dev/null || die "Perl with Compress::Zlib is missing (Debian: perl); jobs/setup.sh installs it"
  mkdir "$work/unpacked"
  for deb in "${debs[@]}"; do
    unpack "$deb" "$work/unpacked"
  done
  perl "$here/english-text.pl" "$work/unpacked" "$work/train.txt" "$work/validation.txt" >"$work/summary.txt"
  made_now train.txt "$key"
  made_now validation.txt "$key"
  made_now summary.txt "$key"
fi
cat "$out/summary.txt"
[ -z "$text_only" ] || exit 0

heed=${HEED:-$root/build/bin/heed}
[ -x "$heed" ] || heed=$(command -v heed) ||
  die "the text is there, but no heed program to go on: build it (cmake --preset release && cmake --build --preset release), or set HEED=…"

# vocabulary NAME KIND: trained on the training text.
vocabulary() {
  local key
  key="$(checksum "$out/train.txt") $vocabulary_size"
  if made "$1" "$key"; then
    say "$1 is there"
  else
    say "$1: a vocabulary of $vocabulary_size pieces, $2"
    rm -rf "${out:?}/$1"
    "$heed" tokenizer train --type "$2" --vocab-size $vocabulary_size --output "$work/$1" "$out/train.txt"
    made_now "$1" "$key"
  fi
}

# shards VOCABULARY SUFFIX FILE…: token shards of both texts; FILEs are those of the vocabulary.
shards() {
  local split name key
  for split in train validation; do
    name=$split$2.h5
    key=$(checksum "$out/$split.txt" "${@:3}")
    if made "$name" "$key"; then
      say "$name is there"
    else
      say "token shard $name"
      "$heed" prepare --vocab "$out/$1" --output "$work/$name" "$out/$split.txt"
      made_now "$name" "$key"
    fi
  done
}

vocabulary vocab.txt wordpiece
shards vocab.txt '' "$out/vocab.txt"
vocabulary bpe bpe
shards bpe -bpe "$out/bpe/vocab.json" "$out/bpe/merges.txt"
say "ready: $(du -ch "$out"/*.txt "$out"/*.h5 | tail -n 1 | cut -f 1) in $out"

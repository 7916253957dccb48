"""Compares the speed of Heed and of the Rust tokenizers; compare_tokenizers.sh sets up what it needs.

Encoding: lines in memory to ids, `heed bench tokenizer` and the faster of encode_batch and encode_batch_fast.  Preparing: files to a file of ids;
heed's is also cut into sentences, checked and made durable, the library's is a NumPy array written from its ids."""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time

import numpy as np
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

import peers
import table

ENGLISH = os.path.join(peers.ROOT, "datasets/english")
VOCABULARIES = {"wordpiece": f"{ENGLISH}/vocab.txt", "bpe": f"{ENGLISH}/bpe"}


def library(kind):
    path = VOCABULARIES[kind]
    made = BertWordPieceTokenizer(path) if kind == "wordpiece" else ByteLevelBPETokenizer(f"{path}/vocab.json", f"{path}/merges.txt")
    return made._tokenizer


def read_lines(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            lines += file.read().split("\n")
    return lines


def seconds_of(work):
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def prepare(encode, paths, out):
    """What a script of a few lines does."""
    encodings = encode(read_lines(paths), add_special_tokens=False)
    np.save(out, np.concatenate([np.array(e.ids, dtype=np.uint16) for e in encodings]))


def their_turn(kind, paths, lines, folder):
    """Seconds of encoding, of preparing, and the tokens."""
    tokenizer = library(kind)
    seconds, encodings = seconds_of(lambda: tokenizer.encode_batch(lines, add_special_tokens=False))
    fast, _ = seconds_of(lambda: tokenizer.encode_batch_fast(lines, add_special_tokens=False))
    encode = tokenizer.encode_batch_fast if fast < seconds else tokenizer.encode_batch
    tokens = sum(len(e) for e in encodings)
    del encodings, _
    whole, _ = seconds_of(lambda: prepare(encode, paths, f"{folder}/ids.npy"))
    return min(seconds, fast), whole, tokens


def compare(kind, paths, rounds, lock):
    lines, bytes_of_all = read_lines(paths), sum(os.path.getsize(path) for path in paths)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            with lock.held():
                texts = [argument for path in paths for argument in ("--text", os.path.abspath(path))]
                ours.append(peers.heed("bench", "tokenizer", "--json", "--vocab", VOCABULARIES[kind], *texts)[0])
            with lock.held():
                theirs.append(their_turn(kind, paths, lines, folder))
    encode, whole = (bytes_of_all / 1e6 / statistics.median(turn[i] for turn in theirs) for i in range(2))
    return {"tokenizer": kind, "bytes": bytes_of_all, "heed_tokens": ours[0]["tokens"], "tokenizers_tokens": theirs[0][2],
            "heed": {key: statistics.median(turn[f"{key}_megabytes_per_second"] for turn in ours) for key in ("encode", "prepare", "read")},
            "tokenizers": {"encode": encode, "prepare": whole}}


def main():
    parser = argparse.ArgumentParser(prog="compare_tokenizers.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (3)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write all results here too")
    parser.add_argument("--lock", metavar="FILE", help="hold a lock on this file while measuring, for those who share the machine")
    parser.add_argument("texts", nargs="*", metavar="TEXT", default=[f"{ENGLISH}/train.txt"])
    chosen = parser.parse_args()
    results = [compare(kind, chosen.texts, chosen.rounds, peers.Lock(chosen.lock)) for kind in VOCABULARIES]
    rows = [["", "", "Heed, MB/s", "tokenizers, MB/s", "Heed is"]]
    for r in results:
        for what in ("encode", "prepare"):
            ours, theirs = r["heed"][what], r["tokenizers"][what]
            rows.append([r["tokenizer"], what, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.1f}×"])
    print(f"{results[0]['bytes'] / 1e6:.1f} MB of text, {os.environ['OMP_NUM_THREADS']} threads")
    print("\n".join(table.lines(rows, chosen.markdown)))
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(results, file, indent=2)
    if any(r["heed"][what] < r["tokenizers"][what] for r in results for what in ("encode", "prepare")):
        sys.exit("compare_tokenizers: heed is slower")


if __name__ == "__main__":
    main()

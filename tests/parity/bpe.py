"""Compares BPE with Hugging Face's `tokenizers`, id for id and byte for byte: the corpus, hard Unicode, every code point, training.

    pip install tokenizers==0.23.3
    python tests/parity/bpe.py [--heed build/bin/heed] [--corpus datasets/english] [--vocabulary FOLDER]

The vocabulary is a folder with vocab.json and merges.txt, such as GPT-2's; without one (nor HEED_BPE_VOCABULARY in the environment) the
library trains one on the corpus.  With --derive the script prints the rows of src/data/pretoken_exceptions.h instead; unicodedata2, where
installed, adds those of a newer Unicode.
"""

import argparse
import os
import tempfile
import time
import unicodedata
from pathlib import Path

from checks import check, finish
from tokenizer import CODE_POINTS, HARD, ROOT, Heed, compared, count_ids, few_enough, lines_of, mixtures, ranges_of
from tokenizers import AddedToken, ByteLevelBPETokenizer, Tokenizer, decoders, models, pre_tokenizers

END = "<|endoftext|>"
FILES = ("vocab.json", "merges.txt")


class Oracle:
    """The library with a vocabulary's files; <|endoftext|> is special, as transformers has it."""

    def __init__(self, vocabulary):
        self.tokenizer = Tokenizer(models.BPE.from_file(*(str(vocabulary / name) for name in FILES)))
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.tokenizer.decoder = decoders.ByteLevel()
        self.tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])

    def encode(self, text):
        lines, result = lines_of(text), []
        for first in range(0, len(lines), 4096):  # encodings are large
            batch = self.tokenizer.encode_batch_fast(lines[first:first + 4096], add_special_tokens=False)
            result += [" ".join(map(str, encoding.ids)) for encoding in batch]
        standing = text.count("\ufffd".encode())
        return result, text.decode("utf-8", errors="replace").count("\ufffd") - standing


def train_there(folder, size, text):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train([str(text)], vocab_size=size, min_frequency=2, show_progress=False, special_tokens=[END])
    folder.mkdir(exist_ok=True)
    tokenizer.save_model(str(folder))
    return folder


# ---- Comparing.

def check_text(heed, oracle, vocabulary, name, text):
    """The same ids, and of these the text again, each line with its newline."""
    ours = heed.encode(vocabulary, False, text)
    check(name, *compared(text, ours, oracle.encode(text)))
    whole = "".join(line + "\n" for line in lines_of(text)).encode()
    check(f"{name}: decoded", heed.decode(vocabulary, ours[0]) == whole)


def check_comparison(heed, oracle, vocabulary):
    """What is altered must be seen."""
    text = b"a b\nB a\nb\xff\n"
    lines, replaced = heed.encode(vocabulary, False, text)
    theirs = oracle.encode(text)
    altered = {"an id": ([lines[0], lines[1] + "0", lines[2]], replaced), "a missing line": (lines[:2], replaced),
               "a count of replaced sequences": (lines, replaced + 1)}
    check("comparison: equal results are equal", compared(text, (lines, replaced), theirs)[0])
    for what, result in altered.items():
        check(f"comparison: {what}, altered, is found", not compared(text, result, theirs)[0])


# ---- Texts that the pattern, the merges or the special token find hard.

HARD_HERE = {
    "contractions": "don't I'll we've he's I'd I'm they're 's 't'll ''s 'S DON'T 'lll 're've l'été 'é x's9 '",
    "spaces": " a  b   c \t d\t\te  \u3000 f\u3000g \xa0 h  ",
    "only spaces": "      \n \n\t\n  \u2028\u2029 \x85\n",
    "numbers": "1 23 4.5 6,789 \u00b2\u00bd \u0661\u0662 \u2167 x1y2 1a 1st",
    "signs": "!!! ?!... a--b ==> $%^ \u2026\u201cq\u201d (x) [y] {z} #tag @at",
    "end of text": f"{END} a{END}b {END}{END} <|endoftext|<|endoftext|> <|endoftext |> <{END}>  {END}  x",
    "long words": "x" * 300 + " " + "ab" * 500 + " " + "\u4e2d\u6587" * 200 + " " + "=" * 1000 + " " * 1000 + "y",
    "ill-formed inside the special token": b"<|endof\xfftext|> <|endoftext|>\xff\xff",
}


def check_hard(heed, oracle, vocabulary):
    for name, content in (HARD | HARD_HERE).items():
        check_text(heed, oracle, vocabulary, f"hard: {name}", content if isinstance(content, bytes) else content.encode())


def check_mixtures(heed, oracle, vocabulary):
    some = ["'s", "'", "'ll", " ", "  ", "\t", "a", "B", "1", "23", END, "<|", "|>", "\u3000", "\xa0", "\u4e2d", "\xe9", "!", "...",
            "don't", "\r", "\x0b", "\x85", "\u2028", "\U0001f600", "\ud55c\ud55c", "x" * 60]
    check_text(heed, oracle, vocabulary, "random mixtures", mixtures(20000, seed=2, some=some))


def check_long(heed, oracle, vocabulary):
    """What must not take a time by its square."""
    start = time.monotonic()
    text = b"a" * 1000000 + b"\n" + b"ab" * 500000 + b" " * 1000000 + b"x\n"
    check_text(heed, oracle, vocabulary, "a megabyte of one letter, and of others", text)
    check("which takes seconds, both sides", time.monotonic() - start < 20)


# ---- Every code point, beside and between all kinds of neighbours.

def in_contexts(c):
    return f"a{c}b {c} 1{c}1 !{c}! '{c}s  {c}{c}"


def check_code_points(heed, oracle, vocabulary):
    codes = [code for code in CODE_POINTS if chr(code) != "\n"]  # which ends a line and so stands in none
    text = "".join(in_contexts(chr(code)) + "\n" for code in codes).encode()
    ours, theirs = heed.encode(vocabulary, False, text)[0], oracle.encode(text)[0]
    different = [code for code, one, other in zip(codes, ours, theirs) if one != other]
    check("every code point", len(ours) == len(theirs) and not different,
          f"{len(different):,} of {len(codes):,} differ{ranges_of(different)}")
    check("every code point: decoded", heed.decode(vocabulary, ours) == text)


# ---- The corpus: ids, bytes, speed.

def check_corpus(heed, oracle, vocabulary, corpus):
    for name in ("train.txt", "validation.txt"):
        text = (corpus / name).read_bytes()
        check_text(heed, oracle, vocabulary, f"corpus: {name}", text)
        line = text.replace(b"\n", b" ").rstrip() + b"\n"  # more than Heed holds at a time
        check_text(heed, oracle, vocabulary, f"corpus: {name} as one line", line)


def check_speed(heed, oracle, vocabulary, corpus):
    text, seconds = (corpus / "train.txt").read_bytes(), {"here": [], "there": []}
    for _ in range(3):
        for side, encode in (("here", lambda: heed.encode(vocabulary, False, text)), ("there", lambda: oracle.encode(text))):
            start = time.monotonic()
            encode()
            seconds[side].append(time.monotonic() - start)
    here, there = (len(text) / 1e6 / min(seconds[side]) for side in ("here", "there"))
    check("speed on the corpus, no slower than the library", here > there,
          f"{here:.1f} MB/s here, {there:.1f} there, reading and printing included; {os.environ.get('OMP_NUM_THREADS', 'all')} threads")


def check_training(heed, corpus, folder):
    path, threads = corpus / "train.txt", os.environ.get("OMP_NUM_THREADS")
    text = path.read_bytes()
    for size in (500, 2000, 8192):
        here, there = folder / "here", train_there(folder / "there", size, path)
        heed.train(here, size, path, "bpe")
        same = all((here / name).read_text().rstrip() == (there / name).read_text().rstrip() for name in FILES)
        ours, theirs = (count_ids(heed.encode(side, False, text)[0]) for side in (here, there))
        check(f"trained vocabulary of {size:,}: the same", same and few_enough(ours, theirs), f"{ours:,} tokens here, {theirs:,} there")
    os.environ["OMP_NUM_THREADS"] = "1"
    heed.train(folder / "one", 2000, path, "bpe")
    os.environ["OMP_NUM_THREADS"] = "3"
    heed.train(folder / "three", 2000, path, "bpe")
    check("trained on one thread and on three: the same",
          all((folder / "one" / name).read_bytes() == (folder / "three" / name).read_bytes() for name in FILES))
    if threads:
        os.environ["OMP_NUM_THREADS"] = threads
    else:
        del os.environ["OMP_NUM_THREADS"]


# ---- The rows of src/data/pretoken_exceptions.h.

def class_there(c):
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    sides = {"LETTER": "a", "NUMBER": "1", "OTHER": "!"}
    return next((name for name, side in sides.items() if len(cut(side + c + side)) == 1), "SPACE")


def class_today(c, unicode):
    return {"L": "LETTER", "N": "NUMBER"}.get(unicode.category(c)[0], "OTHER")


def derive():
    versions = [unicodedata]
    try:
        import unicodedata2
        versions.append(unicodedata2)
    except ImportError:
        pass
    print("// pretoken_exceptions[], against Unicode " + " and ".join(unicode.unidata_version for unicode in versions))
    there, rows = {code: class_there(chr(code)) for code in CODE_POINTS}, []
    for code, name in there.items():
        if name == "SPACE" or all(class_today(chr(code), unicode) == name for unicode in versions):
            continue
        if rows and rows[-1][2] == name and all(there.get(between) == name for between in range(rows[-1][1] + 1, code)):
            rows[-1][1] = code
        else:
            rows.append([code, code, name])
    for first, last, name in rows:
        print(f"    {{0x{first:04X}, 0x{last:04X}, HEED_PRETOKEN_{name}}},")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heed", default=ROOT / "build/bin/heed", help="the program")
    parser.add_argument("--corpus", type=Path, default=ROOT / "datasets/english", help="a folder with train.txt and validation.txt")
    parser.add_argument("--vocabulary", type=Path, default=os.environ.get("HEED_BPE_VOCABULARY"),
                        help="a folder with vocab.json and merges.txt")
    parser.add_argument("--derive", action="store_true", help="print the rows of src/data/pretoken_exceptions.h")
    arguments = parser.parse_args()
    if arguments.derive:
        return derive()
    heed = Heed(str(arguments.heed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary = Path(arguments.vocabulary or train_there(folder / "vocabulary", 16384, arguments.corpus / "train.txt"))
        oracle = Oracle(vocabulary)
        check_comparison(heed, oracle, vocabulary)
        check_hard(heed, oracle, vocabulary)
        check_mixtures(heed, oracle, vocabulary)
        check_long(heed, oracle, vocabulary)
        check_code_points(heed, oracle, vocabulary)
        check_corpus(heed, oracle, vocabulary, arguments.corpus)
        check_speed(heed, oracle, vocabulary, arguments.corpus)
        check_training(heed, arguments.corpus, folder)
    finish()


if __name__ == "__main__":
    main()

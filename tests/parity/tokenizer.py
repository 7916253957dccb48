"""Compares WordPiece with Hugging Face's `tokenizers`, id for id: the corpus, hard Unicode, every code point, vocabularies.  (BPE: bpe.py.)

    pip install tokenizers==0.23.3
    python tests/parity/tokenizer.py [--heed build/bin/heed] [--corpus datasets/english]

The corpus is a folder with train.txt, validation.txt and an uncased vocab.txt; datasets/english.sh makes it.  With --derive the script
prints the rows of src/data/unicode_exceptions.h instead; unicodedata2, where installed, makes them those of a newer Unicode.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from checks import check, finish
from tokenizers import BertWordPieceTokenizer
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CASINGS = {"uncased": False, "cased": True}
CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


# ---- The two sides: a text gives (the ids of each line as strings, how many ill-formed sequences were replaced).

class Heed:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments, text=b""):
        command = [self.program, "tokenizer", *map(str, arguments)]
        done = subprocess.run(command, input=text, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done

    def encode(self, vocabulary, cased, text):
        done = self.run("encode", "--ids", "--vocab", vocabulary, *["--cased"] * cased, text=text)
        told = re.search(rb"not UTF-8; such bytes [^,]+, (\d+) sequence", done.stderr)
        return done.stdout.decode().splitlines(), int(told[1]) if told else 0

    def decode(self, vocabulary, lines):
        return self.run("decode", "--vocab", vocabulary, text="".join(line + "\n" for line in lines).encode()).stdout

    def train(self, output, size, text, kind="wordpiece"):
        self.run("train", "--type", kind, "--vocab-size", size, "--output", output, text)


class Oracle:
    def __init__(self, vocabulary=None, cased=False):
        self.tokenizer = BertWordPieceTokenizer(vocabulary and str(vocabulary), lowercase=not cased)

    def encode(self, text):
        lines, result = lines_of(text), []
        for first in range(0, len(lines), 4096):  # encodings are large
            batch = self.tokenizer._tokenizer.encode_batch_fast(lines[first:first + 4096], add_special_tokens=False)
            result += [" ".join(map(str, encoding.ids)) for encoding in batch]
        standing = text.count("\ufffd".encode())
        return result, text.decode("utf-8", errors="replace").count("\ufffd") - standing

    def train(self, size, text):
        self.tokenizer.train([str(text)], vocab_size=size, limit_alphabet=1000, show_progress=False)


def lines_of(text):
    lines = text.decode("utf-8", errors="replace").split("\n")
    return lines if lines[-1] else lines[:-1]


def write_characters(path, text):
    """A vocabulary of all that the oracle makes of the text's characters: whatever else Heed makes of one is [UNK], and differs."""
    made = BertNormalizer(lowercase=True).normalize_str(text) + BertNormalizer(lowercase=False).normalize_str(text)
    characters = sorted(set(made) - {" "})
    path.write_text("\n".join(SPECIAL + characters + ["##" + c for c in characters]) + "\n", encoding="utf-8", newline="\n")
    return path


# ---- Comparing.

def first_difference(ours, theirs):
    """The index of the first line that differs, None when there is none."""
    if ours == theirs:
        return None
    shorter = min(len(ours), len(theirs))
    return next((i for i in range(shorter) if ours[i] != theirs[i]), shorter)


def describe(index, *sides):
    text, ours, theirs = (side[index] if index < len(side) else "no such line" for side in sides)
    return f"line {index + 1}, {ascii(text)[:400]}\n        heed        {ours[:400]}\n        tokenizers  {theirs[:400]}"


def compared(text, ours, theirs):
    """Whether both sides made the same of a text, and what to print of it."""
    index = first_difference(ours[0], theirs[0])
    if index is not None:
        return False, describe(index, lines_of(text), ours[0], theirs[0])
    replaced = f", {ours[1]:,} sequences replaced here, {theirs[1]:,} there" if ours[1] or theirs[1] else ""
    return ours[1] == theirs[1], f"{count_ids(ours[0]):,} ids{replaced}"


def count_ids(lines):
    return sum(line.count(" ") + 1 for line in lines if line)


def few_enough(ours, theirs):
    return 0 < ours <= 1.01 * theirs


def check_comparison(heed, folder):
    """What is altered must be seen."""
    vocabulary = write_characters(folder / "small.txt", "abB")
    text = b"a b\nB a\nb\xff\n"
    ours, theirs = heed.encode(vocabulary, False, text), Oracle(vocabulary, False).encode(text)
    lines, replaced = ours
    altered = {
        "an id": ([lines[0], lines[1] + "0", lines[2]], replaced),
        "a missing line": (lines[:2], replaced),
        "a line too many": (lines + [""], replaced),
        "a count of replaced sequences": (lines, replaced + 1),
        "the casing": heed.encode(vocabulary, True, text),
    }
    check("comparison: equal results are equal", compared(text, ours, theirs)[0])
    for what, result in altered.items():
        check(f"comparison: {what}, altered, is found", not compared(text, result, theirs)[0])
    check("comparison: too many pieces are found", few_enough(1010, 1000) and not few_enough(1011, 1000))


def check_special_tokens(vocabulary):
    """The oracle knows them as transformers' does: special, and found before the text is normalised."""
    known = {token.content: token for token in Oracle(vocabulary).tokenizer._tokenizer.get_added_tokens_decoder().values()}
    check("the oracle keeps special tokens", all(known[name].special and not known[name].normalized for name in SPECIAL))


# ---- The corpus.

def check_corpus(heed, corpus):
    vocabulary = corpus / "vocab.txt"
    for casing, cased in CASINGS.items():
        oracle = Oracle(vocabulary, cased)
        for name in ("train.txt", "validation.txt"):
            text = (corpus / name).read_bytes()
            theirs = oracle.encode(text)
            check(f"corpus, {casing}: {name}", *compared(text, heed.encode(vocabulary, cased, text), theirs))
            line = text.replace(b"\n", b" ")  # more than Heed holds at a time; white space between words changes no id
            joined = [" ".join(filter(None, theirs[0]))], theirs[1]
            check(f"corpus, {casing}: {name} as one line", *compared(line, heed.encode(vocabulary, cased, line), joined))


# ---- A page of hard Unicode: name, text (bytes where it is not UTF-8).

HARD = {
    "control characters": "nul\0bell\x07esc\x1bdel\x7fnel\x85c1\x9fvt\x0bff\x0cfs\x1cend \0 \x07",
    "tabs and white space": "\t a\tb  c\xa0d\u1680e\u2000f\u2009g\u200ah\u2028i\u2029j\u202fk\u205fl\u3000m ",
    "not white space": "a\u180eb a\u200bb a\u2060b a\ufeffb a\u2800b a\u3164b",
    "zero-width characters": "zero\u200bwidth\u200cnon\u200djoin\u2060er\ufeffmark soft\xadhyphen \u200d \u200b",
    "directions": "\u202aa\u202eb\u202c \u2066c\u2069 \u200ed\u200f \u061ce",
    "tags and other format characters":
        "a\U000e0041b\U000e007f \u0600\u0601 \u06dd1 \u070f \u08e2 \U000110bd \ufff9x\ufffay\ufffb \U0001d173a",
    "combining marks": "cafe\u0301 e\u0301\u0323 \u0323\u0301e a\u0327\u0301\u0300b q\u0307\u0323 \u0301 !\u0301 x\u20dd \u0344",
    "a leading combining mark": "\u0301leading \u0301\u0301\u0301 \u05b0x",
    "marks that stay, in canonical order":
        "t\U0001d165\u1b44x \u302e\u1b44 a\u302e\u0301\U0001d165 \u302e\ufe00\U0001d165 \u302e\u200d\U0001d165",
    "marks younger than the oracle's tables":
        "a\u08d4\u0301 \u302e\u08d4 a\U0001e944b \U00011c3f\u1b44 a\u1abfb \u1dfa \u1dfb\u302e \U0001e130",
    "punctuation younger than the oracle's tables": "a\u2e43b \u09fd \u0c77 \U00011ef7 \u166d \U000111c9 \u1734a",
    "precomposed letters": "na\xefve CAF\xc9 \u1e69 \u1e9b\u0323 \u01d5 \u1f82 \xc5 \u212b \u2126 \u212a \u0958 \u0344 \u0f73",
    "case":
        "\u0130stanbul \u0131 \u039f\u03a3 \u03a3\u03a3 stra\xdfe STRA\u1e9eE \u01c5 "
        "\u13a0 \uab70 \u10a0 \u1c90 \U00010400 \U0001e900 \ua7cb \u1c89",
    "signs that decompose to ASCII": "\u037e \u1fef \u2260 \u226e \u226f \u2000 a\u226eb \u1ffd",
    "compatibility forms stay": "\ufb01ne \ufb03 \xbd \xb2 \u2460 \uff21\uff42 \u2167 \u33a2 \u3392 \u1d400",
    "ideographs":
        "\u4e2d\u6587abc\u4e2d \u3400\u4dbf \u9fff\ua000 \U00020000\U0002a6df\U0002a6e0 \U0002a700\U0002b73f \U0002b740\U0002b81f",
    "ideographs, extension E and later": "a\U0002b820b a\U0002b91fb a\U0002b920b a\U0002ceafb a\U0002ceb0b a\U00030000b a\U00031350b",
    "compatibility ideographs": "\uf900\ufa0e\ufaff \U0002f800\U0002fa1d\U0002fa1f a\ufa2eb",
    "Japanese": "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002 \u30ac\uff76\uff9e \u3005\u3007 \u304b\u3099 \u30fb",
    "Korean": "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab \ud7a3\uac01 \u302e\ud55c \ua960\ud7b0",
    "Thai and Hindi": "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e01\u0e34\u0e19 \u0939\u093f\u0928\u094d\u0926\u0940 \u0958\u0964",
    "Arabic and Hebrew":
        "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u0651\u0629 \u060c\u061f \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \ufb2a",
    "emoji":
        "\U0001f600 smile\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f "
        "hi\U0001f44b\U0001f3fd \U0001f1e9\U0001f1ea 1\ufe0f\u20e3 \U0001fae8",
    "private use": "a\ue000b \uf8ff a\U000f0000b \U000ffffd \U0010fffd",
    "unassigned": "a\u0378b \u2fff \U0003fffd a\U000e01efb \ufdd0 \ufffe \uffff \U0001ffff \U0010ffff",
    "replacement character in the text": "a\ufffdb \ufffd",
    "punctuation":
        "\xabq\xa0\xbb \u2014dash\u2026 \u201cq\u201d \u2018\u2019 \xa7\xb6 \u20ac$\xa3 ^`~|<>=+ \u066a \u0f3a \u30a0 \uff01 \u3001 _a_b-c",
    "ASCII": "".join(map(chr, range(32, 127))) + " under_score #hash @at 3.14 1,000 ##ing ## #",
    "100 letters": "x" * 100,
    "101 letters": "x" * 101,
    "100 letters beyond ASCII": "\xe9" * 100 + " " + "e\u0301" * 100 + " " + "\u0436" * 100,
    "101 letters beyond ASCII": "\xe9" * 101 + " " + "e\u0301" * 101 + " " + "\u0436" * 101,
    "100 letters, then marks": "x" * 100 + "\u0301" * 3 + " " + "x" * 99 + "\xe9 " + "x" * 100 + "\xe9",
    "100 and 101 letters of decomposed Hangul": "\uac01" * 33 + "x " + "\uac01" * 33 + "xy",
    "100 letters beside punctuation": "x" * 100 + "." + "x" * 101 + "\u4e2d" + "x" * 100,
    "100 letters with what is dropped between": "x\u200d" * 100 + " " + "x\0" * 101,
    "special tokens in the text": "The [MASK] sat[SEP]on[CLS]the[PAD]mat[UNK]. x[MASK]y [MASK][MASK]",
    "almost special tokens": "[mask] [ MASK ] [MASK [MASK]] [[SEP] [MA\u200dSK] [MASK\u0301] [MASKED] MASK]",
    "special tokens and marks": "[MASK]\u0301a \u0301[MASK] a\u0301[SEP]\u0301 \u4e2d[MASK]\u4e2d \u200d[CLS]\u200d " + "x" * 101 + "[PAD]",
    "CRLF line ends": "one\r\ntwo two\r\n\r\nthree\r\n",
    "lone returns": "one\rtwo\r\rthree\r",
    "no newline at the end": "one\ntwo",
    "empty lines": "\n\n \n\t\n\u200b\n",
    "a lone byte order mark": "\ufeff",
    "a byte order mark before text": "\ufeffText\n\ufeffagain \ufeff",
    "an empty text": "",
    "ill-formed: lone bytes": b"bad\xffbyte \xfe \x80\x80\x80 caf\xe9 a\xc3 \xc3(",
    "ill-formed: cut sequences": b"a\xf0\x9f\x98b \xe2\x82 \xf0\x9f \xf0\x90\x80x \xe4\xb8",
    "ill-formed: overlong forms": b"\xc0\xaf \xc1\xbf \xe0\x80\xaf \xe0\x9f\xbf \xf0\x80\x80\xaf \xf0\x8f\xbf\xbf",
    "ill-formed: surrogates": b"a\xed\xa0\x80b \xed\xbf\xbf \xed\xa0\xbd\xed\xb8\x80 \xed\x9f\xbf",
    "ill-formed: beyond the last code point": b"\xf4\x90\x80\x80 \xf5\x80\x80\x80 \xf8\x88\x80\x80\x80 \xf4\x8f\xbf\xbf",
    "ill-formed: special tokens and words": b"[MA\xffSK] [MASK]\xff a\xffb " + b"x\xff" * 100 + b" " + b"x\xff" * 101,
    "ill-formed at the end": b"caf\xc3\xa9\xc3",
    "ill-formed: Latin-1 and UTF-16": "na\xefve caf\xe9, \xbfqu\xe9?".encode("latin-1") + b"\n" + "x wide".encode("utf-16-le"),
}


def check_hard(heed, folder):
    for name, content in HARD.items():
        text = content if isinstance(content, bytes) else content.encode()
        vocabulary = write_characters(folder / "hard.txt", text.decode("utf-8", errors="replace"))
        for casing, cased in CASINGS.items():
            ours, theirs = heed.encode(vocabulary, cased, text), Oracle(vocabulary, cased).encode(text)
            check(f"hard, {casing}: {name}", *compared(text, ours, theirs))


# ---- Mixtures of what meets in no text: marks of all orders, what is dropped, special tokens, long words, ill-formed bytes.

def mixtures(lines, seed, some=()):
    draw = random.Random(seed)
    marks = [chr(code) for code in CODE_POINTS if unicodedata.category(chr(code))[0] == "M"]
    some = some or [*"aB .[\u4e2d\xc9\u200d\0\r\u302e\U0001d165\u1b44\u0334\ufe00", "x" * 49, *SPECIAL]
    units = [*(text.encode() for text in some), b"\xff", b"\xe4\xb8", b"\xf0\x9f\x98"]

    def unit():
        choice = draw.random()
        if choice < 0.5:
            return draw.choice(units)
        return (draw.choice(marks) if choice < 0.9 else chr(draw.choice(CODE_POINTS))).encode().replace(b"\n", b"")

    return b"\n".join(b"".join(unit() for _ in range(draw.randint(1, 40))) for _ in range(lines)) + b"\n"


def check_mixtures(heed, folder):
    text = mixtures(20000, seed=1)
    vocabulary = write_characters(folder / "mixtures.txt", text.decode("utf-8", errors="replace"))
    for casing, cased in CASINGS.items():
        ours, theirs = heed.encode(vocabulary, cased, text), Oracle(vocabulary, cased).encode(text)
        check(f"random mixtures, {casing}", *compared(text, ours, theirs))


# ---- Every code point, alone, in a word, before a mark, and among characters that are put in canonical order.

def in_contexts(c):
    return f"a{c}b {c} {c}\u0301 \u302e{c}\U0001d165\u1b44{c}\u1b44"


def different_codes(heed, oracle, vocabulary, cased, codes, together=64):
    """Those of `codes` that get other ids: looked for `together` in a line, then one by one."""
    groups = [codes[first:first + together] for first in range(0, len(codes), together)]
    text = "".join(" ".join(in_contexts(chr(code)) for code in group) + "\n" for group in groups).encode()
    ours, theirs = heed.encode(vocabulary, cased, text)[0], oracle.encode(text)[0]
    if len(ours) != len(theirs):
        return codes
    suspects = [code for group, one, other in zip(groups, ours, theirs) if one != other for code in group]
    return different_codes(heed, oracle, vocabulary, cased, suspects, 1) if suspects and together > 1 else suspects


def ranges_of(codes):
    ranges = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f" {first:04X}" if first == last else f"{first:04X}-{last:04X}" for first, last in ranges)


def check_code_points(heed, folder):
    codes = [code for code in CODE_POINTS if chr(code) != "\n"]  # which ends a line and so stands in none
    different = {casing: [] for casing in CASINGS}
    for plane in range(0x11):
        here = [code for code in codes if code >> 16 == plane]
        vocabulary = write_characters(folder / "plane.txt", in_contexts("".join(map(chr, here))))
        for casing, cased in CASINGS.items():
            different[casing] += different_codes(heed, Oracle(vocabulary, cased), vocabulary, cased, here)
    for casing, found in different.items():
        check(f"every code point, {casing}", not found, f"{len(found):,} of {len(codes):,} differ{ranges_of(found)}")


# ---- Vocabularies trained here and there on the same text: how many pieces each makes of it.

def check_training(heed, corpus, folder):
    path = corpus / "train.txt"
    text = path.read_bytes()
    for size in (2000, 8192):
        vocabulary, oracle = folder / "trained.txt", Oracle()
        heed.train(vocabulary, size, path)
        oracle.train(size, path)
        ours, theirs = count_ids(heed.encode(vocabulary, False, text)[0]), count_ids(oracle.encode(text)[0])
        check(f"trained vocabulary of {size:,}", few_enough(ours, theirs), f"{ours:,} pieces here, {theirs:,} there: {ours / theirs:.5f}")


# ---- The rows of src/data/unicode_exceptions.h.

def kind_there(c):
    """What the oracle does with a character."""
    text = f"a{c}b"
    if BertNormalizer(lowercase=False).normalize_str(text) != text:
        return "CLEANED"
    if len(BertPreTokenizer().pre_tokenize_str(text)) > 1:
        return "AS_PUNCTUATION"
    if not BertNormalizer(lowercase=True).normalize_str(c):
        return "AS_MARK"
    if NFD().normalize_str(c) != c:
        return "DECOMPOSED"
    ordered = NFD().normalize_str(f"a\u0345{c}\u0334")[1] == "\u0334"  # the last moves to the front unless c has order 0
    return "AS_ORDERED_LETTER" if ordered else "AS_LETTER"


def kind_today(c, unicode):
    category = unicode.category(c)
    if category in ("Cc", "Cf", "Co", "Zs", "Zl", "Zp"):
        return "CLEANED"
    if category[0] == "P":
        return "AS_PUNCTUATION"
    if category == "Mn":
        return "AS_MARK"
    if unicode.normalize("NFD", c) != c:
        return "DECOMPOSED"
    return "AS_ORDERED_LETTER" if unicode.combining(c) else "AS_LETTER"


def exception_rows(unicode):
    """[first, last, kind]; a row goes on across characters of its kind, and one of ordered letters across unassigned ones."""
    there = {code: kind_there(chr(code)) for code in CODE_POINTS if code >= 128}
    rows = []
    for code, kind in there.items():
        if kind == kind_today(chr(code), unicode) or kind in ("CLEANED", "DECOMPOSED"):  # of these U+FFFD and ideographs alone differ
            continue
        between = range(rows[-1][1] + 1, code) if rows and rows[-1][2] == kind else None
        if between is not None and all(there.get(b) == kind or (kind == "AS_ORDERED_LETTER" and unicode.category(chr(b)) == "Cn")
                                       for b in between):
            rows[-1][1] = code
        else:
            rows.append([code, code, kind])
    return rows


def upper_case_rows():
    """[first, last, lower case of the first] where this Python's str.lower differs."""
    rows = []
    for code in CODE_POINTS:
        lower = BertNormalizer(lowercase=True, strip_accents=False).normalize_str(chr(code))
        if kind_there(chr(code)) == "CLEANED" or lower == chr(code).lower():
            continue
        if rows and rows[-1][1] == code - 1 and ord(lower) - rows[-1][2] == code - rows[-1][0]:
            rows[-1][1] = code
        else:
            rows.append([code, code, ord(lower)])
    return rows


def derive():
    try:
        import unicodedata2 as unicode
    except ImportError:
        unicode = unicodedata
    print(f"// exceptions[], against Unicode {unicode.unidata_version}")
    for first, last, kind in exception_rows(unicode):
        print(f"    {{0x{first:04X}, 0x{last:04X}, {kind}}},")
    print(f"// young_upper_case[], against Unicode {unicodedata.unidata_version}")
    for first, last, lower in upper_case_rows():
        print(f"    {{0x{first:04X}, 0x{last:04X}, 0x{lower:04X}}},")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heed", default=ROOT / "build/bin/heed", help="the program")
    parser.add_argument("--corpus", type=Path, default=ROOT / "datasets/english", help="a folder with train.txt, validation.txt, vocab.txt")
    parser.add_argument("--derive", action="store_true", help="print the rows of src/data/unicode_exceptions.h")
    arguments = parser.parse_args()
    if arguments.derive:
        return derive()
    heed = Heed(str(arguments.heed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_comparison(heed, folder)
        check_special_tokens(arguments.corpus / "vocab.txt")
        check_hard(heed, folder)
        check_mixtures(heed, folder)
        check_code_points(heed, folder)
        check_corpus(heed, arguments.corpus)
        check_training(heed, arguments.corpus, folder)
    finish()


if __name__ == "__main__":
    main()

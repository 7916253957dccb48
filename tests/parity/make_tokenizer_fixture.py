"""Makes what tests/data/ holds of Hugging Face's `tokenizers`, so that its results are guarded where there is no Python.

    pip install tokenizers==0.23.3
    python tests/parity/make_tokenizer_fixture.py

tokenizer_cases.txt: the ids of its texts, and of the hard ones of tokenizer.py, are written anew.  Characters of the latter that
tokenizer_vocab.txt lacks are added to its end.
words.txt: for each plane of Unicode a CRC-32 of the words, uncased and cased, that its code points make in the contexts of tokenizer.py.
"""

import re
import zlib

from tokenizer import CASINGS, CODE_POINTS, HARD, ROOT, Oracle, in_contexts
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

DATA = ROOT / "tests/data"


def words_of(text, cased):
    normal = BertNormalizer(lowercase=not cased).normalize_str(text)
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(normal)]


def escaped(text):
    """Printable ASCII as it is, other bytes and what would be read as an escape as \\xHH."""
    return re.sub(rb"[^ -~]|\\(?=x)", lambda byte: b"\\x%02x" % byte[0][0], text).decode()


def unescaped(text):
    return re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), text).encode("latin-1")


def add_characters(path, texts):
    """Adds the characters of the texts' words to the vocabulary, first ones and later ones."""
    tokens = dict.fromkeys(path.read_text(encoding="utf-8").splitlines())
    for text in texts:
        for cased in CASINGS.values():
            for word in words_of(text.decode("utf-8", errors="replace"), cased):
                tokens.update(dict.fromkeys([word[0], *("##" + c for c in word[1:])]))
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8", newline="\n")


def case(text, oracles):
    """A line: the text, how many U+FFFD stand for its ill-formed bytes, its ids uncased and cased."""
    whole = text.decode("utf-8", errors="replace")
    replaced = whole.count("\ufffd") - text.count("\ufffd".encode())
    ids = (oracle.tokenizer.encode(whole, add_special_tokens=False).ids for oracle in oracles)
    return "\t".join([escaped(text), str(replaced), *(" ".join(map(str, of_one)) for of_one in ids)])


def make_cases():
    path, vocabulary = DATA / "tokenizer_cases.txt", DATA / "tokenizer_vocab.txt"
    texts = [unescaped(line.split("\t")[0]) for line in path.read_text().splitlines()]
    hard = [content if isinstance(content, bytes) else content.encode() for content in HARD.values()]
    texts = list(dict.fromkeys(texts + hard))
    add_characters(vocabulary, hard)
    oracles = [Oracle(vocabulary, cased) for cased in CASINGS.values()]
    path.write_text("".join(case(text, oracles) + "\n" for text in texts))


def make_words():
    lines = []
    for plane in range(0x11):
        text = " ".join(in_contexts(chr(code)) for code in CODE_POINTS if code >> 16 == plane)
        sums = (zlib.crc32(" ".join(words_of(text, cased)).encode()) for cased in CASINGS.values())
        lines.append(" ".join([str(plane), *(f"{one:08x}" for one in sums)]))
    (DATA / "words.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    make_cases()
    make_words()

"""Makes what tests/data/ holds of Hugging Face's byte-level BPE, so that its results are guarded where there is no Python.

    pip install tokenizers==0.23.3
    python tests/parity/make_bpe_fixture.py

bpe/: a vocabulary of 600 tokens that the library trains on datasets/sample/text.txt.
bpe_cases.txt: the texts of bpe.py that are hard, how many U+FFFD stand for ill-formed bytes of each, and the ids that the library gives.
pretokens.txt: for each plane of Unicode a CRC-32 of the pre-tokens that its code points make in the contexts of bpe.py.
"""

import zlib

from bpe import HARD_HERE, Oracle, in_contexts, train_there
from make_tokenizer_fixture import escaped
from tokenizer import CODE_POINTS, HARD, ROOT
from tokenizers.pre_tokenizers import ByteLevel

DATA = ROOT / "tests/data"


def case(text, oracle):
    whole = text.decode("utf-8", errors="replace")
    replaced = whole.count("\ufffd") - text.count("\ufffd".encode())
    ids = oracle.tokenizer.encode(whole, add_special_tokens=False).ids
    return "\t".join([escaped(text), str(replaced), " ".join(map(str, ids))])


def make_cases(vocabulary):
    oracle = Oracle(vocabulary)
    texts = [content if isinstance(content, bytes) else content.encode() for content in (HARD | HARD_HERE).values()]
    (DATA / "bpe_cases.txt").write_text("".join(case(text, oracle) + "\n" for text in dict.fromkeys(texts)))


def make_pretokens():
    lines, cut = [], ByteLevel(add_prefix_space=False).pre_tokenize_str
    for plane in range(0x11):
        crc = 0
        for code in (code for code in CODE_POINTS if code >> 16 == plane):
            text = in_contexts(chr(code))
            for _, (first, end) in cut(text):
                crc = zlib.crc32(text[first:end].encode() + b"|", crc)
        lines.append(f"{plane} {crc:08x}\n")
    (DATA / "pretokens.txt").write_text("".join(lines))


if __name__ == "__main__":
    make_cases(train_there(DATA / "bpe", 600, ROOT / "datasets/sample/text.txt"))
    make_pretokens()

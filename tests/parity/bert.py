"""The same BERT in transformers: padded batches with a mask, where heed's are ragged."""

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def make(folder, pairs=False, seed=0, vocabulary=None, **sizes):
    """A model of these sizes with no weight at its initial value, saved as transformers saves it, and its vocabulary beside it."""
    torch.manual_seed(seed)
    # Without a padding id: transformers would give its row no gradient, though it may be a random replacement of a masked token.
    config = BertConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12, pad_token_id=None, **sizes)
    model = (BertForPreTraining if pairs else BertForMaskedLM)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokens = vocabulary or SPECIAL + [f"w{i}" for i in range(config.vocab_size - len(SPECIAL))]
    with open(f"{folder}/vocab.txt", "w") as file:
        file.write("\n".join(tokens) + "\n")
    return model


def random_batch(config, lengths, pairs, seed=0):
    """A ragged batch of heed's: ids, two segments, 15% of the tokens to predict."""
    draw = np.random.default_rng(seed)
    tokens = sum(lengths)
    targets = np.flatnonzero(draw.random(tokens) < 0.15)
    return {
        "ids": draw.integers(0, config.vocab_size, tokens),
        "positions": np.concatenate([np.arange(n) for n in lengths]),
        "token_types": np.concatenate([np.arange(n) * 2 >= n for n in lengths]).astype(int),
        "offsets": np.cumsum([0, *lengths]),
        "target_tokens": targets,
        "target_ids": draw.integers(0, config.vocab_size, len(targets)),
        "target_is_mask": np.ones(len(targets), dtype=int),
        "next_sentence": draw.integers(0, 2, len(lengths)) if pairs else None,
    }


def padded(batch):
    """ids, token types and mask [B, longest], and where each token of the ragged batch lies in them, flattened."""
    offsets = np.asarray(batch["offsets"])
    rows, longest = len(offsets) - 1, int(np.diff(offsets).max())
    row = np.repeat(np.arange(rows), np.diff(offsets))
    place = row * longest + np.asarray(batch["positions"])
    grids = []
    for values in (batch["ids"], batch["token_types"], np.ones(len(place), dtype=int)):
        grid = np.zeros(rows * longest, dtype=np.int64)
        grid[place] = values
        grids.append(torch.from_numpy(grid.reshape(rows, longest)))
    return *grids, torch.from_numpy(place)


def forward(model, batch):
    """Hidden states of all tokens, logits at the targets, logits of pairs (or None), and the loss that training lowers."""
    ids, types, mask, place = padded(batch)
    out = model.bert(input_ids=ids, token_type_ids=types, attention_mask=mask)
    hidden = out.last_hidden_state.flatten(0, 1)[place]
    logits = model.cls.predictions(hidden[torch.as_tensor(np.asarray(batch["target_tokens"], dtype=np.int64))])
    loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(np.asarray(batch["target_ids"], dtype=np.int64)))
    pairs = None
    if batch.get("next_sentence") is not None:
        pairs = model.cls.seq_relationship(out.pooler_output)
        loss = loss + torch.nn.functional.cross_entropy(pairs, torch.as_tensor(np.asarray(batch["next_sentence"], dtype=np.int64)))
    return hidden, logits, pairs, loss

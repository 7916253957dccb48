"""Hidden states, logits, loss and every gradient, against transformers in double precision on the same weights."""

import tempfile

import numpy as np

import bert
import heed
from bounds import GRADIENT_BOUND, LOGITS, LOSS, gradient_shares, relative
from checks import check, finish

TINY = dict(vocab_size=320, num_hidden_layers=2, hidden_size=64, num_attention_heads=4, intermediate_size=192, max_position_embeddings=64)
MINI = dict(vocab_size=8192, num_hidden_layers=4, hidden_size=256, num_attention_heads=4, intermediate_size=1024)
BASE = dict(vocab_size=30522, num_hidden_layers=12, hidden_size=768, num_attention_heads=12, intermediate_size=3072)
RAGGED = [40, 3, 64, 17, 64, 9, 33, 5]

CASES = {
    "2 layers": dict(sizes=TINY, lengths=RAGGED),
    "2 layers, next sentence": dict(sizes=TINY, lengths=RAGGED, pairs=True),
    "2 layers, tanh GELU": dict(sizes=dict(TINY, hidden_act="gelu_new"), lengths=RAGGED),
    "2 layers, equal lengths": dict(sizes=TINY, lengths=[48] * 6),
    "2 layers, one sequence": dict(sizes=TINY, lengths=[64]),
    "2 layers, odd sizes": dict(sizes=dict(TINY, vocab_size=101, hidden_size=45, num_attention_heads=5, intermediate_size=77), lengths=RAGGED),
    "mini": dict(sizes=MINI, lengths=[128, 77, 12, 128, 60, 101]),
    "mini, next sentence": dict(sizes=MINI, lengths=[128, 77, 12, 128, 60, 101], pairs=True),
    "base": dict(sizes=BASE, lengths=[64, 23, 41]),
}


def compare(name, sizes, lengths, pairs=False):
    with tempfile.TemporaryDirectory() as folder:
        model = bert.make(f"{folder}/hf", pairs, **sizes).double()
        heed.run("import", f"{folder}/hf", "--output", f"{folder}/checkpoint")
        batch = bert.random_batch(model.config, lengths, pairs)
        ours = heed.model(f"{folder}/checkpoint", batch, folder)
        hidden, logits, pair_logits, loss = bert.forward(model, batch)
        loss.backward()
        # Tied tensors once, under the name that heed keeps them under.
        theirs = {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}

        for what, tensor in (("hidden", hidden), ("logits", logits), ("pairs", pair_logits)):
            if tensor is not None:
                error = relative(ours[what], tensor.detach().numpy())
                check(f"{name}: {what}", error <= LOGITS, f"{error:.1e}")
        error = abs(ours["loss"].sum() - loss.item()) / loss.item()
        check(f"{name}: loss", error <= LOSS, f"{error:.1e}")
        missing = set(theirs) - set(ours)
        check(f"{name}: every gradient is there", not missing and len(theirs) + 3 + pairs == len(ours), ", ".join(sorted(missing)))
        shares = gradient_shares(ours, theirs)
        worst = max(shares, key=shares.get)
        check(f"{name}: {len(shares)} gradients", shares[worst] <= GRADIENT_BOUND, f"at most {shares[worst]:.3f} of the bound ({worst})")
        return ours, theirs


def broken_gradients_are_found(ours, theirs):
    """The test of the test: one tensor 1% off."""
    name = "bert.encoder.layer.1.output.dense.weight"
    shares = gradient_shares(dict(ours, **{name: 1.01 * ours[name]}), theirs)
    check("a gradient that is 1% off is found", [n for n, share in shares.items() if share > GRADIENT_BOUND] == [name])


first = None
for case, arguments in CASES.items():
    result = compare(case, **arguments)
    first = first or result
broken_gradients_are_found(*first)
finish()

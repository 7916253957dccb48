"""The kernels of the attention mechanism, forward and backward, against PyTorch and transformers in double precision.

Bands are attention masks to PyTorch; queries of a sequence with more keys stand at its end."""

import os
import tempfile

import numpy as np
import torch
from torch.nn.functional import gelu, layer_norm, relu, scaled_dot_product_attention
from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb

import heed
from checks import check, finish

FORWARD, BACKWARD = 1e-6, 3e-6
EVERYWHERE = -1
FORMS = {"GELU": gelu, "tanh GELU": lambda x: gelu(x, approximate="tanh"), "ReLU": relu}
rng = np.random.default_rng(3)


def numbers(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def kernel(name, sizes, inputs, shapes):
    """Calls one kernel: the arrays that it leaves, in double."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/in", "wb") as file:
            file.write(np.asarray([len(sizes), *sizes], dtype="<i4").tobytes())
            for values in inputs:
                file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())
        heed.start(os.path.join(os.path.dirname(heed.PARITY), "parity-kernels"), (name, f"{folder}/in", f"{folder}/out"), None)
        results = np.fromfile(f"{folder}/out", dtype="<f4").astype(np.float64)
    counts = [int(np.prod(shape)) for shape in shapes]
    assert sum(counts) == len(results), (name, counts, len(results))
    return [part.reshape(shape) for part, shape in zip(np.split(results, np.cumsum(counts)[:-1]), shapes)]


def wide(values, gradient=True):
    return torch.tensor(values, dtype=torch.float64, requires_grad=gradient)


def relative(ours, theirs):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def agree(name, pairs):
    """One check for all arrays of a call: `pairs` holds name: (ours, theirs, bound)."""
    errors = {what: (relative(ours, theirs), bound) for what, (ours, theirs, bound) in pairs.items()}
    check(name, all(error <= bound for error, bound in errors.values()), "  ".join(f"{what} {error:.1e}" for what, (error, _) in errors.items()))


def seen(queries, keys, behind, ahead):
    place, key = np.arange(queries)[:, None] + keys - queries, np.arange(keys)[None, :]
    return torch.tensor(((key >= place - behind) | (behind == EVERYWHERE)) & ((key <= place + ahead) | (ahead == EVERYWHERE)))


def torch_attention(q, k, v, queries, keys, heads, behind, ahead):
    """Sequence by sequence: out [T, H·D], weights of the first sequence, entropies [B, H]."""
    outs, weights, entropies, at, kv_at = [], None, [], 0, 0
    for n, m in zip(queries, keys):
        part = lambda x, first, count: x[first : first + count].unflatten(1, (heads, -1)).transpose(0, 1)
        own = part(q, at, n), part(k, kv_at, m), part(v, kv_at, m)
        mask = seen(n, m, behind, ahead)
        outs.append(scaled_dot_product_attention(*own, attn_mask=mask).transpose(0, 1).flatten(1))
        scores = (own[0] @ own[1].transpose(1, 2) / np.sqrt(own[0].shape[2])).masked_fill(~mask, -torch.inf)
        p = torch.softmax(scores, -1)
        weights = p if weights is None else weights
        entropies.append(torch.special.entr(p).sum((1, 2)))
        at, kv_at = at + n, kv_at + m
    return torch.cat(outs), weights, torch.stack(entropies)


def compare_attention(name, queries, keys, heads, width, behind, ahead):
    T, K, C = sum(queries), sum(keys), heads * width
    q, k, v, d_out = numbers(T, C), numbers(K, C), numbers(K, C), numbers(T, C)
    shapes = [(T, C), (T, C), (K, C), (K, C), (heads, queries[0], keys[0]), (len(queries), heads)]
    ours = kernel("attention", [len(queries), heads, width, behind, ahead, *queries, *keys], [q, k, v, d_out], shapes)
    inputs = [wide(values) for values in (q, k, v)]
    out, weights, entropy = torch_attention(*inputs, queries, keys, heads, behind, ahead)
    out.backward(wide(d_out, False))
    agree(f"attention, {name}", {"out": (ours[0], out, FORWARD), "dq": (ours[1], inputs[0].grad, BACKWARD), "dk": (ours[2], inputs[1].grad, BACKWARD),
                                 "dv": (ours[3], inputs[2].grad, BACKWARD), "weights": (ours[4], weights, FORWARD),
                                 "entropy": (ours[5], entropy, FORWARD)})
    return ours, inputs


def compare_rotary(heads, width, theta):
    tokens, places = 37, 64
    x, d_y, positions = numbers(tokens, heads * width), numbers(tokens, heads * width), rng.integers(0, places, tokens)
    angles = np.arange(places)[:, None] * theta ** (-2.0 * np.arange(width // 2) / width)[None, :]
    table = np.concatenate([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    ours, = kernel("rotary", [tokens, heads, width, places, 0, *positions], [x, table], [x.shape])
    back, = kernel("rotary", [tokens, heads, width, places, 1, *positions], [d_y, table], [x.shape])
    wide_x = wide(x)
    # [B, H, T, D], and cosines and sines [B, T, D] with their halves twice.
    cos, sin = (torch.tensor(np.tile(part, 2)[positions])[None] for part in (np.cos(angles), np.sin(angles)))
    heads_first = wide_x.unflatten(1, (heads, width)).transpose(0, 1)[None]
    turned = apply_rotary_pos_emb(heads_first, heads_first, cos, sin)[0][0].transpose(0, 1).flatten(1)
    turned.backward(wide(d_y, False))
    agree(f"rotary, {heads} heads of {width}, theta {theta:g}", {"x": (ours, turned, FORWARD), "dx": (back, wide_x.grad, FORWARD)})


def compare_activation(form, name, act):
    x, d_y = 3 * numbers(5003), numbers(5003)
    ours = kernel("activation", [form, x.size], [x, d_y], [x.shape, x.shape])
    wide_x = wide(x)
    y = act(wide_x)
    y.backward(wide(d_y, False))
    agree(name, {"y": (ours[0], y, FORWARD), "dx": (ours[1], wide_x.grad, FORWARD)})

    x, d_y = 2 * numbers(29, 2 * 77), numbers(29, 77)
    ours = kernel("gated", [form, 29, 77], [x, d_y], [d_y.shape, x.shape])
    wide_x = wide(x)
    first, second = wide_x.chunk(2, -1)
    y = act(first) * second
    y.backward(wide(d_y, False))
    agree(f"gated {name}", {"y": (ours[0], y, FORWARD), "dx": (ours[1], wide_x.grad, FORWARD)})


def compare_layer_norm(tokens, width):
    x, d_y, gamma = 2 * numbers(tokens, width) + 1, numbers(tokens, width), numbers(width)
    ours = kernel("layer_norm", [tokens, width], [x, d_y, gamma], [x.shape, x.shape, gamma.shape])
    wide_x, wide_gamma = wide(x), wide(gamma)
    y = layer_norm(wide_x, (width,), wide_gamma, None, 1e-5)
    y.backward(wide(d_y, False))
    agree(f"layer norm without a bias, width {width}", {"y": (ours[0], y, FORWARD), "dx": (ours[1], wide_x.grad, BACKWARD),
                                                        "dgamma": (ours[2], wide_gamma.grad, BACKWARD)})


RAGGED, LONG = [40, 3, 64, 17, 1, 150], [700]
BANDS = {"full": (EVERYWHERE, EVERYWHERE), "causal": (EVERYWHERE, 0), "window of 16": (16, 16), "window of 64": (64, 64), "causal window of 20": (20, 0)}
for band, (behind, ahead) in BANDS.items():
    compare_attention(band, RAGGED, RAGGED, 3, 20, behind, ahead)
    compare_attention(f"{band}, long", LONG, LONG, 2, 64, behind, ahead)
    compare_attention(f"{band}, more keys than queries", [5, 1, 130, 33], [60, 70, 131, 300], 2, 32, behind, ahead)
compare_attention("full, more queries than keys", [60, 7], [5, 1], 2, 32, EVERYWHERE, EVERYWHERE)
ours, inputs = compare_attention("causal, once more", RAGGED, RAGGED, 2, 16, EVERYWHERE, 0)
check("a gradient that is 1% off is found", relative(1.01 * ours[1], inputs[0].grad) > BACKWARD)
full, *_ = torch_attention(*inputs, RAGGED, RAGGED, 2, EVERYWHERE, EVERYWHERE)
check("a mask that is left out is found", relative(ours[0], full) > 0.1)
for heads, width, theta in ((1, 2, 1e4), (3, 20, 1e4), (12, 64, 1.6e5)):
    compare_rotary(heads, width, theta)
for number, (name, act) in enumerate(FORMS.items()):
    compare_activation(number, name, act)
for tokens, width in ((50, 83), (33, 768)):
    compare_layer_norm(tokens, width)
finish()

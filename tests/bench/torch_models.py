"""BERT and GPT-2 in plain PyTorch, as fast as it is written well: one product for query, key and value, scaled_dot_product_attention, logits
at the targets only, a tied decoder.  No slower than transformers' own modules, which carry more options."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, hidden, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)

    def forward(self, x, mask, causal):
        rows, length, hidden = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(rows, length, hidden))


class FeedForward(nn.Module):
    def __init__(self, hidden, width, approximate):
        super().__init__()
        self.into, self.out, self.approximate = nn.Linear(hidden, width), nn.Linear(width, hidden), approximate

    def forward(self, x):
        return self.out(F.gelu(self.into(x), approximate=self.approximate))


class Block(nn.Module):
    def __init__(self, hidden, heads, width, dropout, approximate, pre_norm):
        super().__init__()
        self.pre_norm = pre_norm
        self.attention, self.feed_forward = Attention(hidden, heads, dropout), FeedForward(hidden, width, approximate)
        self.norm1, self.norm2, self.drop = nn.LayerNorm(hidden), nn.LayerNorm(hidden), nn.Dropout(dropout)

    def forward(self, x, mask, causal):
        if self.pre_norm:
            x = x + self.drop(self.attention(self.norm1(x), mask, causal))
            return x + self.drop(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.drop(self.attention(x, mask, causal)))
        return self.norm2(x + self.drop(self.feed_forward(x)))


class Model(nn.Module):
    """family bert: post-norm, segments, a head that transforms; gpt: pre-norm, causal, a final norm."""

    def __init__(self, family, vocabulary, layers, hidden, heads, feed_forward, positions, dropout):
        super().__init__()
        self.bert = family == "bert"
        self.words, self.positions = nn.Embedding(vocabulary, hidden), nn.Embedding(positions, hidden)
        self.segments = nn.Embedding(2, hidden) if self.bert else None
        approximate = "none" if self.bert else "tanh"
        self.blocks = nn.ModuleList(Block(hidden, heads, feed_forward, dropout, approximate, not self.bert) for _ in range(layers))
        self.norm, self.drop = nn.LayerNorm(hidden), nn.Dropout(dropout)  # behind the embeddings, or behind the blocks
        if self.bert:
            self.dense, self.head_norm, self.bias = nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.Parameter(torch.zeros(vocabulary))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids, segments, places, mask, targets, target_ids):
        """places [1, S]; mask [B, 1, 1, S] or None; targets: indices into the B·S tokens, None = all.  The mean loss."""
        x = self.words(ids) + self.positions(places)
        x = self.drop(self.norm(x + self.segments(segments)) if self.bert else x)
        for block in self.blocks:
            x = block(x, mask, not self.bert)
        x = (x if self.bert else self.norm(x)).flatten(0, 1)
        x = x if targets is None else x.index_select(0, targets)
        if self.bert:
            x = self.head_norm(F.gelu(self.dense(x)))
        return F.cross_entropy(F.linear(x, self.words.weight, self.bias if self.bert else None).float(), target_ids)


def batch(family, vocabulary, lengths, seed=0):
    """What heed's bench makes up too: random tokens in rows of these lengths, evenly spread targets (round(15%) of each row, or all)."""
    torch.manual_seed(seed)
    rows, longest = len(lengths), max(lengths)
    ids = torch.randint(vocabulary, (rows, longest))
    segments, places, targets = torch.zeros_like(ids), torch.arange(longest)[None], []
    for row, length in enumerate(lengths):
        count = max(1, round(0.15 * length)) if family == "bert" else length
        targets += [row * longest + (2 * m + 1) * length // (2 * count) for m in range(count)]
    full = len(targets) == rows * longest
    mask = None if min(lengths) == longest else (places < torch.tensor(lengths)[:, None])[:, None, None, :]
    if mask is not None and family == "gpt":
        mask = None  # causal: no real token sees the padding, which stands behind it
    return ids, segments, places, mask, None if full else torch.tensor(targets), torch.randint(vocabulary, (len(targets),))

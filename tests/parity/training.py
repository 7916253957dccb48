"""Training step by step beside PyTorch: the same weights to begin with, the same batches in the same order, no dropout.

    python training.py            50 steps of AdamW and 20 of LAMB: every loss within 1e-4
    python training.py --long     1,000 steps of BERT-mini, 32 sequences: the validation loss within 0.5% (most of an hour on two cores)
"""

import os
import sys
import tempfile
import time

import numpy as np
import torch

import bert
import heed
from checks import check, finish

TINY = dict(num_hidden_layers=2, hidden_size=128, num_attention_heads=2, intermediate_size=512, max_position_embeddings=128)
MINI = dict(num_hidden_layers=4, hidden_size=256, num_attention_heads=4, intermediate_size=1024, max_position_embeddings=512)
BETA1, BETA2, EPSILON, DECAY, CLIP = 0.9, 0.999, 1e-6, 0.01, 1.0

CONFIG = """\
run: {{name: parity, output: {folder}/run}}
model: {{family: bert, vocabulary_size: {vocab_size}, layers: {num_hidden_layers}, hidden: {hidden_size}, heads: {num_attention_heads},
  feed_forward: {intermediate_size}, max_positions: {max_position_embeddings}, dropout: 0, attention_dropout: 0}}
data: {{train: {english}/train.h5, validation: {english}/validation.h5, vocabulary: {english}/vocab.txt}}
objective: {{next_sentence: {pairs}}}
train: {{steps: {steps}, sequence_length: {length}, batch_sequences: {rows}, slices: 8, start_from: {folder}/start}}
optimizer: {{name: {optimizer}, learning_rate: {rate}, beta1: 0.9, beta2: 0.999, epsilon: 1.0e-6, weight_decay: 0.01, clip_norm: 1.0}}
schedule: {{warmup_steps: {warmup}, decay: linear}}
checkpoint: {{every_steps: 0}}
evaluate: {{every_steps: {steps}, batches: {batches}}}
log: {{every_steps: 1}}
"""


def learning_rate(step, steps, warmup, highest):
    return highest * (step + 1) / warmup if step < warmup else highest * (1 - (step - warmup) / (steps - warmup))


def groups(model):
    """Weight decay is for matrices: biases and norms have none."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    return [{"params": matrices, "weight_decay": DECAY}, {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, algorithm 2: Adam's direction and decay, to the length of the rate times the tensor's own norm."""

    def __init__(self, parameters):
        super().__init__(parameters, dict(lr=0.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                m, v, t = state.get("m", torch.zeros_like(p)), state.get("v", torch.zeros_like(p)), state.get("t", 0) + 1
                m, v = BETA1 * m + (1 - BETA1) * p.grad, BETA2 * v + (1 - BETA2) * p.grad**2
                state.update(m=m, v=v, t=t)
                direction = (m / (1 - BETA1**t)) / ((v / (1 - BETA2**t)).sqrt() + EPSILON) + group["weight_decay"] * p
                weight, length = p.norm(), direction.norm()
                p.sub_(group["lr"] * (weight / length if weight > 0 and length > 0 else 1.0) * direction)


def train(model, optimizer, batches, warmup, highest):
    """PyTorch's losses, step by step."""
    losses, begin = [], time.time()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(batches), warmup, highest)
        optimizer.zero_grad()
        loss = bert.forward(model, batch)[3]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"        PyTorch: step {step + 1} of {len(batches)}, loss {np.mean(losses[-100:]):.4f}, {time.time() - begin:.0f} s", flush=True)
    return losses


def validate(model, batches):
    """Mean loss over all targets of the batches."""
    with torch.no_grad():
        losses = [(bert.forward(model, batch)[3].item(), len(batch["target_ids"])) for batch in batches]
    return sum(loss * count for loss, count in losses) / sum(count for _, count in losses)


def beside(name, folder, sizes, optimizer, steps, warmup, rate, rows, length, batches=4, pairs=False):
    """Both trainings.  Returns losses by step and the validation loss, of heed and of PyTorch."""
    with open(f"{heed.ENGLISH}/vocab.txt") as file:
        vocabulary = file.read().split("\n")[:-1]
    sizes = dict(sizes, vocab_size=len(vocabulary))
    model = bert.make(f"{folder}/hf", pairs, vocabulary=vocabulary, **sizes)
    config = f"{folder}/config.yaml"
    with open(config, "w") as file:
        file.write(CONFIG.format(folder=folder, english=heed.ENGLISH, optimizer=optimizer, steps=steps, warmup=warmup, rate=rate, rows=rows,
                                 length=length, batches=batches, pairs=str(pairs).lower(), **sizes))
    heed.run("import", f"{folder}/hf", "--output", f"{folder}/start")
    for part, count in (("train", steps), ("validation", batches)):
        heed.parity("batches", config, part, count, f"{folder}/{part}.bin")
    begin = time.time()
    heed.run("train", config)
    print(f"        heed: {steps} steps in {time.time() - begin:.0f} s", flush=True)
    losses, validation = heed.metrics(f"{folder}/run")

    optimizers = {"adamw": lambda g: torch.optim.AdamW(g, lr=rate, betas=(BETA1, BETA2), eps=EPSILON), "lamb": Lamb}
    theirs = train(model, optimizers[optimizer](groups(model)), heed.read_batches(f"{folder}/train.bin"), warmup, rate)
    return ([losses[step + 1] for step in range(steps)], validation[steps], theirs,
            validate(model, heed.read_batches(f"{folder}/validation.bin")))


def every_loss(name, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        ours, validation, theirs, their_validation = beside(name, folder, **arguments)
    apart = np.abs(np.array(ours) - theirs)
    check(f"{name}: every loss", apart.max() <= 1e-4, f"at most {apart.max():.1e} apart; from {theirs[0]:.3f} to {theirs[-1]:.3f}")
    if not arguments.get("pairs"):  # its validation loss is of masked tokens alone
        check(f"{name}: validation loss", abs(validation - their_validation) <= 1e-4, f"{validation:.6f}, PyTorch {their_validation:.6f}")
    return ours, theirs


def learning():
    name = "mini, 1,000 steps of 32 sequences"
    with tempfile.TemporaryDirectory() as folder:
        ours, validation, theirs, their_validation = beside(name, folder, sizes=MINI, optimizer="adamw", steps=1000, warmup=100, rate=6e-4,
                                                            rows=32, length=128, batches=20)
    part = validation / their_validation - 1
    check(f"{name}: it learned", theirs[0] - their_validation > 2, f"from {theirs[0]:.3f}")
    check(f"{name}: validation loss", abs(part) <= 0.005, f"{validation:.4f}, PyTorch {their_validation:.4f}, {100 * part:+.3f}%")
    print(f"        losses: at most {np.abs(np.array(ours) - theirs).max():.1e} apart")


torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
if "--long" in sys.argv[1:]:
    learning()
else:
    ours, theirs = every_loss("AdamW, 50 steps", sizes=TINY, optimizer="adamw", steps=50, warmup=10, rate=1e-3, rows=32, length=64)
    check("losses of another order of batches are found", np.abs(np.array(ours) - np.roll(theirs, 1)).max() > 1e-4)
    every_loss("LAMB, 20 steps", sizes=TINY, optimizer="lamb", steps=20, warmup=5, rate=5e-3, rows=32, length=64)
    every_loss("AdamW, next sentence, 20 steps", sizes=TINY, optimizer="adamw", steps=20, warmup=5, rate=1e-3, rows=32, length=64, pairs=True)
    every_loss("AdamW, mini, 20 steps", sizes=MINI, optimizer="adamw", steps=20, warmup=5, rate=5e-4, rows=16, length=128)
finish()

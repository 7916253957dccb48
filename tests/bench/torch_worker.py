"""PyTorch's side of the comparison: a process that reads commands, a JSON object a line, and answers each with one.

    {"make": "step", model and batch …}           a training step: forward, backward, clipping, fused AdamW
    {"make": "attention", sizes …}                F.scaled_dot_product_attention alone, forward and backward
    {"run": N}                                    runs it N times → {"seconds": [...]}, and for attention {"forward": [...]} besides
    {"memory": true}                              → {"peak_rss_bytes": …}
"""

import contextlib
import json
import os
import resource
import sys
import time

import torch
from torch.nn import functional as F

import torch_models


def cast(precision):
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def step(spec):
    model = torch_models.Model(**spec["model"]).train()
    batch = torch_models.batch(spec["model"]["family"], spec["model"]["vocabulary"], spec["lengths"])
    matrices, vectors = [p for p in model.parameters() if p.dim() > 1], [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}], lr=1e-4,
                                  betas=(0.9, 0.999), eps=1e-6, fused=True)
    forward = torch.compile(model) if spec["mode"] == "compile" else model

    def run():
        with cast(spec["precision"]):
            loss = forward(*batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return timed(run)


def timed(run):
    def times():
        begun = time.perf_counter()
        run()
        return {"seconds": time.perf_counter() - begun}

    return times


def attention(spec):
    """The inputs are in the precision told: what autocast gives the operation."""
    kind = torch.bfloat16 if spec["precision"] == "bf16" else torch.float32
    shape = (spec["batch"], spec["heads"], spec["sequence_length"], spec["head_width"])
    q, k, v = (torch.randn(shape, dtype=kind, requires_grad=True) for _ in range(3))
    gradient = torch.randn(shape, dtype=kind)

    def attend(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=spec["dropout"], is_causal=spec["causal"])

    forward = torch.compile(attend) if spec["mode"] == "compile" else attend

    def times():
        begun = time.perf_counter()
        y = forward(q, k, v)
        middle = time.perf_counter()
        y.backward(gradient)
        end = time.perf_counter()
        for x in (q, k, v):
            x.grad = None
        return {"forward": middle - begun, "seconds": end - begun}

    return times


def answer(command, state):
    if "make" in command:
        state["run"] = {"step": step, "attention": attention}[command["make"]](command)
        return {}
    if "run" in command:
        all_times = [state["run"]() for _ in range(command["run"])]
        return {key: [times[key] for times in all_times] for key in all_times[0]}
    return {"peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main():
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    answers = os.fdopen(os.dup(1), "w")  # what libraries print does not come between
    os.dup2(2, 1)
    state = {}
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line), state)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

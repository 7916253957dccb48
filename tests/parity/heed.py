"""Running heed and its parity program, and reading and writing their files."""

import json
import os
import subprocess

import numpy as np
from safetensors.numpy import load_file

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("HEED", os.path.join(ROOT, "build/bin/heed"))
PARITY = os.path.join(os.path.dirname(PROGRAM), "parity")
ENGLISH = os.environ.get("HEED_ENGLISH", os.path.join(ROOT, "datasets/english"))


def run(*arguments, text=None):
    """Runs heed; what it says on standard output.  Any exit code but 0 ends the script with heed's message."""
    return start(PROGRAM, arguments, text)


def parity(*arguments):
    return start(PARITY, arguments, None)


def start(program, arguments, text):
    done = subprocess.run([program, *map(str, arguments)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{os.path.basename(program)} {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def model(checkpoint, batch, folder, *precision):
    """Hidden states, logits, loss and gradients of one batch, by heed; of bf16 elements when it is named."""
    batches, results = os.path.join(folder, "batch.bin"), os.path.join(folder, "results.safetensors")
    write_batch(batches, batch)
    parity("model", checkpoint, batches, results, *precision)
    return {name: values.astype(np.float64) for name, values in load_file(results).items()}


FIELDS = ("ids", "positions", "token_types", "offsets", "target_tokens", "target_ids", "target_is_mask", "next_sentence")


def write_batch(path, batch):
    header = [len(batch["offsets"]) - 1, len(batch["ids"]), len(batch["target_ids"]), int(batch.get("next_sentence") is not None)]
    with open(path, "wb") as file:
        for values in [header] + [batch[name] for name in FIELDS if batch.get(name) is not None]:
            file.write(np.asarray(values, dtype="<i4").tobytes())


def read_batches(path):
    values, at, batches = np.fromfile(path, dtype="<i4"), 0, []
    while at < len(values):
        rows, tokens, targets, pairs = (int(n) for n in values[at : at + 4])
        at += 4
        counts = (tokens, tokens, tokens, rows + 1, targets, targets, targets, rows if pairs else 0)
        batch = {}
        for name, count in zip(FIELDS, counts):
            batch[name] = values[at : at + count] if count else None
            at += count
        batches.append(batch)
    return batches


def metrics(run_folder):
    """The lines of metrics.jsonl: losses by step, and validation losses by step."""
    with open(os.path.join(run_folder, "metrics.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    return ({line["step"]: line["loss"] for line in lines if "loss" in line},
            {line["step"]: line["validation_loss"] for line in lines if "validation_loss" in line})

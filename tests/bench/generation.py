"""Greedy text of GPT-2 124M with its key–value cache: heed and transformers' generate, on the same random weights and the same prompt.

Run by itself it is transformers' side: a process that reads a line for each turn and answers {"ids", "seconds", "peak_rss_bytes"}."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from peers import HEED, KEEP_MEMORY, Refused, heed_with_memory

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PROMPT = [1000 + 37 * i for i in range(32)]


def make_model(folder):
    """GPT-2 124M with weights three times as far from zero as usual, so that the likeliest token is not the same for ever."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config(bos_token_id=3, eos_token_id=3, pad_token_id=0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    model.save_pretrained(folder)
    with open(f"{folder}/vocab.txt", "w") as file:
        file.write("\n".join(SPECIAL + [f"w{i}" for i in range(model.config.vocab_size - len(SPECIAL))]) + "\n")


def serve(folder, tokens, precision):
    import torch
    from transformers import GPT2LMHeadModel

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.bfloat16 if precision == "bf16" else torch.float32).eval()
    model.generation_config.eos_token_id = None
    prompt = torch.tensor(PROMPT)[None]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for _ in sys.stdin:
        begun = time.perf_counter()
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False)[0, len(PROMPT):].tolist()
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps({"ids": ids, "seconds": seconds, "peak_rss_bytes": peak}) + "\n")
        answers.flush()


def theirs(process, lock):
    with lock.held():
        process.stdin.write("\n")
        process.stdin.flush()
        line = process.stdout.readline()
    if not line:
        raise Refused("transformers' process ended (out of memory?)")
    return json.loads(line)


def ours(checkpoint, tokens, lock):
    text = " ".join(f"w{i - len(SPECIAL)}" for i in PROMPT)
    with lock.held():
        return heed_with_memory("generate", checkpoint, text, "--tokens", tokens, "--temperature", 0, "--json")


def measure(precision, options, lock):
    tokens = 32 if options.quick else 256
    with tempfile.TemporaryDirectory() as folder:
        command = "import sys, generation; generation.make_model(sys.argv[1])"
        subprocess.run([sys.executable, "-c", command, f"{folder}/hf"], check=True, cwd=os.path.dirname(__file__))
        subprocess.run([HEED, "import", f"{folder}/hf", "--output", f"{folder}/checkpoint"], check=True,
                       stdout=subprocess.DEVNULL)
        process = subprocess.Popen([sys.executable, __file__, f"{folder}/hf", str(tokens), precision], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ, **KEEP_MEMORY))
        theirs(process, lock)  # warms up
        mine, other = [], []
        for _ in range(options.rounds):
            mine.append(ours(f"{folder}/checkpoint", tokens, lock))
            other.append(theirs(process, lock))
        process.stdin.close()
        process.wait()
    made = mine[0][0]["continuations"][0]["ids"]
    equal = next((i for i, (a, b) in enumerate(zip(made, other[0]["ids"])) if a != b), len(made))
    note = ", Heed in fp32" if precision == "bf16" else ""
    return {"case": "generate", "title": f"a token of gpt2-124m, {tokens} behind {len(PROMPT)}, cache{note}", "precision": precision,
            "equal_tokens": equal,
            "heed": {"ms": 1e3 / statistics.median(turn["tokens_per_second"] for turn, _ in mine),
                     "peak_rss_bytes": max(peak for _, peak in mine)},
            "torch": {"eager": {"ms": 1e3 * statistics.median(turn["seconds"] for turn in other) / tokens,
                                "peak_rss_bytes": max(turn["peak_rss_bytes"] for turn in other)}}}


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])

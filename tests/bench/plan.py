#!/usr/bin/env python3
"""How near `heed plan` comes to what `heed bench step` takes here, of time and memory: a line a case, and the largest errors.  Needs a build
and a quiet machine; exit code 1 when a time is more than 20% off or a peak of memory more than 10%.

    tests/bench/plan.py [--cases tiny,mini,small,small-bf16,base] [--rounds N] [--steps N]

Large batches are cut down to what takes seconds; slices keep their rows."""
import argparse
import json
import os
import statistics
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEED = os.environ.get("HEED", os.path.join(SOURCE, "build/bin/heed"))
CASES = {
    "tiny": ("bert-tiny", []),
    "mini": ("bert-mini", []),
    "small": ("bert-small", ["train.batch_sequences=32", "train.slices=2"]),
    "small-bf16": ("bert-small", ["train.batch_sequences=32", "train.slices=2", "train.precision=bf16"]),
    "base": ("bert-base", ["train.batch_sequences=16", "train.slices=2"]),
}
PLACES = [(1, 2), (2, 1)]  # ranks, threads
MOST_TIME, MOST_MEMORY = 0.20, 0.10


def run(arguments, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(config, settings, ranks, threads, steps):
    """A plan and then the steps, one after the other: what the machine does meanwhile changes as little as may be."""
    common = [os.path.join(SOURCE, "configs", config + ".yaml"), "--json"] + [word for s in settings for word in ("--set", s)]
    launch = ["mpirun", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
    plan = run([HEED, "plan", "--ranks", str(ranks)] + common, threads)
    step = run(launch + [HEED, "bench", "step", "--steps", str(steps), "--warmup", "1"] + common, threads)
    return plan, step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="which models (default: all)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is planned and measured (default: 1)")
    parser.add_argument("--steps", type=int, default=5, help="steps that are measured (default: 5)")
    options = parser.parse_args()
    names = options.cases.split(",")
    unknown = [name for name in names if name not in CASES]
    if unknown:
        parser.error(f"--cases: there is no {unknown[0]}; {', '.join(CASES)} are there")
    times, memories = [], []
    print(f"{'model':10} {'ranks':>5} {'threads':>7} {'planned, ms':>12} {'taken, ms':>10} {'error':>7} {'planned, MiB':>13} {'taken, MiB':>11} {'error':>7}")
    for name in names:
        for ranks, threads in PLACES:
            for _ in range(options.rounds):
                plan, step = measure(*CASES[name], ranks, threads, options.steps)
                planned, taken = 1e3 * plan["step_seconds"], step["step_ms_median"]
                memory, peak = (plan["peak_rss_bytes"] - plan["memory"]["snapshot"]) / 2**20, step["peak_rss_bytes"] / 2**20
                times.append(planned / taken - 1)
                memories.append(memory / peak - 1)
                print(f"{name:10} {ranks:5} {threads:7} {planned:12.1f} {taken:10.1f} {times[-1]:+7.1%} {memory:13.1f} {peak:11.1f} {memories[-1]:+7.1%}", flush=True)
    worst, worst_memory = max(map(abs, times)), max(map(abs, memories))
    print(f"time: at most {worst:.1%} off, {statistics.median(map(abs, times)):.1%} in the middle; memory: at most {worst_memory:.1%}")
    return worst > MOST_TIME or worst_memory > MOST_MEMORY


if __name__ == "__main__":
    sys.exit(main())

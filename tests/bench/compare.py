"""Compares the speed of Heed and PyTorch; compare_pytorch.sh sets up what it needs."""

import argparse
import datetime
import json
import os
import platform
import sys

import cases
import generation
import measure
import peers
import table

NAMES = [*cases.STEPS, "attention", "generate"]


def listed(known):
    def read(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
        return names

    return read


def options():
    parser = argparse.ArgumentParser(prog="compare_pytorch.sh", description=__doc__)
    parser.add_argument("--cases", type=listed(NAMES), help=f"some of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--precisions", type=listed(["fp32", "bf16"]), default=["fp32", "bf16"])
    parser.add_argument("--modes", type=listed(["eager", "compile"]), default=["eager", "compile"], help="of PyTorch")
    parser.add_argument("--steps", type=int, default=20, help="steps that count, of each side, in all (20)")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each side (4)")
    parser.add_argument("--slices", type=int, default=8, help="heed's train.slices at most (8)")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(cases.QUICK)} with 6 steps in 2 rounds: to see that it works")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write all results here too")
    parser.add_argument("--lock", metavar="FILE", help="hold a lock on this file while measuring, for those who share the machine")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.steps, chosen.rounds = 6, 2
    chosen.cases = chosen.cases or (cases.QUICK if chosen.quick else NAMES)
    return chosen


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def facts():
    from importlib.metadata import version

    model = cases.STEPS["mini"]
    kernels = peers.onednn_kernels({"model": model["model"], "lengths": [64] * 4})
    return {"date": datetime.date.today().isoformat(), "processor": processor(), "threads": int(os.environ["OMP_NUM_THREADS"]),
            "pytorch": version("torch"), "transformers": version("transformers"), "onednn_bf16_kernels": kernels,
            "pytorch_uses_amx": any("amx" in name for name in kernels)}


def print_facts(known):
    print(f"{known['date']}, {known['processor']}, {known['threads']} threads, PyTorch {known['pytorch']} (with memory kept by malloc), "
          f"transformers {known['transformers']}")
    kernels = ", ".join(f"{name} ({count})" for name, count in known["onednn_bf16_kernels"].items()) or "none"
    print(f"PyTorch's bf16 products, by ONEDNN_VERBOSE: {kernels}: {'AMX is used' if known['pytorch_uses_amx'] else 'AMX is not used'}\n", flush=True)


def against_llm_c(results):
    """GPT-2 124M B=4 T=64 against llm.c, each by its share of the fp32 multiply-add ceiling of its day."""
    llm_c = cases.LLM_C
    rows = [r for r in results if r["case"] == llm_c["case"] and "gflops" in r["heed"]]
    ceilings = [r["heed"]["ceiling_gflops"] for r in rows if r["precision"] == "fp32"]
    for r in rows if ceilings else []:
        share = r["heed"]["gflops"] / ceilings[0] / (llm_c["gflops"] / llm_c["ceiling_gflops"])
        print(f"GPT-2 124M B=4 T=64, {r['precision']}: {r['heed']['gflops']:.1f} GFLOP/s; llm.c {llm_c['gflops']} where the fp32 ceiling was "
              f"{llm_c['ceiling_gflops']:.0f}, not {ceilings[0]:.0f}: {share:.1f}× its speed")


def compare(name, precision, chosen, lock):
    if name == "attention":
        return measure.attention(precision, chosen, lock)
    if name == "generate":
        return [generation.measure(precision, chosen, lock)]
    return [measure.step(name, precision, chosen, lock)]


def main():
    chosen, results = options(), []
    lock = peers.Lock(chosen.lock)
    known = facts()
    print_facts(known)
    for name in chosen.cases:
        for precision in chosen.precisions:
            made = compare(name, precision, chosen, lock)
            results += made
            for result in made:
                faster = table.ratio(result)
                print(f"  {result['title']}, {precision}: {f'{faster:.2f}×' if faster else '—'}", file=sys.stderr, flush=True)
            if chosen.json:  # as far as it is
                with open(chosen.json, "w") as file:
                    json.dump({**known, "results": results}, file, indent=2)
    print(table.show(results, chosen.modes, chosen.markdown))
    against_llm_c(results)


if __name__ == "__main__":
    main()

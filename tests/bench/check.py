"""Checks what the comparisons make of measurements, with sides that answer at once: no PyTorch is needed.  Run by compare_test.c."""

import argparse

import cases
import measure
import peers
import table


class FakeWorker:
    """PyTorch whose steps take 40 ms (eager) or 30 ms (compile), and which has no bf16 when compiled."""

    def __init__(self, **spec):
        if spec["precision"] == "bf16" and spec["mode"] == "compile":
            raise peers.Refused("no such code")
        self.seconds = 0.04 if spec["mode"] == "eager" else 0.03

    def run(self, count):
        return {"seconds": [self.seconds] * count, "forward": [self.seconds / 4] * count}

    def close(self):
        return 3 << 20


def fake_heed(*arguments):
    """Steps of 20, 10, 10 … ms in fp32; bf16 is refused."""
    if "--set=train.precision=bf16" in arguments or "--precision=bf16" in arguments:
        raise peers.Refused("bf16 is not built yet")
    if arguments[1] == "attention":
        return [dict(cases.ATTENTION[0], precision="fp32", ms_forward=1.0, ms_backward=2.0, gflops=5.0)]
    fake_heed.turns += 1
    ms, tokens = 20 if fake_heed.turns == 1 else 10, sum(cases.STEPS["mini-unequal"]["lengths"])
    return {"tokens_per_second": tokens / ms * 1e3, "step_ms_median": ms, "model_flops_per_step": 1e9, "gflops": 1e9 / ms / 1e6,
            "ceiling_gflops": 200.0 + fake_heed.turns, "isa": "v4", "peak_rss_bytes": 2 << 20}


def unequal_lengths():
    for rows, longest in ((64, 128), (16, 128), (4, 512), (3, 64), (2, 10)):
        lengths = cases.spread(rows, longest)
        assert len(lengths) == rows and max(lengths) == longest and min(lengths) >= longest // 8, lengths
        assert sum(lengths) / rows <= 0.6 * longest, lengths
    half = cases.spread(64, 128)[:32]
    assert abs(sum(half) / 32 - 72) < 4, "the lengths have a trend"


def results_and_table():
    options = argparse.Namespace(steps=6, rounds=3, slices=8, modes=["eager", "compile"])
    lock = peers.Lock(None)
    made = [measure.step("mini-unequal", precision, options, lock) for precision in ("fp32", "bf16")]
    fp32, bf16 = made
    assert fake_heed.turns == 3 and fp32["heed"]["ms"] == 10 and fp32["heed"]["steps"] == 6 and fp32["heed"]["ceiling_gflops"] == 203
    assert abs(fp32["heed"]["gflops"] - 100) < 1e-9 and fp32["torch"]["compile"]["steps"] == 6
    assert abs(table.ratio(fp32) - 3) < 1e-9 and table.ratio(bf16) is None
    made += measure.attention("fp32", options, lock)
    assert len(made) == 3 and made[2]["heed"]["ms"] == 3 and abs(table.ratio(made[2]) - 10) < 1e-9
    made += measure.attention("bf16", options, lock)
    assert len(made) == 3 + len(cases.ATTENTION) and "not built" in made[3]["heed"]["refused"]
    text, markdown = table.show(made, options.modes), table.show(made, options.modes, True)
    assert "3.00×" in text and "heed, bf16: bf16 is not built yet (4 rows)" in text and "PyTorch compile, bf16: no such code" in text
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(made) and len({row.count("|") for row in rows}) == 1, markdown


def arguments_are_understood():
    """heed takes the arguments of a case, and as many tokens as the case has."""
    arguments = cases.heed_arguments("mini-unequal", "fp32", 8)
    small = ["--set=model.vocabulary_size=300", "--set=model.layers=1", "--set=model.hidden=64", "--set=model.feed_forward=64"]
    result, peak = peers.heed_with_memory("bench", "step", *arguments, *small, "--json", "--steps=1", "--warmup=1")
    tokens = result["tokens_per_second"] * result["step_ms_median"] / 1e3
    assert abs(tokens - sum(cases.STEPS["mini-unequal"]["lengths"])) < 0.5 and peak >= result["peak_rss_bytes"] > 0
    try:
        peers.heed("bench", "step", "missing.yaml")
    except peers.Refused as reason:
        assert "missing.yaml" in str(reason)
    else:
        raise AssertionError("a refusal is not seen")


arguments_are_understood()
unequal_lengths()
fake_heed.turns = 0
measure.Worker, measure.heed = FakeWorker, fake_heed
results_and_table()
print("checked")

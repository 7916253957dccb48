"""The measurements, both sides in turn.  Times are in milliseconds."""

import statistics

import cases
from peers import Refused, Worker, heed

WARMUP = 1  # steps that do not count, each time a side has its turn again


def median_ms(seconds):
    return 1e3 * statistics.median(seconds)


def best_of(peers):
    """The fastest mode of PyTorch, or None."""
    there = {mode: peer for mode, peer in peers.items() if "ms" in peer}
    return min(there, key=lambda mode: there[mode]["ms"]) if there else None


class Torch:
    """PyTorch in several modes, each in a process of its own."""

    def __init__(self, modes, lock, **spec):
        self.lock, self.workers, self.times, self.refused = lock, {}, {mode: {} for mode in modes}, {}
        for mode in modes:
            self.attempt(mode, lambda: self.start(mode, spec))

    def attempt(self, mode, work):
        try:
            with self.lock.held():
                work()
        except Refused as reason:
            self.refused[mode] = str(reason)
            self.workers.pop(mode, None)

    def start(self, mode, spec):
        self.workers[mode] = Worker(mode=mode, **spec)
        self.workers[mode].run(2)  # compiles

    def turn(self, count):
        for mode in list(self.workers):
            self.attempt(mode, lambda: self.take(mode, count))

    def take(self, mode, count):
        self.workers[mode].run(WARMUP)
        for key, seconds in self.workers[mode].run(count).items():
            self.times[mode].setdefault(key, []).extend(seconds)

    def end(self):
        results = {}
        for mode in self.times:
            if mode not in self.workers:
                results[mode] = {"refused": self.refused[mode]}
                continue
            results[mode] = {"ms": median_ms(self.times[mode]["seconds"]), "steps": len(self.times[mode]["seconds"]),
                             "peak_rss_bytes": self.workers[mode].close()}
            if "forward" in self.times[mode]:
                results[mode]["ms_forward"] = median_ms(self.times[mode]["forward"])
        return results


def heed_turns(results, lock, arguments):
    """One more turn of heed's; a refusal is kept as such."""
    try:
        with lock.held():
            results.append(heed(*arguments))
    except Refused as reason:
        return str(reason)
    return None


def step(name, precision, options, lock):
    """A training step: `options.rounds` turns of each side, of `options.steps` steps in all."""
    case, count = cases.STEPS[name], -(-options.steps // options.rounds)
    arguments = ["bench", "step", *cases.heed_arguments(name, precision, options.slices), "--json", f"--steps={count}", f"--warmup={WARMUP}"]
    torch = Torch(options.modes, lock, make="step", model=case["model"], lengths=case["lengths"], precision=precision)
    turns, refused = [], None
    for _ in range(options.rounds):
        refused = refused or heed_turns(turns, lock, arguments)
        torch.turn(count)
    result = {"case": name, "title": cases.title(name), "precision": precision, "torch": torch.end()}
    if refused:
        return dict(result, heed={"refused": refused})
    tokens = turns[0]["tokens_per_second"] * turns[0]["step_ms_median"] / 1e3
    assert abs(tokens - sum(case["lengths"])) < 0.5, f"{name}: heed took {tokens} tokens, not {sum(case['lengths'])}"
    ms = statistics.median(turn["step_ms_median"] for turn in turns)
    ceiling = max(turn["ceiling_gflops"] for turn in turns)
    gflops = turns[0]["model_flops_per_step"] / ms / 1e6
    return dict(result, heed={"ms": ms, "steps": count * len(turns), "tokens_per_second": tokens / ms * 1e3, "gflops": gflops,
                              "ceiling_gflops": ceiling, "fraction_of_ceiling": gflops / ceiling, "isa": turns[0]["isa"],
                              "peak_rss_bytes": max(turn["peak_rss_bytes"] for turn in turns)})


SHAPE = ("sequence_length", "batch", "heads", "head_width", "causal")


def attention(precision, options, lock):
    """Attention alone at the sizes of `heed bench attention`, whose times are its own medians; a row for each size."""
    turns, arguments = [], ["bench", "attention", f"--precision={precision}", "--json"]
    refused = heed_turns(turns, lock, arguments)
    shapes = [{key: row[key] for key in SHAPE} for row in turns[0]] if turns else cases.ATTENTION
    torches = [Torch(options.modes, lock, make="attention", precision=precision, dropout=cases.DROPOUT, **shape) for shape in shapes]
    for turn in range(options.rounds):
        if not refused and turn > 0:
            refused = heed_turns(turns, lock, arguments)
        for torch in torches:
            torch.turn(-(-options.steps // options.rounds))
    results = []
    for shape, torch in zip(shapes, torches):
        title = "attention S={sequence_length} B={batch} H={heads} D={head_width}".format(**shape) + (" causal" if shape["causal"] else "")
        result = {"case": "attention", "title": title, "precision": precision, **shape, "torch": torch.end(), "heed": {"refused": refused}}
        mine = [row for turn in turns for row in turn if all(row[key] == shape[key] for key in SHAPE)]
        if not refused:
            result["heed"] = {"ms": statistics.median(row["ms_forward"] + row["ms_backward"] for row in mine),
                              "ms_forward": statistics.median(row["ms_forward"] for row in mine),
                              "gflops": statistics.median(row["gflops"] for row in mine)}
        results.append(result)
    return results

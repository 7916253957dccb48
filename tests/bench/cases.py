"""What is compared: models of configs/, at the batches of the table in README."""

VOCABULARY = {"bert": 30522, "gpt": 50257}
SIZES = {
    "bert-tiny": dict(family="bert", layers=2, hidden=128, heads=2, feed_forward=512, positions=512),
    "bert-mini": dict(family="bert", layers=4, hidden=256, heads=4, feed_forward=1024, positions=512),
    "bert-small": dict(family="bert", layers=4, hidden=512, heads=8, feed_forward=2048, positions=512),
    "bert-base": dict(family="bert", layers=12, hidden=768, heads=12, feed_forward=3072, positions=512),
    "gpt2-124m": dict(family="gpt", layers=12, hidden=768, heads=12, feed_forward=3072, positions=1024),
}
DROPOUT = 0.1

# llm.c's train_gpt2 at B=4 T=64 on two threads of the machine of performance figures: 6.7 s a step, 28.6 GFLOP/s where the fp32 multiply-add
# ceiling was 221 GFLOP/s.
LLM_C = {"case": "gpt2-64", "gflops": 28.6, "ceiling_gflops": 221.0}


def spread(rows, longest):
    """Lengths of unequal rows: from an eighth of the longest to the longest in equal steps, in a fixed order without a trend.  Their mean is 0.56 of
    the longest."""
    lengths = [round(longest * (1 / 8 + 7 / 8 * row / (rows - 1))) for row in range(rows)]
    step = next(s for s in range(rows // 2 + 1, 2 * rows) if all(s % d or rows % d for d in range(2, rows + 1)))
    return [lengths[row * step % rows] for row in range(rows)]


def case(config, rows, length, unequal=False):
    family = SIZES[config]["family"]
    return {"config": config, "rows": rows, "length": length, "lengths": spread(rows, length) if unequal else [length] * rows,
            "unequal": unequal, "model": dict(SIZES[config], vocabulary=VOCABULARY[family], dropout=DROPOUT)}


STEPS = {
    "tiny": case("bert-tiny", 64, 128),
    "mini": case("bert-mini", 64, 128),
    "small": case("bert-small", 64, 128),
    "base": case("bert-base", 16, 128),
    "base-512": case("bert-base", 4, 512),
    "gpt2-512": case("gpt2-124m", 4, 512),
    "gpt2-64": case("gpt2-124m", 4, 64),
    "mini-unequal": case("bert-mini", 64, 128, unequal=True),
    "base-unequal": case("bert-base", 16, 128, unequal=True),
}
QUICK = ["tiny", "mini", "mini-unequal", "attention", "generate"]

# When heed names no sizes of its own.
ATTENTION = [dict(sequence_length=s, batch=b, heads=12, head_width=64, causal=False) for s, b in ((128, 16), (512, 4), (2048, 1))]


def title(name):
    c = STEPS[name]
    lengths = f"lengths {min(c['lengths'])}–{c['length']}, mean {sum(c['lengths']) / c['rows']:.0f}" if c["unequal"] else f"S={c['length']}"
    return f"{c['config']} {lengths} B={c['rows']}"


def heed_arguments(name, precision, slices):
    """The arguments of `heed bench step`."""
    c = STEPS[name]
    slices = max(s for s in range(1, slices + 1) if c["rows"] % s == 0)
    settings = {"model.vocabulary_size": c["model"]["vocabulary"], "model.dropout": DROPOUT, "model.attention_dropout": DROPOUT,
                "train.sequence_length": c["length"], "train.batch_sequences": c["rows"], "train.slices": slices,
                "train.precision": precision, "optimizer.learning_rate": 1e-4}
    arguments = [f"configs/{c['config']}.yaml"] + [f"--set={key}={value}" for key, value in settings.items()]
    return arguments + ([f"--lengths={','.join(map(str, c['lengths']))}"] if c["unequal"] else [])

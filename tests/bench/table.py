"""Results as tables, in plain text or Markdown."""

from measure import best_of


def milliseconds(value):
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def mebibytes(peer):
    return f"{peer['peak_rss_bytes'] / 2**20:,.0f}" if "peak_rss_bytes" in peer else "—"


def ratio(result):
    """How often heed goes through a step while PyTorch, at its best, goes through one; None where one of them did not."""
    best = best_of(result["torch"])
    return result["torch"][best]["ms"] / result["heed"]["ms"] if best and "ms" in result["heed"] else None


def cells(result, modes):
    ours, peers, best = result["heed"], result["torch"], best_of(result["torch"])
    share = f"{100 * ours['fraction_of_ceiling']:.0f}%" if "fraction_of_ceiling" in ours else "—"
    faster = ratio(result)
    return ([result["title"], result["precision"], milliseconds(ours["ms"]) if "ms" in ours else "—", share]
            + [milliseconds(peers[mode]["ms"]) if "ms" in peers.get(mode, {}) else "—" for mode in modes]
            + [f"{faster:.2f}×" if faster else "—", mebibytes(ours), mebibytes(peers[best]) if best else "—"])


def lines(rows, markdown):
    if markdown:
        made = ["| " + " | ".join(row) + " |" for row in rows]
        return [made[0], "|" + "---|" * len(rows[0])] + made[1:]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def reasons(results):
    """What did not run, and why, each reason once."""
    said = {}
    for result in results:
        for who, peer in [("heed", result["heed"])] + [(f"PyTorch {mode}", peer) for mode, peer in result["torch"].items()]:
            if peer.get("refused"):
                said.setdefault(f"{who}, {result['precision']}: {peer['refused']}", []).append(result["title"])
    return [f"— {reason} ({len(titles)} row{'s' if len(titles) > 1 else ''})" for reason, titles in said.items()]


def show(results, modes, markdown=False):
    head = ["", "", "Heed, ms", "of ceiling"] + [f"PyTorch {mode}, ms" for mode in modes] + ["Heed is", "Heed, MiB", "PyTorch, MiB"]
    return "\n".join(lines([head] + [cells(result, modes) for result in results], markdown) + reasons(results))

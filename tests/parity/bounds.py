"""How far heed's numbers may be from those of the same model in double precision."""

import numpy as np

LOGITS, LOSS, GRADIENT, GRADIENT_FLOOR = 1e-5, 1e-6, 1e-4, 1e-6
GRADIENT_BOUND = 1


def relative(ours, theirs):
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def gradient_shares(ours, theirs):
    """‖Δg‖ over 1e-4·‖g‖ + 1e-6·‖g of all‖, by name: a key bias's gradient is zero in exact arithmetic."""
    everything = np.sqrt(sum(np.sum(g**2) for g in theirs.values()))
    return {name: np.linalg.norm(ours[name] - g) / (GRADIENT * np.linalg.norm(g) + GRADIENT_FLOOR * everything) for name, g in theirs.items()}

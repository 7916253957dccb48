"""Checks of the parity scripts: a line each, their number at the end, exit code 1 if any failed or there was none."""

import sys

_count = {True: 0, False: 0}


def check(name, passed, figure=""):
    """Counts a check and prints its line.  Returns whether it passed."""
    passed = bool(passed)
    _count[passed] += 1
    print(f"{'ok' if passed else 'FAILED':<8}{name}{'  ' if figure else ''}{figure}", flush=True)
    return passed


def finish():
    print(f"{_count[True]} passed, {_count[False]} failed")
    sys.exit(0 if _count[True] and not _count[False] else 1)

"""What the scripts of the parity suite print: a line a check, and the counts at the end."""

import sys

passed = failed = 0


def check(name, good, figure=""):
    global passed, failed
    passed += bool(good)
    failed += not good
    print(f"{'ok     ' if good else 'FAILED '} {name:58} {figure}", flush=True)


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)

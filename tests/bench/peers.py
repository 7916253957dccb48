"""Running both sides in turn: heed as a process each time, PyTorch in processes that wait for commands (torch_worker.py)."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
HEED = os.environ.get("HEED", os.path.join(ROOT, "build/bin/heed"))

# Freed memory is kept: PyTorch frees and takes large tensors at every step, and the system's clearing of their pages costs up to a third of a
# step.  Its tuning guide says so and recommends another malloc.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_TOP_PAD_": str(1 << 26)}


class Refused(Exception):
    """One side cannot do what was asked; the text says why."""


class Lock:
    """Held while something is measured, and given to others in between, on a machine that several share."""

    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def held(self):
        if not self.path:
            yield
            return
        with open(self.path, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def heed(*arguments):
    """Runs heed; the object it prints, and its messages' last line as the reason where it refuses."""
    return heed_with_memory(*arguments)[0]


def heed_with_memory(*arguments):
    """The same, and the most memory that it held, in bytes."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([HEED, *map(str, arguments)], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().strip().splitlines() or [f"exit {process.returncode}"]
    if process.returncode != 0:
        raise Refused(said[-1].removeprefix("error: "))
    return json.loads(printed), usage.ru_maxrss * 1024


class Worker:
    """A process with PyTorch."""

    def __init__(self, **spec):
        self.process = subprocess.Popen([sys.executable, os.path.join(FOLDER, "torch_worker.py")], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ, **KEEP_MEMORY))
        self.ask(**spec)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Refused(f"PyTorch's process ended with {self.process.wait()} (out of memory?)")
        return json.loads(line)

    def run(self, count):
        return self.ask(run=count)

    def close(self):
        """Its peak memory."""
        peak = self.ask(memory=True)["peak_rss_bytes"]
        self.process.stdin.close()
        self.process.wait()
        return peak


def onednn_kernels(spec):
    """The kernels of oneDNN that a step of PyTorch in bf16 runs, by ONEDNN_VERBOSE: they show whether AMX is used."""
    code = "import json, sys, torch_worker; torch_worker.step(json.loads(sys.argv[1]))()"
    done = subprocess.run([sys.executable, "-c", code, json.dumps(dict(spec, mode="eager", precision="bf16"))], capture_output=True, text=True,
                          cwd=FOLDER, env=dict(os.environ, ONEDNN_VERBOSE="1"))
    kernels = {}
    for line in done.stdout.splitlines():
        fields = line.split(",")
        if line.startswith("onednn_verbose") and "exec" in fields:
            at = fields.index("exec")
            if fields[at + 2] in ("matmul", "inner_product") and "bf16" in line:
                kernels[fields[at + 3]] = kernels.get(fields[at + 3], 0) + 1
    return kernels

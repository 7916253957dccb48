"""TensorBoard's events against metrics.jsonl, value by value: a run while TensorBoard looks on, then resumed from before what it had logged
last; read by TensorBoard's own reader from the file, and asked of TensorBoard itself, which had seen what the resume took back."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import heed
from checks import check, finish

ONE_VALUE = {"loss", "learning_rate", "grad_norm", "tokens_per_second", "validation_loss", "validation_accuracy", "bits_per_byte"}
SMALL = ("--set", "train.sequence_length=16", "--set", "train.batch_sequences=8", "--set", "model.hidden=32", "--set", "model.feed_forward=64",
         "--set", "log.every_steps=1", "--set", "evaluate.every_steps=5", "--set", "evaluate.batches=1", "--set", "checkpoint.every_steps=10",
         "--set", "checkpoint.keep=10", "--set", "schedule.warmup_steps=5")


def train(run, *more):
    os.chdir(heed.ROOT)  # the configuration names its data from here
    heed.run("train", "configs/bert-tiny.yaml", *SMALL, "--set", f"run.output={run}", *more)


def curves(run):
    """metrics.jsonl as TensorBoard has it: tag → [(step, 32-bit value)]."""
    found = {}
    for line in map(json.loads, open(f"{run}/metrics.jsonl")):
        values = {key: line[key] for key in ONE_VALUE & line.keys()}
        for layer, heads in enumerate(line.get("head_entropy", [])):
            values |= {f"head_entropy/layer_{layer}/head_{head}": value for head, value in enumerate(heads)}
        for tag, value in values.items():
            found.setdefault(tag, []).append((line["step"], np.float32(math.nan if value is None else value)))
    return found


def same(found, expected):
    return found.keys() == expected.keys() and all(
        [step for step, _ in found[tag]] == [step for step, _ in expected[tag]]
        and np.array_equal([value for _, value in found[tag]], [value for _, value in expected[tag]], equal_nan=True)
        for tag in expected)


def from_file(run):
    reader = EventAccumulator(run, size_guidance={"scalars": 0})
    reader.Reload()
    return {tag: [(event.step, np.float32(event.value)) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


class TensorBoard:
    """TensorBoard on a free port of this machine; `fast`: with its data server in Rust, else with the one in Python."""

    def __init__(self, folder, fast):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", self.address.rpartition(":")[2], "--reload_interval", "1"]
        command += ["--samples_per_plugin", "scalars=100000", "--load_fast", "true" if fast else "false"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, what, **about):
        with urllib.request.urlopen(f"{self.address}/data/plugin/scalars/{what}?{urllib.parse.urlencode(about)}", timeout=10) as answer:
            return json.load(answer)

    def curves(self, run):
        number = lambda value: np.float32({"NaN": math.nan}.get(value, value))
        return {tag: [(step, number(value)) for _, step, value in self.ask("scalars", run=run, tag=tag)] for tag in self.ask("tags")[run]}

    def shows(self, run, expected):
        """Whether it comes to show a run as it is expected, within half a minute."""
        for _ in range(60):
            try:
                if same(self.curves(run), expected):
                    return True
            except (urllib.error.URLError, OSError, KeyError, ValueError):
                pass
            time.sleep(0.5)
        return False

    def close(self):
        self.process.terminate()
        self.process.wait()


def the_reader_sees_differences(run):
    """The test of the test."""
    expected = curves(run)
    changed = curves(run)
    step, value = changed["loss"][3]
    changed["loss"][3] = (step, np.nextafter(value, np.float32(9)))
    check("a value that is another in its last bit would be seen", not same(changed, expected))
    del changed["loss"][3]
    check("a value that is missing would be seen", not same(changed, expected))


with tempfile.TemporaryDirectory() as folder:
    run = f"{folder}/first"
    boards = {kind: TensorBoard(folder, kind == "fast") for kind in ("fast", "slow")}
    try:
        train(run, "--set", "train.steps=30")
        expected = curves(run)
        check("TensorBoard's reader: a run's curves", same(from_file(run), expected), f"{sum(map(len, expected.values()))} values, {len(expected)} tags")
        the_reader_sees_differences(run)
        for kind, board in boards.items():
            check(f"TensorBoard ({kind}) shows the run by its name", board.shows("first", expected))
        shutil.rmtree(f"{run}/checkpoints/step-00000030")  # as if the run had been killed after step 30 was logged
        shutil.rmtree(f"{run}/checkpoints/step-00000020")
        train(run, "--resume", "--set", "train.steps=25", "--set", "log.every_steps=2")
        expected = curves(run)
        check("after a resume from step 10", same(from_file(run), expected), f"up to step {expected['loss'][-1][0]}")
        for kind, board in boards.items():
            check(f"TensorBoard ({kind}) forgets what the resume took back", board.shows("first", expected))
    finally:
        for board in boards.values():
            board.close()
finish()

"""What befalls a run, many times over: ``python benchmarks/endurance.py flips | kills |
interrupts | soak``.

flips: single bits of a run's checkpoint, snapshot and diagnostics are turned over. Each
must be refused, or leave every array as it was.
kills: a run is killed (SIGKILL) at random moments and resumed, until it is finished; its
rows and weights must be those of a run that was left alone. Now and then a second process
tries to get into the folder, and must be sent away.
interrupts: programs get SIGINT at random moments from their start on. They must end with
130, without a traceback.
soak: a run with a checkpoint every iteration; its memory, descriptors and threads.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rlkit_hfr.experiments.commands.train import main as train
from rlkit_hfr.experiments.runs.checkpoint import NAME
from rlkit_hfr.files import load_sealed
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "shared"))
from tiny_runs import assignments, options


def _start(folder: Path, iterations: int) -> list[str]:
    settings = options(assignments(num_iterations=iterations, relabel_fraction=1.0))
    return ["--env", "sparse-point-robot", "--preset", "quick", "--run-dir", str(folder), *settings]


def _forked(arguments: Sequence[str], said: Path) -> int:
    """The process that trains with these arguments; what it says goes to a file."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = train(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _ended(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _rows(folder: Path) -> list[dict[str, str]]:
    """progress.csv without what depends on the clock."""
    with open(folder / "progress.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if "(s)" not in k and "share of time" not in k} for row in rows]


def _same(first: object, second: object) -> bool:
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first, second)
    return bool(first == second)


def flips(number: int, seed: int, work: Path) -> int:
    """Returns how many flips were accepted and changed something."""
    run, rng = work / "run", random.Random(seed)
    training = PEARLSoftActorCritic._do_training

    def stopping(self: PEARLSoftActorCritic, indices: list[int]) -> None:
        training(self, indices)
        self.stop_requested = self._n_train_steps_total >= 6

    PEARLSoftActorCritic._do_training = stopping  # type: ignore[method-assign]
    assert train(_start(run, 6)) == 130
    diagnostics = sorted((run / "relabeling").iterdir())[-1]
    wrong = 0
    for file in (run / NAME, run / "params.pkl", diagnostics):
        whole, refused, same = file.read_bytes(), 0, 0
        before = _read(file)
        for _ in range(number):
            flipped = bytearray(whole)
            place = rng.randrange(8 * len(whole))
            flipped[place // 8] ^= 1 << place % 8
            file.write_bytes(flipped)
            try:
                after = _read(file)
            except Exception:  # zip, numpy and our own words for it
                refused += 1
                continue
            same += _equal(before, after)
        file.write_bytes(whole)
        wrong += number - refused - same
        print(
            f"{file.name}: {len(whole):,} bytes, {number} single bits turned over: {refused} refused, "
            f"{same} without effect, {number - refused - same} accepted"
        )
    return wrong


def _read(file: Path) -> object:
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}
    return load_sealed(file)[0]


def _equal(first: object, second: object) -> bool:
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            np.array_equal(first[name], second[name], equal_nan=True) for name in first
        )
    return False  # a checkpoint or a snapshot has no bit that does not matter


def kills(number: int, intruders: int, seed: int, work: Path) -> int:
    """Returns how many runs ended otherwise than one that was left alone."""
    rng, said, iterations = random.Random(seed), work / "said.txt", 6
    started = time.monotonic()
    assert _ended(_forked(_start(work / "whole", iterations), said)) == 0
    seconds = time.monotonic() - started
    rows, weights = _rows(work / "whole"), load_sealed(work / "whole" / "params.pkl")[0]
    done, sent_away, wrong, runs = 0, 0, 0, 0
    while done < number:
        folder, runs = work / f"run-{runs}", runs + 1
        arguments, finished = _start(folder, iterations), False
        while not finished:
            child = _forked(arguments, said)
            time.sleep(rng.uniform(0.0, 0.6) * seconds if done < number else seconds)
            if sent_away < intruders and (folder / "lock").exists():
                sent_away += _sent_away(folder, work)
            if done < number:
                os.kill(child, signal.SIGKILL)
            code = _ended(child)
            done += code == -signal.SIGKILL
            finished = code == 0
            if code not in (0, -signal.SIGKILL):
                print(f"{folder}: exit {code}: {said.read_text()[-300:]}")
                wrong += 1
                break
            if (folder / "variant.json").exists():
                arguments = ["--resume", str(folder)]
        if finished and not (_rows(folder) == rows and _same(load_sealed(folder / "params.pkl")[0], weights)):
            print(f"{folder}: other rows or weights")
            wrong += 1
    print(f"{done} kills over {runs} runs of {iterations} iterations, {sent_away} second processes sent away")
    print(f"{wrong} runs ended otherwise than one that was left alone")
    return wrong


def _sent_away(folder: Path, work: Path) -> bool:
    """Whether a second process was refused while the first one holds the lock."""
    heard = work / "second.txt"
    heard.write_text("")
    code = _ended(_forked(["--resume", str(folder)], heard))
    if code == 2 and "another process is training" in heard.read_text():
        return True
    held = (folder / NAME).exists() or (folder / "progress.csv").exists()
    assert code in (0, 2) and held, heard.read_text()  # the first one had ended just before
    return False


def interrupts(number: int, seed: int, work: Path) -> int:
    """Returns how many programs ended otherwise than with 130 and without a traceback."""
    rng, wrong, early, late = random.Random(seed), 0, 0, 0
    assert train(_start(work / "run", 1)) == 0
    assert train([*_start(work / "mier", 1), "--algorithm", "mier", "--keep-checkpoint"]) == 0
    settings = assignments(num_iterations=50, relabel_fraction=1.0)
    corners = [item for item in settings if not item.startswith(("n_train_tasks", "n_eval_tasks"))]
    commands = {
        "train": _start(work / "new", 50),
        "compare": [
            *("--env", "point-robot", "--relabelers", "none", "hfr", "--seeds", "1", "--preset", "quick"),
            *("--log-dir", str(work / "compare"), *options(settings)),
        ],
        "plot": [str(work / "run"), "--out", str(work / "report")],
        "watch": ["--run", str(work / "run")],
        "show-env": ["--env", "point-robot", "--out", str(work / "environments")],
        "four-corners": ["--train", "--output", str(work / "corners"), *options(corners)],
        "extrapolate": ["--run", str(work / "mier"), "--set", "eval_every=20"],
        "hipi-bc": ["--env", "point-robot", "--output", str(work / "study")],
    }
    for i in range(number):
        program = list(commands)[i % len(commands)]
        command = [sys.executable, "-m", "rlkit_hfr", program, *commands[program]]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.uniform(0.05, 8.0))
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        if "Traceback" in said and "rlkit_hfr" not in said:
            early += 1  # Python itself had not yet handed over
        elif process.returncode == 0 and "Traceback" not in said:
            late += 1  # it had finished
        elif process.returncode != 130 or "Traceback" in said:
            wrong += 1
            print(f"{program}: exit {process.returncode}: {said}")
        if (work / "new").exists():
            (work / "new").rename(work / f"new-{i}")
    print(f"{number} interrupts: {early} amid Python's own start, {late} after the end, {wrong} wrong")
    left = [name for name in ("report", "environments", "corners") if any((work / name).glob(".partial-*"))]
    print(f"folders with half a picture: {', '.join(left) or 'none'}")
    return wrong + len(left)


def soak(minutes: float, work: Path) -> int:
    """Prints a line every twentieth of the time; returns 0."""
    child, run = _forked(_start(work / "run", 10_000_000), work / "said.txt"), work / "run"
    started = time.monotonic()
    print("minutes, iterations, resident MB, descriptors, threads, checkpoint MB")
    while (passed := time.monotonic() - started) < 60 * minutes:
        time.sleep(min(60 * minutes - passed, 3 * minutes) + 0.01)
        status = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{child}/status").read_text().splitlines()
            if ":" in line
        )
        rows = (run / "progress.csv").read_bytes().count(b"\n") - 1 if (run / "progress.csv").exists() else 0
        size = (run / NAME).stat().st_size if (run / NAME).exists() else 0
        print(
            f"{(time.monotonic() - started) / 60:.1f}, {rows}, {int(status['VmRSS'].split()[0]) / 1024:.1f}, "
            f"{len(os.listdir(f'/proc/{child}/fd'))}, {status['Threads'].strip()}, {size / 1e6:.2f}",
            flush=True,
        )
    os.kill(child, signal.SIGINT)
    assert _ended(child) == 130
    return 0


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("flips", "kills", "interrupts", "soak"))
    p.add_argument("--number", type=int, help="of flips in each file (500), kills (100) or interrupts (60)")
    p.add_argument("--intruders", type=int, default=20, help="second processes sent away (default: 20)")
    p.add_argument("--minutes", type=float, default=60.0, help="of the soak (default: 60)")
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        if args.what == "flips":
            return int(flips(args.number or 500, args.seed, work) > 0)
        if args.what == "kills":
            return int(kills(args.number or 100, args.intruders, args.seed, work) > 0)
        if args.what == "interrupts":
            return int(interrupts(args.number or 60, args.seed, work) > 0)
        return soak(args.minutes, work)


if __name__ == "__main__":
    sys.exit(main())

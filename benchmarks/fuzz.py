"""Damaged inputs, thousands for each reader of data from outside: errors, CPU and memory.

Exit code 1 if an error is not ours, or if an input costs more than the bounds below.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from time import process_time

from tests.fuzzing import TARGETS, Change, Target, damaged

# CPU seconds for each 64 kB of input.
MOST_CPU = 0.05
UNIT = 64 * 1024
# Bytes of memory for an input of n bytes: n times MOST_MEMORY, and FIXED_MEMORY.
MOST_MEMORY = 40
FIXED_MEMORY = 16 * 1024**2
# One input in so many is large, and one in so many has its memory measured, as have large ones.
LARGE, MEASURED = 100, 20
# Files in memory, where Linux has them: SQLite waits for a disk.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(slots=True)
class Result:
    """What the inputs of a target cost at most, and the errors that are not ours."""

    name: str
    inputs: int = 0
    largest: int = 0
    cpu: float = 0.0
    memory: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    """Run all targets and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a target's name")
    options = parser.parse_args()
    names = [target.name for target in TARGETS if options.only in target.name]
    share = -(-options.inputs // len(names))
    context = get_context("spawn")
    print("| inputs of | number | largest, kB | CPU ms per 64 kB | memory, MB | faults |")
    print("| --- | --- | --- | --- | --- | --- |")
    failed = False
    with ProcessPoolExecutor(options.jobs, context, max_tasks_per_child=1) as pool:
        for result in pool.map(run, names, [share] * len(names), [options.seed] * len(names)):
            print(
                f"| {result.name} | {result.inputs:,} | {result.largest / 1024:,.0f} "
                f"| {result.cpu * 1000:.1f} | {result.memory / 1024**2:.1f} "
                f"| {len(result.faults)} |",
                flush=True,
            )
            failed |= bool(result.faults)
            for fault in result.faults[:5]:
                print(fault, file=sys.stderr)
    return int(failed)


def run(name: str, inputs: int, seed: int) -> Result:
    """Give the target *name* that many damaged inputs, the same for the same *seed*."""
    import logging

    logging.disable()
    target = next(one for one in TARGETS if one.name == name)
    random, result = Random(f"{seed} {name}"), Result(name)
    samples = [b"", *target.samples()]
    for sample in samples:  # imports and caches are no input's cost
        _read(target, sample)
    for number in range(inputs):
        is_large = number % LARGE == 0
        data = _input(random, target, samples, is_large=is_large)
        result.inputs, result.largest = number + 1, max(result.largest, len(data))
        if fault := _judge(target, data, result, measured=is_large or number % MEASURED == 0):
            result.faults.append(f"{name}, input {number} of seed {seed}: {fault}")
    return result


def _input(random: Random, target: Target, samples: list[bytes], *, is_large: bool) -> bytes:
    longest = 16 * UNIT if is_large else random.choice((256, 4096, UNIT))
    changes = []
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        piece = random.choice((*target.pieces, random.randbytes(random.randrange(1, 9))))
        times = 1 if random.random() < 0.6 else random.randrange(1, longest // len(piece) + 2)
        removed = random.choice((0, 0, len(piece), 7, 60, 600))
        changes.append(Change(random.randrange(1 << 30), removed, piece, times))
    return damaged(random.choice(samples), changes)


def _judge(target: Target, data: bytes, result: Result, *, measured: bool) -> str:
    """Read *data*; return what is wrong, if anything. Costs are confirmed, as machines are busy."""
    units = max(1.0, len(data) / UNIT)
    try:
        cpu = _cpu(target, data) / units
        for _ in range(3):
            cpu = min(cpu, _cpu(target, data) / units) if cpu > MOST_CPU / 2 else cpu
        memory = _memory(target, data) if measured else 0
    except Exception:
        return traceback.format_exc()
    result.cpu, result.memory = max(result.cpu, cpu), max(result.memory, memory)
    if cpu > MOST_CPU:
        return f"{cpu * 1000:.0f} ms of CPU per 64 kB of {len(data):,} bytes: {data[:200]!r}"
    if memory > MOST_MEMORY * len(data) + FIXED_MEMORY:
        return f"{memory / 1024**2:.0f} MB for {len(data):,} bytes: {data[:200]!r}"
    return ""


def _read(target: Target, data: bytes) -> None:
    folder = mkdtemp(prefix="fuzz", dir=_MEMORY)
    try:
        target.read(data, Path(folder))
    finally:
        rmtree(folder)


def _cpu(target: Target, data: bytes) -> float:
    began = process_time()
    _read(target, data)
    return process_time() - began


def _memory(target: Target, data: bytes) -> int:
    """Return by how much reading *data* raises the peak of memory; 0 where Linux doesn't tell."""
    if not os.access(_CLEAR, os.W_OK):
        return 0
    _CLEAR.write_text("5")  # the peak is that of now
    before = _peak()
    _read(target, data)
    return _peak() - before


def _peak() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())

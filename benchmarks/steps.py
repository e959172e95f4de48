"""One harvest in a fork, counted step by step, and killed at one of them or at a moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import ROOT
from tests.command import run_scrapy

if TYPE_CHECKING:
    from benchmarks.places import Place

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])

_CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate"),
    *("os.link", "os.symlink", "sqlite3.connect", "http.client.send"),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def run(place: Place, step: int = 0, seconds: float | None = None) -> tuple[bool, int]:
    """Run ``scrapy ARGUMENTS``; kill it before that *step* or after *seconds*, if it still runs.

    Return whether it was killed, and the number of its steps.
    """
    process = _context.Process(
        target=_command, args=(place.arguments, place.environment, place.log, step), daemon=True
    )
    process.start()
    process.join(seconds if seconds is not None else 120)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    place.code = process.exitcode
    counted = place.log.with_suffix(".steps")
    return process.exitcode == -signal.SIGKILL, counted.stat().st_size if counted.exists() else 0


def _command(arguments: tuple[str, ...], env: dict[str, str], log: Path, step: int) -> None:
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    counted = os.open(log.with_suffix(".steps"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    count = 0

    def before(event: str, given: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _CHANGES or (event == "open" and given[2] & _WRITES):
            count += 1
            os.write(counted, b".")
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(before)
    run_scrapy(arguments)

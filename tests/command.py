"""The real command, started without waiting for its imports.

``python -m scrapy`` takes a second of CPU, most of it for imports, and the tests start it some
hundreds of times. So each test process has a fork server (the standard library's), which
imports them once, and forks for every command. The fork is a process of its own, with its own
id, signals, exit code, pipes, environment and folder. It runs what ``python -m scrapy`` runs,
and makes its settings, its reactor and all of its state itself.

``RUN_FIRST`` in the environment names a Python file that the fork runs before the command, as an
interpreter runs ``sitecustomize``: for another clock, another disk, other addresses.

What a fork cannot show is how the interpreter starts: flags, ``PYTHON*`` variables, the
process's title, the order of imports, another hash seed. :class:`tests.conftest.Scrapy` starts
an interpreter where that counts, and the commands of the documentation are all run by a shell.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from subprocess import TimeoutExpired
from typing import IO

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])


class Command:
    """``scrapy ARGUMENTS`` in a fork: of :class:`subprocess.Popen`, what the tests use."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path, env: dict[str, str]) -> None:
        self.args = ("scrapy", *arguments)
        self.stdout: IO[str] | None
        self.stderr: IO[str] | None
        self.stdout, out = _pipe()
        self.stderr, err = _pipe()
        with out, err:
            self._process = _context.Process(
                target=_run, args=(arguments, cwd, env, out, err), daemon=True
            )
            self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the signal's number below zero; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """:attr:`returncode`, under the name that Popen gives it."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises TimeoutExpired after *timeout* seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, unless the command has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it still says, to its end; after *timeout* seconds it is killed, and that raises."""
        with ThreadPoolExecutor() as pool:
            try:
                out, err = pool.map(_rest, (self.stdout, self.stderr), timeout=timeout)
            except TimeoutError:
                self.kill()
                raise TimeoutExpired(self.args, timeout or 0) from None
        self.wait()
        return out, err


def _pipe() -> tuple[IO[str], Connection]:
    reader, writer = Pipe(duplex=False)
    with reader:
        return open(os.dup(reader.fileno())), writer


def _rest(pipe: IO[str] | None) -> str:
    if pipe is None:
        return ""
    with pipe:
        return pipe.read()


def _run(
    arguments: tuple[str, ...], cwd: Path, env: dict[str, str], out: Connection, err: Connection
) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    with out, err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
    if "RUN_FIRST" in env:
        runpy.run_path(env["RUN_FIRST"])
    sys.argv = ["", *arguments]
    runpy.run_module("scrapy", run_name="__main__", alter_sys=True)

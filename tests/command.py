"""The real command, started without waiting for its imports.

``python -m scrapy`` takes a second of CPU, most of it for imports, and the tests start it some
hundreds of times. So each test process has a fork server (the standard library's), which
imports them once, and forks for every command. The fork is a process of its own, with its own
id, signals, exit code, pipes, environment and folder. It runs what ``python -m scrapy`` runs,
and makes its settings, its reactor and all of its state itself.

``RUN_FIRST`` in the environment names a Python file that the fork runs before the command, as an
interpreter runs ``sitecustomize``: for another clock, another disk, other addresses.

A shell finds :data:`BIN` ``/scrapy`` if :meth:`Shells.environment` is its environment: a small
program that requests such a fork from the test process, with the shell's streams and folder.

What a fork cannot show is how the interpreter starts: flags, ``PYTHON*`` variables, closed
streams, the process's title, the order of imports, another hash seed.
:class:`tests.conftest.Scrapy` starts an interpreter where that counts.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from subprocess import TimeoutExpired
from typing import IO

BIN = Path(__file__).parent / "bin"
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])


class Command:
    """``scrapy ARGUMENTS`` in a fork: of :class:`subprocess.Popen`, what the tests use."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        cwd: Path,
        env: Mapping[str, str],
        streams: tuple[int, int, int] | None = None,
    ) -> None:
        """Start it, with *streams* for standard input, output and error if they are given."""
        self.args = ("scrapy", *arguments)
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        given = [Connection(os.dup(stream)) for stream in streams or ()]
        if not given:
            self.stdout, out = _pipe()
            self.stderr, err = _pipe()
            given = [out, err]
        with ExitStack() as opened:
            for stream in given:
                opened.enter_context(stream)
            self._process = _context.Process(
                target=_run, args=(arguments, cwd, dict(env), given), daemon=True
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
    arguments: tuple[str, ...], cwd: Path, env: dict[str, str], streams: list[Connection]
) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for number, stream in zip((0, 1, 2)[-len(streams) :], streams, strict=True):
        os.dup2(stream.fileno(), number)
        stream.close()
    if "RUN_FIRST" in env:
        sys.argv = ["", *arguments]
        runpy.run_path(env["RUN_FIRST"])
    run_scrapy(arguments)


def run_scrapy(arguments: tuple[str, ...]) -> None:
    """Run ``scrapy ARGUMENTS`` to its end, in a process of multiprocessing."""
    sys.argv = ["", *arguments]
    try:
        runpy.run_module("scrapy", run_name="__main__", alter_sys=True)
    finally:  # which such processes leave out
        atexit._run_exitfuncs()


class Shells:
    """Starts a command for each ``scrapy`` that a shell runs, for ``tests/bin/scrapy``."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._place = folder / "scrapy.socket"
        self._socket.bind(str(self._place))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """The variables with which a shell finds this."""
        here = [str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {"PATH": os.pathsep.join(here), "SCRAPY_SOCKET": str(self._place)}

    def _serve(self) -> None:
        while True:
            requested, _ = self._socket.accept()
            threading.Thread(target=self._start, args=(requested,), daemon=True).start()

    def _start(self, requested: socket.socket) -> None:
        with requested:
            size, streams, *_ = socket.recv_fds(requested, 16, 3)
            words = json.loads(requested.recv(int(size), socket.MSG_WAITALL))
            taken = (streams[0], streams[1], streams[2])
            command = Command(tuple(words["arguments"]), Path(words["cwd"]), words["env"], taken)
            for stream in streams:
                os.close(stream)
            requested.sendall(b"%16d" % command.pid)
            requested.sendall(b"%16d" % command.wait())

"""What the tests share: a museum on loopback, and the real command against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from mplus_crawler.sandbox.app import Sandbox
from tests.command import Command, Shells

ROOT = Path(__file__).parent.parent
# How fast an example comes says how busy the machine is; what fails must fail again.
settings.register_profile(
    "same at any pace",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same at any pace")
# For every interpreter that the tests start: some hundreds, which need not compile all modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Under nohup, the commands that the tests start would ignore it too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ["PYTHONWARNINGS"] = "error,ignore:Accessing jsonschema:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put all that reads the one harvest of every kind together, so that one process makes it."""
    items.sort(key=lambda item: "feeds" not in getattr(item, "fixturenames", ()))


@dataclass
class Crawl:
    """A finished ``scrapy crawl``: its exit code, what it said, what it left in *folder*."""

    code: int
    out: str
    err: str
    folder: Path
    spider: str

    @property
    def certificate(self) -> dict[str, Any]:
        return last_certificate(self.folder, self.spider)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of its complete run: a snapshot, or a selection."""
        feed = next(one for one in self.certificate["feeds"] if one["format"] != "csv")
        return self.lines(feed["uri"])

    @property
    def rejected(self) -> list[dict[str, Any]]:
        return self.lines(self.certificate["rejects"]["uri"])

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]


def last_certificate(folder: Path, spider: str) -> dict[str, Any]:
    """The newest certificate of *spider*'s runs, with *folder* for HARVEST_DIR."""
    runs = (folder / "runs").glob(f"*-{spider}-2*.certificate.json")
    file = max(runs, key=lambda run: (run.stat().st_mtime_ns, run.name))
    certificate: dict[str, Any] = json.loads(file.read_text())
    return certificate


class Scrapy:
    """The command, as a user has it, with state and output in a folder of its own.

    It is a fork of a process with its imports done; where ``plain``, or where a variable is
    for Python itself, it is ``python -m scrapy`` in an interpreter of its own.
    """

    def __init__(self, folder: Path, patience: float = 120, *, plain: bool = False) -> None:
        self.folder = folder
        self.plain = plain
        self.patience = patience
        self.environment = {
            **os.environ,
            "HARVEST_DIR": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        for name in (
            "DMG_BASE_URL",
            "MPLUS_URL",
            "BUDGET_URL",
            "POLICY_DIR",
            "DMG_API_KEY",
            "MPLUS_API_KEY",
        ):
            self.environment.pop(name, None)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """``scrapy ARGUMENTS``, finished."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=self.patience)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.wait(), out, err)

    def start(self, *arguments: str, **environment: str) -> Command | subprocess.Popen[str]:
        """``scrapy ARGUMENTS``, running."""
        env = {**self.environment, **environment}
        if not self.plain and _for_python(env) == _for_python(os.environ):
            return Command(arguments, ROOT, env)
        return subprocess.Popen(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def crawl(self, spider: str, *arguments: str, **environment: str) -> Crawl:
        """``scrapy crawl SPIDER ARGUMENTS``, finished."""
        done = self.run("crawl", spider, *arguments, **environment)
        folder = Path({**self.environment, **environment}["HARVEST_DIR"])
        return Crawl(done.returncode, done.stdout, done.stderr, folder, spider)

    def at(self, museum: Sandbox) -> Scrapy:
        """The command, pointed at *museum*."""
        self.environment["DMG_BASE_URL"] = museum.base_url
        return self

    def first(self, code: str) -> str:
        """Return a file of *code*, for the variable ``RUN_FIRST`` of :mod:`tests.command`."""
        file = self.folder / "first.py"
        file.write_text(code)
        return str(file)

    def policy(self, text: str, museum: str = "dmg") -> Scrapy:
        """The command, with *text* laid over the museum's policy."""
        folder = self.folder / "policies"
        folder.mkdir(exist_ok=True)
        (folder / f"{museum}.toml").write_text(text)
        self.environment["POLICY_DIR"] = str(folder)
        return self


def _for_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: v for name, v in environment.items() if name.startswith("PYTHON")}


def limit(requests: int, seconds: float, tier: str = "collections") -> str:
    """A policy overlay that gives *tier* another limit."""
    return (
        f'[[tier]]\nname = "{tier}"\nlimits = [{{ requests = {requests}, seconds = {seconds} }}]\n'
        'source = "the test"\nchecked = 2026-11-22\n'
    )


@pytest.fixture
def scrapy(tmp_path: Path) -> Scrapy:
    return Scrapy(tmp_path)


@pytest.fixture(scope="session")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The snapshot of each spider, by its name."""
    from tests.every_kind import harvest

    return harvest(Scrapy(tmp_path_factory.mktemp("every_kind")))


@pytest.fixture
def museum() -> Iterator[Callable[..., Sandbox]]:
    """Opens sandboxes; they close with the test."""
    opened: list[Sandbox] = []

    def open_museum(**options: Any) -> Sandbox:
        sandbox = Sandbox(**{"limits": "off", **options})
        sandbox.__enter__()
        opened.append(sandbox)
        return sandbox

    yield open_museum
    for sandbox in opened:
        sandbox.__exit__(None, None, None)


def resolving(scrapy: Scrapy, folder: Path, **addresses: str) -> None:
    """Let names that contain a keyword have its address, in commands started from now on.

    Twisted keeps the function when it is imported, so a fork comes too late.
    """
    (folder / "sitecustomize.py").write_text(
        "import socket\n"
        "real = socket.getaddrinfo\n"
        "def found(host, *options, **more):\n"
        f"    for part, address in {addresses!r}.items():\n"
        "        host = address if part in str(host) else host\n"
        "    return real(host, *options, **more)\n"
        "socket.getaddrinfo = found\n"
    )
    scrapy.environment["PYTHONPATH"] = str(folder)


@pytest.fixture(scope="session")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Shells:
    """A ``scrapy`` for shells."""
    return Shells(tmp_path_factory.mktemp("shells"))

"""What the tests share: a museum on loopback, and the real command against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.sandbox.app import Sandbox

ROOT = Path(__file__).parent.parent


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
        return json.loads((self.folder / f"{self.spider}.certificate.json").read_text())

    @property
    def records(self) -> list[dict[str, Any]]:
        return self.lines(f"{self.spider}.jsonl")

    @property
    def rejected(self) -> list[dict[str, Any]]:
        return self.lines(f"{self.spider}.rejected.jsonl")

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]


class Scrapy:
    """The command, as a user has it, with state and output in a folder of its own."""

    def __init__(self, folder: Path, patience: float = 120) -> None:
        self.folder = folder
        self.patience = patience
        self.environment = {
            **os.environ,
            "HARVEST_DIR": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONWARNINGS": "error,ignore:Accessing jsonschema:DeprecationWarning",
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
        return subprocess.run(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """``scrapy ARGUMENTS``, running."""
        return subprocess.Popen(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
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

    def policy(self, text: str, museum: str = "dmg") -> Scrapy:
        """The command, with *text* laid over the museum's policy."""
        folder = self.folder / "policies"
        folder.mkdir(exist_ok=True)
        (folder / f"{museum}.toml").write_text(text)
        self.environment["POLICY_DIR"] = str(folder)
        return self


def limit(requests: int, seconds: float, tier: str = "collections") -> str:
    """A policy overlay that gives *tier* another limit."""
    return (
        f'[[tier]]\nname = "{tier}"\nlimits = [{{ requests = {requests}, seconds = {seconds} }}]\n'
        'source = "the test"\nchecked = 2026-11-22\n'
    )


@pytest.fixture
def scrapy(tmp_path: Path) -> Scrapy:
    return Scrapy(tmp_path)


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

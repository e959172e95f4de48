"""What a terminal of 80 columns shows: progress, budget, and nothing in colour on request."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from itertools import product

import pytest
from rich.console import Console

from mplus_crawler.cli.budgets import tables_of
from mplus_crawler.cli.progress import make_bar
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.budget.budget import Usage
from tests.conftest import ROOT, Scrapy

STATES = (
    "",
    "1,234 s left",
    "rate limit: next in 900 s",
    "server failed: next try in 40 s",
)


def plain(columns: int = 80) -> Console:
    return Console(file=StringIO(), width=columns, force_terminal=False)


def shown(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_each_spider_has_one_line_of_80_columns() -> None:
    console = plain()
    bar = make_bar(console)
    rows = [*product(("mplus_open_constituents", "types"), ("13,412 of 13,412", "8 of ?"), STATES)]
    for name, records, state in rows:
        bar.add_task(name, records=records, state=state, total=None)
    console.print(bar.get_renderable())
    lines = shown(console)
    assert len(lines) == len(rows)
    for line, (name, records, state) in zip(lines, rows, strict=True):
        assert name in line
        assert records in line
        assert line.rstrip().endswith(state)


def test_the_budget_fits_80_columns() -> None:
    def usages() -> Iterator[Usage]:
        for api in ("dmg@data.designmuseumgent.be:443", "mplus@api.mplus.org.hk:443"):
            for tier, window in (("collections", 60.0), ("records", 86_400.0)):
                key = f"{api} {tier} address"
                yield Usage(key, window, 2700, 12, 59.0, 900.0, ("objects (1)",))

    text = tables_of(usages(), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("dmg@data.designmuseumgent.be:443") == 1
    assert text.count("12 of 2,700 in 60 s") == 2
    assert text.count("2,688") == 4
    assert "backs off" in text
    assert "objects (1)" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("plainly", [{"CI": "true"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_terminal_that_wants_it_plain_gets_it_plain(
    scrapy: Scrapy, plainly: dict[str, str]
) -> None:
    scrapy.plain = True
    with Sandbox(objects=300, invalid=0, limits="off", latency=0.1) as museum:
        out = on_terminal(scrapy.at(museum), **plainly)
    assert "objects: complete (exit 0)" in out
    assert not re.search(r"\x1b\[[\d;]*[1-9][\d;]*m", re.sub(r"\x1b\[[01]m", "", out)), out
    assert ("\x1b" in out) is ("NO_COLOR" in plainly)


def on_terminal(scrapy: Scrapy, **environment: str) -> str:
    """What ``scrapy crawl objects`` prints on a terminal."""
    mine, theirs = pty.openpty()
    plain_in = ("CI", "NO_COLOR")
    inherited = {name: text for name, text in scrapy.environment.items() if name not in plain_in}
    process = subprocess.Popen(
        [sys.executable, "-m", "scrapy", "crawl", "objects", "-s", "LOOKAHEAD=1"],
        cwd=ROOT,
        env={**inherited, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    out = b""
    while True:
        try:
            out += os.read(mine, 65_536)
        except OSError:  # the terminal is closed
            break
    assert process.wait(60) == 0, out
    os.close(mine)
    return out.decode()

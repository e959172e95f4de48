"""The numbers in SECURITY.md, and in the page on archives, are those of the code."""

from __future__ import annotations

import importlib
import re

import pytest

from mplus_crawler.protocols.archive import bounds
from tests.conftest import ROOT

_ROW = re.compile(r"^\| (.+) \| ([\d,]+)(?: (KiB|MiB|s))? \| `(\S+)\.py` `(\w+)` \|$", re.MULTILINE)
_UNITS = {"KiB": 1024, "MiB": 1024**2}
ROWS = _ROW.findall((ROOT / "SECURITY.md").read_text("utf-8"))


def test_the_table_is_read() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8").partition("## What is bounded")[2]
    table = text.partition("## Reporting")[0]
    assert len(ROWS) == table.count("\n| ") - 1  # the head


@pytest.mark.parametrize(("what", "number", "unit", "module", "name"), ROWS)
def test_each_bound_is_that_of_the_code(
    what: str, number: str, unit: str, module: str, name: str
) -> None:
    found = getattr(importlib.import_module(f"mplus_crawler.{module.replace('/', '.')}"), name)
    assert float(found) == int(number.replace(",", "")) * _UNITS.get(unit, 1), what


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (bounds.LARGEST_FILE, "1 MiB"),
        (bounds.LARGEST_TOTAL, "512 MiB"),
        (bounds.LARGEST_TAR, "1 GiB"),
        (bounds.LARGEST_HEADER, "8 KiB"),
        (bounds.LARGEST_DIRECTORY, "16 MiB"),
        (bounds.LARGEST_INDEX, "64 MiB"),
        (bounds.MOST_ENTRIES, "50,000"),
        (bounds.LONGEST_PATH, "255 characters"),
    ],
)
def test_the_page_on_archives_agrees(size: int, text: str) -> None:
    number, _, unit = text.partition(" ")
    units = {**_UNITS, "GiB": 1024**3}
    assert size == int(number.replace(",", "")) * units.get(unit, 1)
    assert f"| {text}" in (ROOT / "docs" / "mplus.md").read_text("utf-8")

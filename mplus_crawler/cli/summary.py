"""What a person wants to know in the end, on standard error: standard output may be a feed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from mplus_crawler.errors import ExitCode, HarvestError


def tell(certificate: dict[str, Any]) -> None:
    """Print what a harvest came to."""
    expected = certificate["expected"]["last"]
    lines = [
        f"{certificate['spider']}: {certificate['verdict']} (exit {certificate['exit_code']})",
        f"  reason     {certificate['reason']}",
        f"  expected   {'unknown' if expected is None else f'{expected:,}'}",
        f"  unique     {certificate['unique']:,}",
        f"  duplicates {certificate['duplicates']:,}",
        f"  rejected   {certificate['rejected']:,}",
        f"  requests   {certificate['requests']['sent']:,}",
        *(f"  note       {note} ({times}x)" for note, times in certificate["notes"].items()),
        *(f"  feed       {feed['uri']}: {feed['items']:,}" for feed in certificate["feeds"]),
    ]
    if certificate["resume"]:
        lines.append(f"  go on with {certificate['resume']}")
    print("\n".join(lines), file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One spider of many: how it ended, and what it brought."""

    spider: str
    exit_code: ExitCode
    verdict: str
    reason: str
    records: int = 0
    rejects: int = 0
    requests: int = 0
    seconds: float = 0.0
    resume: str | None = None

    @classmethod
    def of(cls, spider: str, exit_code: ExitCode, certificate: dict[str, Any] | None) -> Self:
        """The row of a spider that has run; without a certificate it ended before its verdict."""
        if certificate is None:
            return cls(spider, exit_code, "failed", "ended before its verdict")
        began, ended = (certificate[name] for name in ("started_at", "finished_at"))
        return cls(
            spider,
            exit_code,
            str(certificate["verdict"]),
            certificate["reason"],
            certificate["unique"],
            certificate["rejected"] + certificate["unreadable"],
            certificate["requests"]["sent"],
            (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds(),
            certificate["resume"],
        )

    @classmethod
    def refused(cls, spider: str, fault: HarvestError) -> Self:
        """The row of a spider that could not be started."""
        return cls(spider, fault.exit_code, "not started", str(fault))


def table(rows: Sequence[Row]) -> None:
    """Print a row for each spider, why those that did not end well didn't, and what goes on."""
    heads = ("spider", "verdict", "exit", "records", "rejects", "requests", "time")
    cells = [heads, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_aligned(line, widths) for line in cells]
    lines += [f"{row.spider}: {row.reason}" for row in rows if row.exit_code]
    lines += [f"go on with {command}" for command in {row.resume for row in rows} if command]
    print("\n".join(lines), file=sys.stderr, flush=True)


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (f"{number:,}" for number in (row.records, row.rejects, row.requests))
    return row.spider, row.verdict, str(int(row.exit_code)), *numbers, f"{row.seconds:,.0f} s"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    words = (cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True))
    numbers = (cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True))
    return "  ".join([*words, *numbers]).rstrip()

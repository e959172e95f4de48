"""Figures of the report: counts of the records of one snapshot."""

from __future__ import annotations

import heapq
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from mplus_crawler.datasets.report.pictures import Picture, Pictures
from mplus_crawler.datasets.snapshots import Snapshot
from mplus_crawler.errors import printable
from mplus_crawler.protocols.source import parse

MOST_VALUES = 12
LONGEST_VALUE = 120
EARLIEST_YEAR = -10_000
MOST_PICTURES = 12

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """How often the most frequent values of a *column* occur.

    *values* are pairs of a value and its number of records; *others* is the number of further
    values, *filled* the number of records that have one.
    """

    title: str
    column: str
    language: str | None
    values: Sequence[tuple[str, int]]
    others: int
    filled: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Records by decade: first years of the decades, in order, with their number of records."""

    decades: Sequence[tuple[int, int]]
    undated: int


@dataclass(slots=True)
class Figures:
    """The figures of one *snapshot*."""

    snapshot: Snapshot
    noun: str
    timeline: Timeline | None = None
    charts: Sequence[Chart] = ()
    pictures: Sequence[Picture] = field(default_factory=list)


@cache
def _plans() -> dict[str, Any]:
    text = resources.files("mplus_crawler.datasets.report") / "charts.toml"
    return tomllib.loads(text.read_text("utf-8"))


def in_order(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return *snapshots* in the order of the report, objects first."""
    order = list(_plans())
    return sorted(
        snapshots,
        key=lambda one: (
            order.index(one.kind.schema) if one.kind.schema in order else len(order),
            one.kind.table,
        ),
    )


def figures(snapshot: Snapshot, pictures: Pictures) -> Figures:
    """Read *snapshot* once and return its figures.

    Its *pictures* are those with the lowest digests: a choice that is the same each time.
    """
    plan = _plans().get(snapshot.kind.schema, {})
    columns = [chart["column"] for chart in plan.get("chart", ())]
    tallies: dict[str, Counter[str]] = {column: Counter() for column in columns}
    filled: Counter[str] = Counter()
    years = _Years(plan.get("timeline"), int(snapshot.certificate["finished_at"][:4]))
    shown: list[tuple[str, Picture]] = []
    with snapshot.lines() as lines:
        for record in map(parse, lines):
            years.add(record)
            for column in columns:
                values = _values(record.get(column))
                tallies[column].update(values)
                filled[column] += bool(values)
            picture = pictures.of(record)
            if picture:
                shown.append((str(record.get("digest")), picture))
                if len(shown) > 50 * MOST_PICTURES:
                    shown = _lowest(shown)
    return Figures(
        snapshot,
        plan.get("noun", snapshot.kind.table),
        years.timeline(),
        [
            _chart(chart, tallies[chart["column"]], filled[chart["column"]])
            for chart in plan.get("chart", ())
            if filled[chart["column"]]
        ],
        [picture for _, picture in _lowest(shown)],
    )


def _lowest(shown: Iterable[tuple[str, Picture]]) -> list[tuple[str, Picture]]:
    return heapq.nsmallest(MOST_PICTURES, shown, key=lambda pair: (pair[0], pair[1].address))


def _values(value: Any) -> set[str]:
    """Return the different texts in a column's *value*, each fit to print."""
    listed = value if isinstance(value, list) else [value]
    return {shortened(text) for text in listed if isinstance(text, str) and text.strip()}


def shortened(text: str) -> str:
    """Return *text* as one printable line of at most :data:`LONGEST_VALUE` characters."""
    line = printable(text[: 10 * LONGEST_VALUE])
    return line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 1].rstrip()}…"


def _chart(plan: dict[str, str], tally: Counter[str], filled: int) -> Chart:
    ranked = sorted(tally.items(), key=lambda pair: (-pair[1], pair[0]))
    values = ranked[:MOST_VALUES]
    others = len(ranked) - len(values)
    return Chart(plan["title"], plan["column"], plan.get("language"), values, others, filled)


class _Years:
    """Counts records by the decade of their first year, else of their last."""

    def __init__(self, columns: Sequence[str] | None, last: int) -> None:
        self._columns = columns
        self._last = last
        self._decades: Counter[int] = Counter()
        self._undated = 0

    def add(self, record: Record) -> None:
        if self._columns:
            years = (record.get(column) for column in self._columns)
            year = next((one for one in years if self._is_year(one)), None)
            if year is None:
                self._undated += 1
            else:
                self._decades[year // 10 * 10] += 1

    def timeline(self) -> Timeline | None:
        return Timeline(sorted(self._decades.items()), self._undated) if self._decades else None

    def _is_year(self, value: Any) -> bool:
        return type(value) is int and EARLIEST_YEAR <= value <= self._last

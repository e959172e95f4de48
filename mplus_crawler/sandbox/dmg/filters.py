"""Which rows of a collection a query selects, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mplus_crawler.sandbox.dmg.data import LANGUAGES, AgentRow, Collection, ObjectRow, Row
from mplus_crawler.sandbox.dmg.names import concept_key, concept_number
from mplus_crawler.sandbox.dmg.query import Query

SELECTIONS_KEPT = 32


class Selector:
    """Selects rows; keeps the last results, since clients request them page by page."""

    def __init__(self, rows: Collection) -> None:
        self._rows = rows
        self._kept: dict[tuple[str, ...], Sequence[int]] = {}

    def forget(self) -> None:
        """Drop the results, because rows were added or removed."""
        self._kept.clear()

    def keys(self, name: str, query: Query) -> Sequence[int]:
        """Return the keys of the selected rows in the requested order."""
        filters = {k: v for k, v in query.values.items() if k not in ("fullRecord", "colors")}
        if not filters:
            return self._rows.listings[name].keys
        selection = (name, *(f"{k}={v}" for k, v in filters.items()))
        if selection not in self._kept:
            while len(self._kept) >= SELECTIONS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[selection] = self._select(name, query)
        return self._kept[selection]

    def _select(self, name: str, query: Query) -> Sequence[int]:
        listing = self._rows.listings[name]
        rows = [self._rows.row(listing.kind, key) for key in listing.keys]
        if name == "objects" and (agent := query.values.get("agent")):
            return [row.key for row in rows if isinstance(row, ObjectRow) and self._by(row, agent)]
        tests = [
            (_FILTERS[name][parameter], value)
            for parameter, value in query.values.items()
            if parameter in _FILTERS[name]
        ]
        if query.since:
            rows = [row for row in rows if row.modified and row.modified >= query.since]
        rows = [row for row in rows if all(test(row, value) for test, value in tests)]
        return [row.key for row in _in_order(rows, query)]

    def _by(self, row: ObjectRow, agent: str) -> bool:
        pid = agent.rpartition("/")[2]
        return any(self._rows.listings["agents"].pid(maker) == pid for maker in row.makers)


def _in_order(rows: list[Row], query: Query) -> list[Row]:
    descending = query.values.get("sortOrder") == "desc"
    field = query.values.get("sortBy", "")
    if field not in _SORTED_BY:
        return rows[::-1] if descending else rows
    known = [row for row in rows if _SORTED_BY[field](row) is not None]
    unknown = [row for row in rows if _SORTED_BY[field](row) is None]
    return sorted(known, key=_SORTED_BY[field], reverse=descending) + unknown


def _title(language: str) -> Callable[[Any], str | None]:
    return lambda row: row.titles.get(language)


def _year(which: int) -> Callable[[Any], int | None]:
    return lambda row: row.years[which] if row.years else None


_SORTED_BY: Mapping[str, Callable[[Any], Any]] = {
    "modified": lambda row: row.modified,
    "titleNL": _title("NLD"),
    "titleFR": _title("FRA"),
    "titleEN": _title("ENG"),
    "dateBegin": _year(0),
    "dateEnd": _year(1),
}


def mentions(row: Row, text: str) -> bool:
    """Return whether number, titles or types of *row* contain *text*."""
    searched = [row.pid, *row.titles.values()]
    if isinstance(row, ObjectRow):
        searched += row.types
    return any(text.lower() in words.lower() for words in searched)


def _has_title(row: Row, language: str) -> bool:
    return language not in LANGUAGES or row.titles.get(language, "unknown") != "unknown"


def _has_biography(row: AgentRow, language: str) -> bool:
    return language not in LANGUAGES or language in row.bios


def _all_of(field: str) -> Callable[[Any, str], bool]:
    return lambda row, value: set(value.split(",")) <= set(getattr(row, field))


def _overlaps(row: ObjectRow, dates: str) -> bool:
    begin, _, end = dates.partition("/")
    return _ends_after(row, begin) and _begins_before(row, end or begin)


def _ends_after(row: ObjectRow, year: str) -> bool:
    return row.years is not None and (not year.isdigit() or row.years[1] >= int(year))


def _begins_before(row: ObjectRow, year: str) -> bool:
    return row.years is not None and (not year.isdigit() or row.years[0] <= int(year))


def _has_concept(row: ObjectRow, concept: str) -> bool:
    pid = concept.rpartition("/")[2]
    labels = (*row.types, *row.materials)
    return any(concept_number(concept_key(label)) == pid for label in labels)


def _is_described_by(row: ObjectRow, text: str) -> bool:
    return any(text.lower() in label.lower() for label in (*row.types, *row.materials))


_IMAGES: Mapping[str, Callable[[Any, str], bool]] = {
    "hasImages": lambda row, _: row.manifest,
    "color": lambda row, value: set(value.split(",")) <= row.base_shares().keys(),
    "cssColor": lambda row, value: set(value.split(",")) <= {name for name, _ in row.palette},
    "q": mentions,
}

_FILTERS: Mapping[str, Mapping[str, Callable[[Any, str], bool]]] = {
    "objects": {
        **_IMAGES,
        "hasColors": lambda row, _: bool(row.palette),
        "hasParts": lambda row, _: row.parts > 0,
        "isPartOf": lambda row, _: row.set_number is not None,
        "onDisplay": lambda row, value: row.on_display is (value == "true"),
        "type": _all_of("types"),
        "material": _all_of("materials"),
        "language": _has_title,
        "concept": _has_concept,
        "conceptSearch": _is_described_by,
        "date": _overlaps,
        "dateFrom": _ends_after,
        "dateTo": _begins_before,
        "koepels": lambda row, value: value != "exclude" or not row.is_koepel,
    },
    "agents": {
        "q": mentions,
        "nationality": lambda row, value: value.split(",") == [row.nationality],
        "role": _all_of("roles"),
        "hasBio": lambda row, _: row.has_bio,
        "type": lambda row, value: row.type == value,
        "language": _has_biography,
    },
    "exhibitions": {"q": mentions, "language": _has_title},
    "concepts": {"q": mentions, "language": _has_title},
    "private_objects": _IMAGES,
}

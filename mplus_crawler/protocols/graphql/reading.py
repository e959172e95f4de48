"""Reads responses: the outcome of a query, and whether it matches the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mplus_crawler.protocols.graphql.calls import Results
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Invalid, Listed, Outcome
from mplus_crawler.protocols.graphql.queries import IdQuery, Query, RecordQuery
from mplus_crawler.protocols.source import SourceRecord

Row = dict[str, Any]

# Characters of an id; longer ones are cut.
_LONGEST_ID = 60

_ALIASES: dict[type[Query], tuple[str, ...]] = {IdQuery: ("list",), RecordQuery: ("en", "zh")}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the responses of one root field.

    Each of its records has a value in one of the *discriminating_fields*. Other records are
    nested in *nested_field*, if any: at most *most_nested* distinct ones in a page.
    """

    discriminating_fields: tuple[str, ...]
    nested_field: str
    most_nested: int

    def outcome(self, query: Query, results: Results, prefix: str) -> Outcome:
        """The outcome of *query*, whose aliases begin with *prefix*."""
        languages: list[list[SourceRecord]] = []
        for alias in (f"{prefix}{alias}" for alias in _ALIASES[type(query)]):
            rows = results.rows(alias)
            if rows is None:
                return _failure(results, alias)
            languages.append(rows)
        if any(rows and not any(map(self._is_expected, rows)) for rows in languages):
            return Invalid("the server's cache returned records of another kind")
        ids = [[_id(row) for row in rows] for rows in languages]
        if any(None in known for known in ids):
            return _without_id(query, ids)
        if isinstance(query, IdQuery):
            usable = tuple(id_ for id_ in ids[0] if isinstance(id_, int))
            unusable = tuple(id_ for id_ in ids[0] if isinstance(id_, str))
            return Listed(usable, _total(languages[0]), unusable)
        if {*ids[0]} != {*ids[1]} or not {*ids[0]} <= {*query.ids, *query.extra_ids}:
            return Invalid("the response has other records than were requested")
        own = tuple(id_ for id_ in query.ids if id_ in ids[0])
        return self._with_nested(own, *languages) if self.nested_field else Fetched(own)

    def rows(self, results: Results, prefix: str) -> dict[int, SourceRecord]:
        """The records under *prefix* by id, both languages together."""
        en, zh = (results.rows(f"{prefix}{alias}") or [] for alias in _ALIASES[RecordQuery])
        chinese = {_id(row): row for row in zh}
        return {
            id_: SourceRecord.joined(en=row, zh=chinese[id_])
            for row in en
            if isinstance(id_ := _id(row), int)
        }

    def _with_nested(self, ids: tuple[int, ...], en: Sequence[Row], zh: Sequence[Row]) -> Fetched:
        """The outcome with regard to nested records.

        The server looks them up for a whole page: all of them fail, or none. Then all records
        say null, as one without nested records always does.
        """
        english, chinese = ({_id(row): self._nested(row) for row in rows} for rows in (en, zh))
        having = [id_ for id_, nested in english.items() if nested]
        distinct = {id_ for nested in english.values() for id_ in nested}
        return Fetched(
            ids,
            nested_missing=bool(english) and (not having or english != chinese),
            nested_full=len(distinct) >= self.most_nested,
            with_nested=next((id_ for id_ in having if isinstance(id_, int)), None),
        )

    def _nested(self, row: Row) -> list[str]:
        nested = row.get(self.nested_field)
        nodes = nested if isinstance(nested, list) else []
        return sorted(str(node.get("id")) for node in nodes if isinstance(node, dict))

    def _is_expected(self, row: Row) -> bool:
        names = self.discriminating_fields
        return not names or any(row.get(name) is not None for name in names)


def _id(row: Row) -> int | str | None:
    """The id of *row*, also where it is a number in a text; ``None`` where it has none.

    A text for an integer of more than 32 bits, which no argument of the type Int can be.
    """
    id_ = row.get("id")
    if isinstance(id_, str) and id_.isascii() and id_.removeprefix("-").isdigit():
        id_ = id_ if len(id_) > _LONGEST_ID else int(id_)
    if isinstance(id_, str) and id_.removeprefix("-").isdigit():
        return f"{id_[:_LONGEST_ID]}…"
    if not isinstance(id_, int) or isinstance(id_, bool):
        return None
    return id_ if -(2**31) <= id_ < 2**31 else str(id_)


def _without_id(query: Query, ids: Sequence[Sequence[int | str | None]]) -> Outcome:
    """A record has no id: in a list with others, smaller lists isolate it."""
    reason = "a record has no id"
    some = isinstance(query, IdQuery) and (query.single or any(id_ is not None for id_ in ids[0]))
    return Broken(reason) if some else Invalid(reason)


def _failure(results: Results, alias: str) -> Outcome:
    """Null means that a record breaks the page; data beside an error cannot be trusted."""
    reason = results.errors.get(alias, "it is not in the response")
    broken = alias in results.errors and results.data.get(alias) is None
    return Broken(reason) if broken else Invalid(reason)


def _total(rows: Sequence[Row]) -> int | None:
    """The total, which only the first record has."""
    try:
        total = rows[0]["_sys"]["pagination"]["total"]
    except (LookupError, TypeError):
        return None
    return total if isinstance(total, int) else None

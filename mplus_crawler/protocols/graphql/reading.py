"""Reading: what an answer holds for a question, as far as it is what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mplus_crawler.protocols.graphql.calls import Answer
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome, Wrong
from mplus_crawler.protocols.graphql.questions import Fetch, Listing, Question

Row = dict[str, Any]

_ALIASES: dict[type[Question], tuple[str, ...]] = {Listing: ("list",), Fetch: ("en", "zh")}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers of one root field.

    Any of its records has one of the *discriminating_fields*; other records are nested in the
    field *inner*, where there is one, at most *most* distinct ones in a page.
    """

    discriminating_fields: tuple[str, ...]
    inner: str
    most: int

    def outcome(self, question: Question, answer: Answer, prefix: str) -> Outcome:
        """What *answer* holds for *question* under the aliases that begin with *prefix*."""
        aliases = [f"{prefix}{alias}" for alias in _ALIASES[type(question)]]
        faces: list[list[Row]] = []
        for alias in aliases:
            rows = answer.rows(alias)
            if rows is None:
                return _failure(answer, alias)
            faces.append(rows)
        if any(face and not any(map(self._is_ours, face)) for face in faces):
            return Wrong("another kind of record came, out of the server's cache")
        ids = [[_id(row) for row in face] for face in faces]
        if any(None in face for face in ids):
            return _idless(question, ids)
        if isinstance(question, Listing):
            return Listed(tuple(id_ for id_ in ids[0] if id_ is not None), _total(faces[0]))
        if {*ids[0]} != {*ids[1]} or not {*ids[0]} <= {*question.ids, *question.beside}:
            return Wrong("other records came than were asked for")
        own = tuple(id_ for id_ in question.ids if id_ in ids[0])
        return self._nested(own, *faces) if self.inner else Fetched(own)

    def rows(self, answer: Answer, prefix: str) -> dict[int, dict[str, Row]]:
        """By id, the records under *prefix*, both languages together."""
        en, zh = (answer.rows(f"{prefix}{alias}") or [] for alias in _ALIASES[Fetch])
        chinese = {_id(row): row for row in zh}
        return {id_: {"en": row, "zh": chinese[id_]} for row in en if (id_ := _id(row)) is not None}

    def _nested(self, ids: tuple[int, ...], en: Sequence[Row], zh: Sequence[Row]) -> Fetched:
        """What is nested is looked up for a page at once: all of it fails, or none.

        A record that has nothing nested in it says null, as all do when the look-up has failed;
        above so many distinct ones, the rest is left out.
        """
        english, chinese = ({_id(row): self._inner(row) for row in face} for face in (en, zh))
        rich = [id_ for id_, inner in english.items() if inner]
        distinct = {person for inner in english.values() for person in inner}
        return Fetched(
            ids,
            bare=bool(english) and (not rich or english != chinese),
            crowded=len(distinct) >= self.most,
            rich=rich[0] if rich else None,
        )

    def _inner(self, row: Row) -> list[str]:
        inner = row.get(self.inner)
        nodes = inner if isinstance(inner, list) else []
        return sorted(str(node.get("id")) for node in nodes if isinstance(node, dict))

    def _is_ours(self, row: Row) -> bool:
        names = self.discriminating_fields
        return not names or any(row.get(name) is not None for name in names)


def _id(row: Row) -> int | None:
    """The id of *row*, also where it is a number in a text; ``None`` where it has none."""
    id_ = row.get("id")
    if isinstance(id_, str) and id_.isascii() and id_.isdigit():
        return int(id_)
    return id_ if isinstance(id_, int) and not isinstance(id_, bool) else None


def _idless(question: Question, ids: Sequence[Sequence[int | None]]) -> Outcome:
    """Records without an id came: to be told from the others of a list, if there are any."""
    reason = "a record without an id came"
    some = isinstance(question, Listing) and (question.single or any(map(_known, ids[0])))
    return Broken(reason) if some else Wrong(reason)


def _known(id_: int | None) -> bool:
    return id_ is not None


def _failure(answer: Answer, alias: str) -> Outcome:
    """Null is a record's doing that breaks the page; data beside an error are not to be trusted."""
    reason = answer.errors.get(alias, "it is not in the answer")
    broken = alias in answer.errors and answer.data.get(alias) is None
    return Broken(reason) if broken else Wrong(reason)


def _total(rows: Sequence[Row]) -> int | None:
    """The total, which the first record alone tells."""
    try:
        total = rows[0]["_sys"]["pagination"]["total"]
    except (LookupError, TypeError):
        return None
    return total if isinstance(total, int) else None

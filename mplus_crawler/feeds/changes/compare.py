"""Comparing two sorted snapshots, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mplus_crawler.feeds.changes.snapshot import Row

# Columns that never count as a change: the schemas mark them as volatile.
VOLATILE = frozenset(("retrieved_at", "expires_at", "digest"))
# What a record that is written anew changes without having other content.
_WRITTEN_ANEW = frozenset(("modified", "record"))

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder(float_hook=str).decode


def differing(former: Iterable[Row], now: Iterable[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield the rows of *former* and *now* that differ, side by side; both are sorted by id.

    None stands for a row that one of them does not have. Two rows are in memory at a time.
    """
    before, after = iter(former), iter(now)
    one, other = next(before, None), next(after, None)
    while one or other:
        if one and other and one.id == other.id:
            if one.digest != other.digest:
                yield one, other
            one, other = next(before, None), next(after, None)
        # Code points are in the order of their UTF-8.
        elif other is None or (one and one.id < other.id):
            yield one, None
            one = next(before, None)
        else:
            yield None, other
            other = next(after, None)


def columns(before: Row, after: Row) -> tuple[str, ...]:
    """Return the names of the columns that differ, in the order of *after*.

    Empty if *before* cannot be read, since its file has been damaged.
    """
    try:
        one, other = _members(before.line), _members(after.line)
    except ValueError:
        return ()
    written = [
        name
        for name in dict.fromkeys([*other, *one])
        if name not in VOLATILE and _bytes(one.get(name)) != _bytes(other.get(name))
    ]
    # The museum may write the same content with other blanks, or names in another order.
    changed = [name for name in written if _value(one.get(name)) != _value(other.get(name))]
    return tuple(changed or written)


def is_regenerated(before: Row, after: Row, names: Iterable[str]) -> bool:
    """Whether the columns *names* differ only because the record was generated again.

    That is: only ``modified`` differs, and the same time in ``record``.
    """
    if {*names} != _WRITTEN_ANEW:
        return False
    one, other = _members(before.line), _members(after.line)
    times = (_value(one["modified"]), _value(other["modified"]))
    return all(pair == times for pair in _pairs(_value(one["record"]), _value(other["record"])))


def _pairs(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of values that differ in *one* and *other*, the innermost first."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from _pairs(one[name], other[name])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for left, right in zip(one, other, strict=True):
            yield from _pairs(left, right)
    elif one != other:
        yield one, other


def _bytes(raw: msgspec.Raw | None) -> bytes:
    return b"" if raw is None else bytes(raw)


def _value(raw: msgspec.Raw | None) -> Any:
    """Return the value of *raw*; decimals and unreadable values as they are written."""
    try:
        return None if raw is None else _decode(raw)
    except ValueError:  # an integer of thousands of digits
        return bytes(raw or b"")


class _Numbered(msgspec.Struct):
    object_number: str | None = None


_numbered = msgspec.json.Decoder(_Numbered).decode


def object_number(row: Row) -> str | None:
    """Return the row's object number, which stays with an object whose id changes."""
    try:
        return _numbered(row.line).object_number or None
    except ValueError:  # a damaged row
        return None

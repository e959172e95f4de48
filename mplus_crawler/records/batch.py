"""A page's records, carried through Scrapy as one item.

Scrapy's machinery costs 75 µs of CPU an item, as much as flattening and validating one; a page
of a hundred pays it once. Exporters unpack it, so feeds have a record a line all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

Row = dict[str, Any]
# Between several values that a column of one holds; no label and no URI has it inside.
SEVERAL = " | "


@dataclass
class Records:
    """What came together: *members* as the museum gave them, then *rows* with all columns.

    A member is (id, record): the id that the record goes by when it names none itself, or
    ``None``. *retrieved_at* is when the museum gave them, in UTC (ISO 8601).
    """

    retrieved_at: str
    members: list[tuple[str | None, Any]]
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Loss:
    """A record that cannot be had, for the rejected file.

    ``unreadable``: it is listed, but the museum's server never gives it. ``vanished``: it was
    read, and gone before the harvest ended. Any other reason counts as rejected: ``not_found``,
    ``gone``, ``redirect``.
    """

    id: str
    reason: str
    message: str


def json_line(value: Any) -> bytes:
    """*value* as one line of JSON; orjson reads deeper records than it writes."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def stamp(moment: datetime) -> str:
    """*moment*, which is in UTC, as records and certificates write it: whole seconds, ISO 8601."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

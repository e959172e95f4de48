"""Batches: the records of one page, passed through Scrapy as one item.

Scrapy's item processing costs 75 µs of CPU per item, as much as flattening and validating a
record, so a page of 100 records pays it once. Exporters write one line per record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from mplus_crawler.errors import counted
from mplus_crawler.protocols.source import SourceRecord, fragment

Row = dict[str, Any]
# Separates several values in one text column; labels and URIs do not contain it.
SEVERAL = " | "


@dataclass
class Records:
    """The records of one response: *members* as received, then *rows* with all columns.

    A member is (id, record); the id is used if the record has none, and may be ``None``.
    *retrieved_at* is when the response was received, in UTC (ISO 8601). *places* name the members
    without id: the page, and the position there, from 1. If it is empty, the members are the first
    of page 1. The records of a batch that *repeats* were delivered before; records with more values
    replace them.
    """

    retrieved_at: str
    members: list[tuple[str | None, Any]]
    rows: list[Row] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    repeats: bool = False

    def __str__(self) -> str:  # Scrapy logs it at DEBUG
        return f"{counted(len(self.members), 'record')} retrieved at {self.retrieved_at}"


@dataclass(frozen=True)
class Loss:
    """A record that cannot be delivered, for the rejected file.

    ``unreadable``: listed, but the server always fails to return it. ``vanished``: read, and
    deleted before the harvest ended. ``not_found``, ``gone``: requested by its id, but absent.
    Any other reason counts as rejected: ``redirect``. A record whose *id* cannot be known is named
    by its *place*: page and position there, from 1.
    """

    id: str | None
    reason: str
    message: str
    place: tuple[int, int] | None = None


def json_line(value: Any) -> bytes:
    """Return *value* as one line of JSON; a :class:`.SourceRecord` in it keeps its source bytes."""
    try:
        options = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_APPEND_NEWLINE
        return orjson.dumps(value, default=fragment, option=options)
    except orjson.JSONEncodeError:  # an integer over 64 bits, or deep nesting
        return _plain(value) + b"\n"


def _plain(value: Any) -> bytes:
    if isinstance(value, SourceRecord):
        return value.raw
    if isinstance(value, dict):
        return b"{%s}" % b",".join(b"%s:%s" % (_plain(k), _plain(v)) for k, v in value.items())
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def stamp(moment: datetime) -> str:
    """Return *moment* (UTC) as records and certificates write it: ISO 8601, whole seconds."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

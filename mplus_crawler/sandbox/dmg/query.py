"""A collection's query string, parsed as leniently as by the museum."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, quote_plus

from mplus_crawler.sandbox.facts.dmg import FACTS, Json

_FLAGS = {"fullRecord", "colors", "hasImages", "hasColors", "hasParts", "isPartOf", "hasBio"}
_DISPLAY = {"true": "true", "1": "true", "false": "false", "0": "false"}
_BREAK_THE_QUERY = {"type", "material", "color"}


class RefusedError(Exception):
    """A response other than the requested one."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a collection: one page of the rows that the values select."""

    page: int
    size: int
    values: Mapping[str, str]
    since: datetime | None = field(default=None)

    def is_true(self, name: str) -> bool:
        """Return whether a flag is exactly ``true``."""
        return self.values.get(name) == "true"

    def link(self, page: int) -> str:
        """Return the query string of another page, rebuilt from the parsed values."""
        pairs = [("page", str(page)), ("itemsPerPage", str(self.size)), *self.values.items()]
        return "&".join(f"{name}={_encoded(value)}" for name, value in pairs)


def read_query(name: str, query_string: str) -> Query:
    """Read the query of a collection; raises :class:`RefusedError`."""
    facts = FACTS["collection"][name]
    given = _once(query_string, ["page", "itemsPerPage", *facts["parameters"]])
    page = leading_int(given.get("page")) or 1
    size = leading_int(given.get("itemsPerPage")) or FACTS["page_size"]
    values = {
        parameter: value
        for parameter in facts["parameters"]
        if (value := _understood(parameter, given.get(parameter, "")))
    }
    since = read_date(values["modifiedSince"]) if "modifiedSince" in values else None
    if "modifiedSince" in values and since is None:
        raise RefusedError(400, {"error": facts["bad_date"]})
    if page < 0 or size < 0:
        raise failure(name, "Requested range not satisfiable")
    if name == "exhibitions" and re.search("[,()]", values.get("q", "")):
        raise failure(name)
    if any(re.search('["{}]', values.get(parameter, "")) for parameter in _BREAK_THE_QUERY):
        raise failure(name)
    return Query(page, min(size, FACTS["page_size_cap"]), values, since)


def failure(name: str, details: str = "") -> RefusedError:
    """Return the museum's response when its database rejects a collection's query."""
    body = {"error": f"Error fetching {name.replace('_', ' ')}"}
    return RefusedError(
        500, body | {"details": details} if FACTS["collection"][name]["details"] else body
    )


def leading_int(text: str | None) -> int:
    """Return the number at the start of a text, as JavaScript's parseInt does; 0 for none."""
    found = re.match(r"\s*([+-]?\d+)", text or "", re.ASCII)
    return int(found[1]) if found else 0


def read_date(text: str) -> datetime | None:
    """Return a date in one of the common spellings that JavaScript's Date accepts."""
    for read in (datetime.fromisoformat, _slashed, parsedate_to_datetime):
        try:
            date = read(text.strip())
        except ValueError:
            continue
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def _slashed(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d").replace(tzinfo=UTC)


def _once(query_string: str, known: list[str]) -> dict[str, str]:
    pairs = [(k, v) for k, v in parse_qsl(query_string, keep_blank_values=True) if k in known]
    given = dict(pairs)
    if len(given) < len(pairs):
        raise RefusedError(500, {"error": "Internal Server Error"})
    return given


def _understood(parameter: str, value: str) -> str:
    if parameter in _FLAGS:
        return "true" if value == "true" else ""
    match parameter:
        case "onDisplay":
            return _DISPLAY.get(value, "")
        case "language":
            return value.upper()
        case "color":
            return value.lower()
    return value


def _encoded(value: str) -> str:
    """Return a value as WHATWG's URLSearchParams writes it, which differs from RFC 3986."""
    return quote_plus(value, safe="*").replace("~", "%7E")

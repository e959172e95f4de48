"""Validators of HTTP answers (RFC 9110, 8.8): read off an answer, and sent as conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As RFC 9110 has them, and with spaces, which the museum's have; longer ones are hostile.
_ETAG = re.compile(r'(?:W/)?"[\x20\x21\x23-\x7e\x80-\xff]{0,500}"')
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A former answer: its *body*, and the validators that it came with (empty: none)."""

    body: bytes
    etag: str = ""
    last_modified: str = ""

    @property
    def validators(self) -> dict[str, bytes]:
        """The validators, as headers of the answer: the very bytes that came."""
        pairs = (("ETag", self.etag), ("Last-Modified", self.last_modified))
        return {name: value.encode("latin-1") for name, value in pairs if value}

    @property
    def conditions(self) -> dict[str, bytes]:
        """The validators, as headers of a request."""
        return {CONDITIONS[name]: value for name, value in self.validators.items()}

    def agrees(self, other: StoredResponse) -> bool:
        """Whether both can be the same answer: no validator that both have tells them apart."""
        tags = {tag.removeprefix("W/") for tag in (self.etag, other.etag) if tag}
        dates = {date for date in (self.last_modified, other.last_modified) if date}
        return len(tags) <= 1 and len(dates) <= 1


def read_stored_response(headers: Mapping[str, list[str]], body: bytes) -> StoredResponse:
    """The answer of *headers* and *body*; validators that are malformed or doubled are none."""
    fields = {name.lower(): values for name, values in headers.items()}

    def only(name: str, shape: re.Pattern[str]) -> str:
        values = fields.get(name, [])
        return values[0] if len(values) == 1 and shape.fullmatch(values[0]) else ""

    return StoredResponse(body, only("etag", _ETAG), only("last-modified", _DATE))

"""Validators of HTTP responses (RFC 9110 section 8.8), and conditional requests made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As in RFC 9110, but spaces are allowed, since the museum's have some. Longer ones are hostile.
_ETAG = re.compile(r'(?:W/)?"[\x20\x21\x23-\x7e\x80-\xff]{0,500}"')
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A former response: its *body*, and its validators; an empty one is missing."""

    body: bytes
    etag: str = ""
    last_modified: str = ""

    @property
    def validators(self) -> dict[str, bytes]:
        """The validators as response headers, byte for byte."""
        pairs = (("ETag", self.etag), ("Last-Modified", self.last_modified))
        return {name: value.encode("latin-1") for name, value in pairs if value}

    @property
    def conditions(self) -> dict[str, bytes]:
        """The validators as request headers."""
        return {CONDITIONS[name]: value for name, value in self.validators.items()}

    def agrees(self, other: StoredResponse) -> bool:
        """Whether both can be the same response: no validator that both have differs."""
        tags = {tag.removeprefix("W/") for tag in (self.etag, other.etag) if tag}
        dates = {date for date in (self.last_modified, other.last_modified) if date}
        return len(tags) <= 1 and len(dates) <= 1


def read_stored_response(headers: Mapping[str, list[str]], body: bytes) -> StoredResponse:
    """Return the response of *headers* and *body*; ignore malformed and repeated validators."""
    fields = {name.lower(): values for name, values in headers.items()}

    def only(name: str, shape: re.Pattern[str]) -> str:
        values = fields.get(name, [])
        return values[0] if len(values) == 1 and shape.fullmatch(values[0]) else ""

    return StoredResponse(body, only("etag", _ETAG), only("last-modified", _DATE))

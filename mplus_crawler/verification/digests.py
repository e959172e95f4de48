"""Recomputes the digest of a row from its line in a feed."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection
from typing import Any

from mplus_crawler.verification.strict_json import decimal, integer, parse

# Stands before a number's digits while they are a text; no feed can contain it.
_MARK = secrets.token_hex()
_NUMBER = re.compile(f'"{_MARK}([^"]*)"')


class JsonLine:
    """A line of JSON, its value, and its digest. Raises ValueError and RecursionError."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._respelled = False  # whether Python would write one of its numbers otherwise
        self.value = parse(text, parse_int=self._integer, parse_float=self._decimal)

    def digest(self, volatile: Collection[str]) -> str:
        """Return the SHA-256 of the object's canonical JSON without its members *volatile*.

        Canonical: names sorted by code point, no blanks, UTF-8, numbers as in the line.
        """
        value = self.value
        if self._respelled:
            value = parse(self._text, parse_int=_marked, parse_float=_marked)
        content = {name: part for name, part in value.items() if name not in volatile}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if self._respelled:
            text = _NUMBER.sub(r"\1", text)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _integer(self, digits: str) -> Any:
        value = integer(digits)
        self._respelled = self._respelled or isinstance(value, float) or str(value) != digits
        return value

    def _decimal(self, digits: str) -> float | None:
        value = decimal(digits)
        self._respelled = self._respelled or repr(value) != digits
        return value


def _marked(digits: str) -> str:
    return _MARK + digits

"""The store of saved responses: an SQLite file in which every row has a checksum."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from scrapy import Request
from scrapy.http import Response

from mplus_crawler.storage.sqlite import connect, is_damage, remove, set_aside

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS harvest (name TEXT PRIMARY KEY, value TEXT, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS response (
    key TEXT PRIMARY KEY, url TEXT, retrieved_at TEXT, headers BLOB, body BLOB, sha256 TEXT);
"""
_COLUMNS = "key, url, retrieved_at, headers, body, sha256"
Headers = dict[str, list[str]]


class DamagedError(Exception):
    """A row, or the whole file, that does not hold what was written."""


@dataclass(frozen=True, slots=True)
class SavedResponse:
    """A response as it is on disk; *retrieved_at* is ISO 8601 in UTC."""

    url: str
    retrieved_at: str
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, response: Response, url: str, retrieved_at: str) -> Self:
        """*response* to the request for *url*, without its cookies: no session is saved."""
        headers = headers_of(response)
        headers.pop("Set-Cookie", None)
        return cls(url, retrieved_at, headers, response.body)

    def response_to(self, request: Request) -> Response:
        """The response, as if it had just come for *request*."""
        headers = {
            name.encode("latin-1"): [value.encode("latin-1") for value in values]
            for name, values in self.headers.items()
        }
        return Response(request.url, headers=headers, body=self.body, request=request)


def headers_of(response: Response) -> Headers:
    """The headers of *response*, each with its values."""
    return {
        name.decode("latin-1"): [value.decode("latin-1") for value in values]
        for name, values in response.headers.items()
    }


class ResponseStore:
    """Responses by key, and what is known of the harvest by name.

    A damaged file is renamed and replaced by a new one, which has the values that :meth:`recall`
    has returned. Methods raise OSError and :class:`sqlite3.Error` if the file cannot be used, for
    example on a full disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: dict[str, str] = {}
        self._db = self._open()

    def get(self, key: str | bytes) -> SavedResponse | None:
        """The response saved under *key*; raises :class:`DamagedError` if it has changed."""
        query = f"SELECT {_COLUMNS} FROM response WHERE key = CAST(? AS TEXT)"
        row = self._execute(query, key).fetchone()
        return None if row is None else _read(row)

    def put(self, key: str, response: SavedResponse) -> None:
        """Save *response*; it is on disk when this returns."""
        row = (
            key,
            response.url,
            response.retrieved_at,
            orjson.dumps(response.headers),
            response.body,
        )
        command = "INSERT OR REPLACE INTO response VALUES (?, ?, ?, ?, ?, ?)"
        self._execute(command, *row, _checksum(*row))

    def put_all(self, responses: Iterator[tuple[str, SavedResponse]]) -> None:
        """Save many in one transaction."""
        self._execute("BEGIN")
        for key, response in responses:
            self.put(key, response)
        self._execute("COMMIT")

    def delete(self, key: str) -> None:
        """Drop the response saved under *key*."""
        self._execute("DELETE FROM response WHERE key = ?", key)

    def all(self) -> Iterator[SavedResponse]:
        """Every response that is not damaged."""
        for (key,) in self._execute("SELECT key FROM response").fetchall():
            with suppress(DamagedError):
                if response := self.get(key):
                    yield response

    def __len__(self) -> int:
        """How many responses there are, damaged or not."""
        return int(self._execute("SELECT count(*) FROM response").fetchone()[0])

    def recall(self, name: str, value: str) -> str:
        """The value that *name* had when the harvest began; *value* if it has just begun."""
        if name not in self._facts:
            self._facts[name] = self._recall(name, value)
        return self._facts[name]

    def remember(self, name: str, value: str) -> None:
        """Replace the value of *name*."""
        self._remember(name, value)
        self._facts[name] = value

    def clear(self) -> None:
        """Start again with an empty file."""
        self.close()
        remove(self._path)
        self._facts.clear()
        self._db = self._open()

    def replace(self, reason: object) -> None:
        """Set the file aside as damaged, for this *reason*, and start again with an empty one."""
        self.close()
        set_aside(self._path, reason)
        self._db = self._open()
        for name, value in self._facts.items():
            self._remember(name, value)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        db = connect(self._path, _SCHEMA)
        db.text_factory = bytes  # what is no UTF-8 is for the checksum to find
        return db

    def _recall(self, name: str, value: str) -> str:
        row = self._execute("SELECT * FROM harvest WHERE name = ?", name).fetchone()
        if row is None:
            self._remember(name, value)
            return value
        try:
            if row[2] != _checksum(*row[:2]).encode():
                raise DamagedError(f"{name} has changed")
            return str(row[1], "utf-8")
        except (DamagedError, TypeError, ValueError) as error:
            self.replace(error)
            self._remember(name, value)
            return value

    def _remember(self, name: str, value: str) -> None:
        command = "INSERT OR REPLACE INTO harvest VALUES (?, ?, ?)"
        self._execute(command, name, value, _checksum(name, value))

    def _execute(self, command: str, *values: Any) -> sqlite3.Cursor:
        """Run *command*; a file that turns out to be damaged is replaced first."""
        try:
            return self._db.execute(command, values)
        except (sqlite3.Error, ValueError) as error:
            if not is_damage(error):
                raise
            self.replace(error)
        return self._db.execute(command, values)


def _read(row: tuple[Any, ...]) -> SavedResponse:
    *columns, checksum = row
    try:
        if checksum != _checksum(*columns).encode():
            raise DamagedError("a saved response has changed")
        _, url, retrieved_at, headers, body = columns
        return SavedResponse(url.decode(), retrieved_at.decode(), orjson.loads(headers), body)
    except (TypeError, ValueError, AttributeError):
        raise DamagedError("a saved response has changed") from None


def _checksum(*columns: str | bytes) -> str:
    """SHA-256 over *columns*, each behind its length."""
    digest = hashlib.sha256()
    for column in columns:
        content = column.encode() if isinstance(column, str) else column
        digest.update(len(content).to_bytes(8))
        digest.update(content)
    return digest.hexdigest()

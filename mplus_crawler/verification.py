"""Verification: a feed read again, and held against its certificate.

Nothing here is shared with the code that harvests, but for the schemas and :func:`seal`: what
a mistake over there has spoilt would otherwise be found to be right.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema  # type: ignore[import-untyped]  # the library carries no types
import jsonschema_rs

from mplus_crawler.errors import Fault, UsageFault

CERTIFICATE = ".certificate.json"
KEPT = f".complete{CERTIFICATE}"  # the last complete harvest's, once a later one came to less
LINES_TOLD = 20
_MESSAGE_LENGTH = 300
_LONGEST_LINE = 32 << 20
_JSON_LINES = ("jsonlines", "jsonl", "jl")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_EXIT_CODES = {
    "complete": 0,
    "complete_with_drift": 0,
    "failed": 1,
    "incomplete": 10,
    "stopped": 11,
    "refused": 12,
    "contract_broken": 13,
    "undelivered": 14,
}
_COUNT = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_TEXT = {"type": "string"}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_FEED = _object(uri=_TEXT, format=_TEXT, items=_COUNT)
_FEED["properties"] |= {"bytes": _COUNT, "sha256": _SHA256}
_SHAPE = _object(
    spider={"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    source=_TEXT,
    run=_TEXT,
    verdict={"enum": list(_EXIT_CODES)},
    reason=_TEXT,
    exit_code={"type": "integer"},
    started_at={"type": "string", "format": "date-time"},
    finished_at={"type": "string", "format": "date-time"},
    arguments={"type": "object", "additionalProperties": _TEXT},
    expected=_object(first=_COUNT_OR_NULL, last=_COUNT_OR_NULL),
    unique=_COUNT,
    duplicates=_COUNT,
    rejected=_COUNT,
    unreadable=_COUNT,
    pages=_object(expected=_COUNT_OR_NULL, fetched=_COUNT, replayed=_COUNT, failed=_COUNT),
    id_digest=_SHA256,
    requests=_object(
        sent=_COUNT,
        by_status={"type": "object", "additionalProperties": _COUNT},
        too_many=_COUNT,
        peak={"type": "object", "additionalProperties": _COUNT},
    ),
    feeds={"type": "array", "items": _FEED},
    policy={"type": "object"},
    resume={"type": ["string", "null"]},
)
_SHAPE["properties"]["problems"] = {"type": "object"}


def seal(certificate: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of *certificate* without its ``seal``.

    Keys sorted, no spaces, UTF-8 not escaped. Dates are sealed as ISO 8601, as they will be
    read; anything else that JSON doesn't know raises TypeError.
    """
    unsealed = {name: value for name, value in certificate.items() if name != "seal"}
    text = json.dumps(
        unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_iso
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _iso(value: Any) -> str:
    try:
        return str(value.isoformat())
    except AttributeError:
        raise TypeError(f"{type(value).__name__} is nothing that JSON knows") from None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be told of a file: a difference, unless it *agrees*."""

    file: Path
    text: str
    agrees: bool = False

    def __str__(self) -> str:
        line = f"{self.file}: {self.text}"
        return "".join(character if character.isprintable() else " " for character in line)


def verify(file: Path, certificate: Path | None, folder: Path) -> Iterator[Finding]:
    """What is to be told of *file*, a feed or a certificate with all its feeds.

    A feed's certificate is *certificate*, or else looked for beside it and in *folder*. Raises
    :class:`~mplus_crawler.errors.Fault` when there is none, or none that can be read.
    """
    if file.name.endswith(CERTIFICATE):
        yield from _verify_certificate(Certificate.read(file))
        return
    found = Certificate.read(certificate) if certificate else find_certificate(file, folder)
    differences = list(found.differences())
    yield from differences
    if found.well_formed:
        feed = found.feed_of(file, alone=certificate is not None)
        yield from _verify_feed(found, file, feed, trusted=not differences)


def _verify_certificate(certificate: Certificate) -> Iterator[Finding]:
    differences = list(certificate.differences())
    yield from differences
    if not certificate.well_formed:
        return
    for feed in certificate.feeds:
        file = certificate.place(feed)
        if file is None:
            yield Finding(certificate.path, f"the feed {feed['uri']} is on no disk of this machine")
        else:
            yield from _verify_feed(certificate, file, feed, trusted=not differences)


def _verify_feed(
    certificate: Certificate, file: Path, feed: dict[str, Any], *, trusted: bool
) -> Iterator[Finding]:
    reading = _Reading(certificate, file, feed)
    agrees = trusted
    for difference in reading.differences():
        agrees = False
        yield Finding(file, difference)
    if agrees:
        yield Finding(file, reading.summary(), agrees=True)


class Certificate:
    """A certificate as it was found; nothing in it is believed before it is checked."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self._found_seal = seal(document)

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """The certificate *path*; raises :class:`Fault` when it is none."""
        try:
            document = _parse(path.read_bytes(), object_pairs_hook=_without_doubles)
            if not isinstance(document, dict):
                raise Fault(f"{path} is no certificate: no JSON object")
            return cls(path, document)
        except FileNotFoundError:
            raise UsageFault(f"there is no certificate {path}") from None
        except OSError as error:
            raise Fault(f"{path} cannot be read: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise Fault(f"{path} is no certificate: {error}") from None

    def __getitem__(self, name: str) -> Any:
        return self.document[name]

    @cached_property
    def faults(self) -> list[str]:
        """Fields that are missing or of a wrong type."""
        return list(_worded(_SHAPE, self.document))

    @property
    def well_formed(self) -> bool:
        """Whether every field is there, and of its type."""
        return not self.faults

    @property
    def complete(self) -> bool:
        """Whether every record is said to be in hand."""
        return _EXIT_CODES[self["verdict"]] == 0

    @property
    def feeds(self) -> list[dict[str, Any]]:
        """The feeds it names; whatever is none is left out."""
        feeds = self.document.get("feeds")
        if not isinstance(feeds, list):
            return []
        return [
            feed for feed in feeds if isinstance(feed, dict) and isinstance(feed.get("uri"), str)
        ]

    def place(self, feed: dict[str, Any]) -> Path | None:
        """Where *feed* is: where it was written, or beside a certificate that has moved with it."""
        path = _local(feed["uri"])
        if path is None or not path.name or _exists(path):
            return path
        beside = self.path.with_name(path.name)
        return beside if _exists(beside) else path

    def names(self, file: Path, *, beside: bool = False) -> dict[str, Any] | None:
        """The feed that *file* is; with *beside*, also if only its name and folder say so."""
        beside = beside and _same(self.path.parent, file.parent)
        for feed in self.feeds:
            path = _local(feed["uri"])
            if path and (_same(path, file) or (beside and path.name == file.name)):
                return feed
        return None

    def feed_of(self, file: Path, *, alone: bool) -> dict[str, Any]:
        """The feed that *file* is, by its name, or because there is *alone* one."""
        feed = self.names(file) or self.names(file, beside=True)
        if feed is None and alone and len(self.feeds) == 1:
            feed = self.feeds[0]
        if feed is None:
            raise UsageFault(f"{self.path} says nothing of {file}")
        return feed

    def differences(self) -> Iterator[Finding]:
        """What the certificate gives away about itself."""
        if "seal" not in self.document:
            yield self._finding("unsealed: nothing shows that it is as it was written")
        elif self.document["seal"] != self._found_seal:
            yield self._finding("its seal is broken: it is not as it was written")
        for fault in self.faults:
            yield self._finding(fault)
        if self.well_formed:
            yield from map(self._finding, self._contradictions())
            yield from self._rejected()

    def _contradictions(self) -> Iterator[str]:
        verdict, code = self["verdict"], self["exit_code"]
        if code != _EXIT_CODES[verdict]:
            yield f"exit_code is {code}, and {_EXIT_CODES[verdict]} for the verdict {verdict}"
        if not self.complete:
            return
        if problems := self.document.get("problems"):
            yield f"the verdict is {verdict} in spite of problems: {'; '.join(problems)}"
        if self["resume"] is not None:
            yield f"the verdict is {verdict}, but it says how to go on"
        if self["unique"] and not self["feeds"]:
            yield f"{self['unique']:,} records, but no feed"
        if verdict == "complete":
            yield from self._miscounts()
            yield from self._shares()

    def _miscounts(self) -> Iterator[str]:
        first, last = self["expected"]["first"], self["expected"]["last"]
        accounted = self["unique"] + self["rejected"] + self["unreadable"]
        sums = f"unique + rejected + unreadable are {accounted:,}"
        if "limit" in self["arguments"]:
            if last is not None and accounted > last:
                yield f"complete, but {sums}, more than the {last:,} there are"
        elif accounted != last:
            yield f"complete, but {sums}, and {_number(last)} were expected"
        elif first != last:
            yield f"complete, but {_number(first)} were expected first and {_number(last)} at last"

    def _shares(self) -> Iterator[str]:
        """Feeds of one format hold all records, each or, as a batch, together."""
        unique = self["unique"]
        for form in sorted({feed["format"] for feed in self["feeds"]}):
            items = sum(feed["items"] for feed in self["feeds"] if feed["format"] == form)
            if unique and items % unique:
                yield f"complete, but its {form} feeds hold {items:,} records of {unique:,}"

    def _rejected(self) -> Iterator[Finding]:
        """The rejected file is the last harvest's: a kept certificate has none any more."""
        named = self["rejected"] + self["unreadable"]
        kept = self.path.name.endswith(KEPT)
        if not named or kept or self["verdict"] in ("undelivered", "failed"):
            return
        path = self.path.with_name(f"{self['spider']}.rejected.jsonl")
        try:
            with path.open("rb") as file:
                found = sum(map(_is_object, _lines(file)))
        except OSError as error:
            yield Finding(path, f"cannot be read: {error.strerror or error}")
            return
        if found < named:
            yield Finding(path, f"{found:,} records, {named:,} certified")

    def _finding(self, text: str) -> Finding:
        return Finding(self.path, text)


def find_certificate(file: Path, folder: Path) -> Certificate:
    """The certificate that names *file*, beside it or in *folder*; raises :class:`Fault`.

    Of several, one that holds a checksum, and of those the latest; then the one that bears the
    file's name. Where none names its path, the file may have moved together with its own.
    """
    stem = file.name.rpartition(".")[0].removesuffix(".incomplete") or file.name
    likely = [file.with_name(stem + ending) for ending in (CERTIFICATE, KEPT)]
    others = {*file.parent.glob(f"*{CERTIFICATE}"), *folder.glob(f"*{CERTIFICATE}")}
    certificates, faults = _read_all([*likely, *sorted(others - {*likely})])
    for beside in (False, True):
        named = [(found, found.names(file, beside=beside)) for found in certificates]
        if naming := [(_rank(found, feed), found) for found, feed in named if feed]:
            return max(naming, key=lambda entry: entry[0])[1]
    for path in likely:
        if path in faults:
            raise faults[path]
    missing = "" if _exists(file) else "there is no such file, and "
    raise UsageFault(f"{file}: {missing}no certificate names it; --certificate FILE does")


def _read_all(paths: list[Path]) -> tuple[list[Certificate], dict[Path, Fault]]:
    certificates: list[Certificate] = []
    faults: dict[Path, Fault] = {}
    for path in paths:
        try:
            certificates.append(Certificate.read(path))
        except UsageFault:
            continue
        except Fault as fault:
            faults[path] = fault
    return certificates, faults


def _rank(certificate: Certificate, feed: dict[str, Any]) -> tuple[bool, str]:
    return "sha256" in feed, str(certificate.document.get("finished_at"))


class _Reading:
    """A feed, read for its checksum and then for its records."""

    def __init__(self, certificate: Certificate, file: Path, feed: dict[str, Any]) -> None:
        self._certificate = certificate
        self._file = file
        self._feed = feed
        self._records: int | None = None
        self._has_ids = True
        self._ids = _Ids()

    def differences(self) -> Iterator[str]:
        """Everything that is not as certified."""
        try:
            with self._file.open("rb") as file:
                yield from self._checksum(file)
                file.seek(0)
                yield from self._read(file)
        except FileNotFoundError:
            yield "there is no such file"
        except OSError as error:
            yield f"cannot be read: {error.strerror or error}"

    def summary(self) -> str:
        """What it is, now that nothing differs."""
        verdict, items = self._certificate["verdict"], self._feed["items"]
        if self._records is None:
            return f"{self._feed['bytes']:,} bytes, as certified ({verdict}; records not read)"
        part = "" if items == self._certificate["unique"] else ", a part of the harvest's"
        note = "" if self._has_ids else "; it has no ids to compare"
        return f"{items:,} records{part}, as certified ({verdict}{note})"

    def _checksum(self, file: BufferedReader) -> Iterator[str]:
        if "bytes" not in self._feed or "sha256" not in self._feed:
            yield "the certificate holds no checksum of it"
            return
        size, certified = os.fstat(file.fileno()).st_size, self._feed["bytes"]
        if size != certified:
            yield f"{size:,} bytes, {certified:,} certified"
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self._feed["sha256"]:
            yield f"sha256 is {digest}, {self._feed['sha256']} certified"

    def _read(self, file: BufferedReader) -> Iterator[str]:
        read = self._reader(file)
        if read is None:
            return
        self._records = 0
        yield from _first(LINES_TOLD, read(file))
        yield from self._sums()

    def _reader(self, file: BufferedReader) -> Callable[[BufferedReader], Iterator[str]] | None:
        compressed = file.read(6).startswith(_COMPRESSED)
        file.seek(0)
        if compressed:
            return None
        if self._feed["format"] in _JSON_LINES:
            return self._json_lines
        return self._csv if self._feed["format"] == "csv" else None

    def _json_lines(self, file: BufferedReader) -> Iterator[str]:
        for number, line in enumerate(_lines(file), 1):
            self._records = number
            for fault in self._record(line, number):
                yield f"line {number}: {fault}"

    def _record(self, line: bytes, number: int) -> Iterator[str]:
        if not line.endswith(b"\n"):
            yield "is cut off: no newline at its end"
        try:
            row = _parse(line)
        except (ValueError, RecursionError) as error:
            yield f"is no JSON: {error}"
            return
        if not isinstance(row, dict):
            yield "is no JSON object"
            return
        yield from self._ids.add(row.get("id"), number)
        yield from _schema_faults(row)

    def _csv(self, file: BufferedReader) -> Iterator[str]:
        csv.field_size_limit(_LONGEST_LINE)
        rows = csv.reader((line.decode("utf-8-sig") for line in _lines(file)), strict=True)
        try:
            for fault in self._rows(rows):
                yield f"line {rows.line_num}: {fault}"
        except (ValueError, csv.Error) as error:
            yield f"line {rows.line_num + 1}: is no CSV in UTF-8: {error}"

    def _rows(self, rows: Any) -> Iterator[str]:
        columns = next(rows, ["id"])
        self._has_ids = "id" in columns
        for number, row in enumerate(rows, 1):
            self._records = number
            if len(row) != len(columns):
                yield f"{len(row)} cells under {len(columns)} headings"
            elif self._has_ids:
                yield from self._ids.add(row[columns.index("id")], rows.line_num)

    def _sums(self) -> Iterator[str]:
        items, certified = self._feed["items"], self._certificate["unique"]
        if self._records != items:
            yield f"{self._records:,} records, {items:,} certified"
        if not self._has_ids:
            return
        unique, digest = self._ids.count(), self._ids.digest()
        same_ids = digest == self._certificate["id_digest"]
        if self._partial and not same_ids:
            return
        if unique != certified:
            yield f"{unique:,} unique ids, {certified:,} certified"
        if not same_ids:
            yield f"its ids are not the certified ones: id_digest is {digest}"

    @property
    def _partial(self) -> bool:
        """Whether it may lack records: one of a batch of files, or one that failed."""
        formats = [feed["format"] for feed in self._certificate.feeds]
        batch = formats.count(self._feed["format"]) > 1
        return self._feed["items"] < self._certificate["unique"] and (
            batch or not self._certificate.complete
        )


class _Ids:
    """Ids and the lines they stand in, on SQLite's temporary disk."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE ids (id BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, record_id: Any, line: int) -> Iterator[str]:
        if not isinstance(record_id, str) or not record_id:
            yield "has no id"
            return
        key = record_id.encode("utf-8", "surrogatepass")
        try:
            self._db.execute("INSERT INTO ids VALUES (?, ?)", (key, line))
        except sqlite3.IntegrityError:
            (former,) = self._db.execute("SELECT line FROM ids WHERE id = ?", (key,)).fetchone()
            yield f"has the id of line {former}: {record_id}"

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM ids").fetchone()[0])

    def digest(self) -> str:
        digest = hashlib.sha256()
        separator = b""
        for (record_id,) in self._db.execute("SELECT id FROM ids ORDER BY id"):
            digest.update(separator + record_id)
            separator = b"\n"
        return digest.hexdigest()


class _Schema:
    """A kind's schema: one implementation is quick to say yes, the other words the no."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._accepts = jsonschema_rs.Draft7Validator(
            schema, validate_formats=True, offline=True
        ).is_valid

    def faults(self, row: dict[str, Any]) -> Iterator[str]:
        if self._accepts(row):
            return
        faults = _worded(self._schema, row)
        first = next(faults, "the schema refuses it")
        yield first
        yield from faults


def _schema_faults(row: dict[str, Any]) -> Iterator[str]:
    kind = row.get("kind")
    schema = _schemas().get(kind) if isinstance(kind, str) else None
    if schema is None:
        yield f"kind: there is no schema for {kind!r:.50}"
        return
    try:
        yield from schema.faults(row)
    except (ValueError, RecursionError) as error:
        yield f"cannot be held against its schema: {error}"


@cache
def _schemas() -> dict[str, _Schema]:
    found = {}
    for file in files("schemas").iterdir():
        if file.name.endswith(".schema.json"):
            schema = json.loads(file.read_text("utf-8"))
            kind = schema.get("properties", {}).get("kind", {}).get("const")
            if kind is not None:
                found[kind] = _Schema(schema)
    return found


def _worded(schema: dict[str, Any], instance: Any) -> Iterator[str]:
    """What is wrong with *instance*, each with the path to it."""
    draft = jsonschema.Draft7Validator
    for error in draft(schema, format_checker=draft.FORMAT_CHECKER).iter_errors(instance):
        message = error.message
        if len(message) > _MESSAGE_LENGTH:
            message = f"{message[:_MESSAGE_LENGTH]}…"
        path = ".".join(map(str, error.absolute_path))
        yield f"{path}: {message}" if path else message


def _first(most: int, findings: Iterator[str]) -> Iterator[str]:
    """The first *most* of *findings*, and how many come after them."""
    yield from islice(findings, most)
    if more := sum(1 for _ in findings):
        yield f"and {more:,} more such differences"


def _lines(file: BufferedReader) -> Iterator[bytes]:
    """Lines; what is too long for any record comes in pieces, so that it fits into memory."""
    while line := file.readline(_LONGEST_LINE):
        yield line


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_parse(line), dict)
    except (ValueError, RecursionError):
        return False


def _parse(text: bytes, **options: Any) -> Any:
    """JSON in UTF-8, and nothing that only Python takes for JSON; raises ValueError."""
    return json.loads(text.decode(), parse_constant=_no_constant, **options)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {doubled} twice")
    return members


def _local(uri: str) -> Path | None:
    """The file that *uri* is; None for what is no file, or can be none."""
    try:
        path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
        os.fsencode(path)
    except ValueError:
        return None
    if "\0" in path or "://" in path or path == "stdout:":
        return None
    return Path(path)


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _same(one: Path, other: Path) -> bool:
    # Path.resolve raises RuntimeError where links run in a circle.
    return os.path.realpath(one) == os.path.realpath(other)


def _number(count: int | None) -> str:
    return "no one knows how many" if count is None else f"{count:,}"

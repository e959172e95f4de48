"""Certificates, read strictly: finding them, and checking them for contradictions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mplus_crawler.errors import HarvestError, UsageError, counted
from mplus_crawler.verification.records import worded
from mplus_crawler.verification.seal import seal
from mplus_crawler.verification.strict_json import parse, without_doubles

CERTIFICATE = ".certificate.json"
_EXIT_CODES = {
    "complete": 0,
    "complete_with_drift": 0,
    "failed": 1,
    "incomplete": 10,
    "stopped": 11,
    "refused": 12,
    "contract_broken": 13,
    "undelivered": 14,
    "held_back": 15,
}
_COUNT = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_TEXT = {"type": "string"}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_COUNTS = {"type": "object", "additionalProperties": _COUNT}
_FORMER = {
    "required": ["run", "content_digest"],
    "properties": {"run": _TEXT, "content_digest": _SHA256},
}
_FILE = {
    "required": ["uri", "bytes", "sha256"],
    "properties": {"uri": _TEXT, "bytes": _COUNT, "sha256": _SHA256},
}
_CHANGES = {
    "required": ["file", "sha256"],
    "properties": {"file": _TEXT, "sha256": _SHA256},
}
_FEED = _object(uri=_TEXT, format=_TEXT, items=_COUNT)
_FEED["properties"] |= {"bytes": _COUNT, "sha256": _SHA256, "before": _COUNT}
_SHAPE = _object(
    spider={"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    source=_TEXT,
    api=_TEXT,
    run=_TEXT,
    verdict={"enum": list(_EXIT_CODES)},
    reason=_TEXT,
    exit_code={"type": "integer"},
    started_at={"type": "string", "format": "date-time"},
    finished_at={"type": "string", "format": "date-time"},
    duration_s=_COUNT,
    arguments={"type": "object", "additionalProperties": _TEXT},
    expected=_object(first=_COUNT_OR_NULL, last=_COUNT_OR_NULL),
    unique=_COUNT,
    duplicates=_COUNT,
    rejected=_COUNT,
    unreadable=_COUNT,
    absent=_COUNT,
    rejected_by=_COUNTS,
    pages=_object(expected=_COUNT_OR_NULL, fetched=_COUNT, replayed=_COUNT, failed=_COUNT),
    id_digest=_SHA256,
    content_digest=_SHA256,
    former={"type": ["object", "null"], **_FORMER},
    filled=_COUNTS,
    requests=_object(
        sent=_COUNT,
        by_status=_COUNTS,
        too_many=_COUNT,
        peak=_COUNTS,
    ),
    feeds={"type": "array", "items": _FEED},
    policy={"type": "object"},
    resume={"type": ["string", "null"]},
)
_SHAPE["properties"] |= {
    "problems": {"type": "object"},
    "unlisted": {"type": "array", "items": _TEXT},
    "changes": {"type": ["object", "null"], **_CHANGES},
    "rejects": {"type": ["object", "null"], **_FILE},
    "table_schemas": {"type": "array", "items": {"type": "object", **_FILE}},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A line about a file: a difference, or that it *agrees*."""

    file: Path
    text: str
    agrees: bool = False

    def __str__(self) -> str:
        line = f"{self.file}: {self.text}"
        return "".join(character if character.isprintable() else " " for character in line)


class Certificate:
    """A certificate as it was found; no field is trusted before it is checked."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self._found_seal = seal(document)

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Return the certificate in *path*; raises :class:`HarvestError` if it is not one."""
        try:
            document = parse(path.read_bytes(), object_pairs_hook=without_doubles)
            if not isinstance(document, dict):
                raise HarvestError(f"{path} is not a certificate: not a JSON object")
            return cls(path, document)
        except FileNotFoundError:
            raise UsageError(f"no such certificate: {path}") from None
        except OSError as error:
            raise HarvestError(f"{path} cannot be read: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise HarvestError(f"{path} is not a certificate: {error}") from None

    def __getitem__(self, name: str) -> Any:
        return self.document[name]

    @cached_property
    def faults(self) -> list[str]:
        """Fields that are missing or of a wrong type."""
        return list(worded(_SHAPE, self.document))

    @property
    def well_formed(self) -> bool:
        """Whether every field is present and of the right type."""
        return not self.faults

    @property
    def complete(self) -> bool:
        """Whether it claims that no record is missing."""
        return _EXIT_CODES[self["verdict"]] == 0

    @property
    def feeds(self) -> list[dict[str, Any]]:
        """The feeds it names, except entries that are not well formed."""
        return self._entries("feeds")

    def _entries(self, name: str) -> list[dict[str, Any]]:
        found = self.document.get(name)
        if not isinstance(found, list):
            return []
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("uri"), str)]

    @property
    def rejects(self) -> dict[str, Any] | None:
        """The rejected file it names, if it names one."""
        rejects = self.document.get("rejects")
        return rejects if isinstance(rejects, dict) and "uri" in rejects else None

    @property
    def table_schemas(self) -> list[dict[str, Any]]:
        """The Table Schemas of its CSV files; older certificates name none."""
        return self._entries("table_schemas")

    @property
    def named(self) -> int:
        """The number of records that the rejected file must name at least."""
        return int(self["rejected"] + self["unreadable"] + self["absent"])

    def entry(self, file: Path, sha256: str) -> dict[str, Any] | None:
        """Return the entry of a file with the name of *file* and that checksum."""
        for entry in (*self.feeds, *self.table_schemas, *filter(None, [self.rejects])):
            if entry.get("sha256") == sha256 and Path(str(entry["uri"])).name == file.name:
                return entry
        return None

    def place(self, feed: dict[str, Any]) -> Path | None:
        """Return the path of *feed*: as certified, or beside a certificate that was moved."""
        path = local(feed["uri"])
        if path is None or not path.name or exists(path):
            return path
        folders = self.path.absolute().parents[:2]  # of a certificate in runs/, the one above
        moved = (folder / path.name for folder in folders)
        return next(filter(exists, moved), path)

    def names(self, file: Path, *, beside: bool = False) -> dict[str, Any] | None:
        """Return the entry of *file*; with *beside*, compare only its name and folder."""
        beside = beside and same(self.path.parent, file.parent)
        for feed in (*self.feeds, *self.table_schemas):
            path = local(feed["uri"])
            if (path and same(path, file)) or (beside and name_of(feed) == file.name):
                return feed
        return None

    def feed_of(self, file: Path) -> dict[str, Any]:
        """Return the entry of *file*: by its path or name, or the only one."""
        feed = self.names(file) or self.names(file, beside=True)
        named = [one for one in (*self.feeds, *self.table_schemas) if name_of(one) == file.name]
        for only in (named, self.feeds):
            if feed is None and len(only) == 1:
                feed = only[0]
        if feed is None:
            raise UsageError(f"{self.path} does not name {file}")
        return feed

    def differences(self) -> Iterator[Finding]:
        """Check the certificate itself: seal, fields, contradictions."""
        if "seal" not in self.document:
            yield self._finding("has no seal: it may have been changed")
        elif self.document["seal"] != self._found_seal:
            yield self._finding("its seal is broken: it has been changed")
        for fault in self.faults:
            yield self._finding(fault)
        if self.well_formed:
            yield from map(self._finding, self._contradictions())

    def _contradictions(self) -> Iterator[str]:
        verdict, code = self["verdict"], self["exit_code"]
        if code != _EXIT_CODES[verdict]:
            yield f"exit_code is {code}, but the verdict {verdict} has {_EXIT_CODES[verdict]}"
        if not self.complete:
            return
        if problems := self.document.get("problems"):
            yield f"the verdict is {verdict} despite problems: {'; '.join(problems)}"
        if self["resume"] is not None:
            yield f"the verdict is {verdict}, but it names a command to resume"
        if self["unique"] and not self["feeds"]:
            yield f"{counted(self['unique'], 'record')}, but no feed"
        if verdict == "complete":
            yield from self._miscounts()
            yield from self._shares()

    def _miscounts(self) -> Iterator[str]:
        first, last = self["expected"]["first"], self["expected"]["last"]
        absent = ("absent",) if self["absent"] else ()
        parts = ("unique", "rejected", "unreadable", *absent)
        unlisted = len(self.document.get("unlisted", ()))
        accounted = sum(self[part] for part in parts) - unlisted
        sums = f"{' + '.join(parts)} are {accounted:,}"
        sums = f"{sums} without {unlisted} unlisted" if unlisted else sums
        if "limit" in self["arguments"]:
            if last is not None and accounted > last:
                yield f"complete, but {sums}, more than the {last:,} expected"
        elif last not in (accounted, accounted + self["duplicates"]):
            yield f"complete, but {sums}, and {number(last)} expected"
        elif first != last:
            yield f"complete, but {number(first)} were expected at first and {number(last)} at last"

    def _shares(self) -> Iterator[str]:
        """Check that the feeds of each format hold all records, each alone or all together."""
        unique = self["unique"]
        for form in sorted({feed["format"] for feed in self["feeds"]}):
            items = sum(feed["items"] for feed in self["feeds"] if feed["format"] == form)
            if unique and items % unique:
                records = counted(unique, "record")
                yield f"complete, but its {form} feeds hold {items:,} of {records}"

    def _finding(self, text: str) -> Finding:
        return Finding(self.path, text)


def local(uri: str) -> Path | None:
    """Return the path that *uri* names; None if it names no local file."""
    try:
        path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
        os.fsencode(path)
    except ValueError:
        return None
    if "\0" in path or "://" in path or path == "stdout:":
        return None
    return Path(path)


def name_of(entry: dict[str, Any]) -> str:
    """Return the file name of *entry*, which may be in S3."""
    path = local(entry["uri"])
    return path.name if path else str(entry["uri"]).rpartition("/")[2]


def exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def same(one: Path, other: Path) -> bool:
    # Path.resolve raises RuntimeError for circular links.
    return os.path.realpath(one) == os.path.realpath(other)


def number(count: int | None) -> str:
    """Return *count* as text."""
    return "an unknown number" if count is None else f"{count:,}"

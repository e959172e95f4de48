"""Certificates, read strictly: finding them, and checking them for contradictions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mplus_crawler.errors import HarvestError, UsageError
from mplus_crawler.verification.records import worded
from mplus_crawler.verification.seal import seal
from mplus_crawler.verification.strict_json import is_object, lines, parse, without_doubles

CERTIFICATE = ".certificate.json"
KEPT = f".complete{CERTIFICATE}"  # the snapshot's, after a later harvest that is not complete
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
_SHAPE["properties"] |= {"problems": {"type": "object"}, "absent": _COUNT}


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
        feeds = self.document.get("feeds")
        if not isinstance(feeds, list):
            return []
        return [
            feed for feed in feeds if isinstance(feed, dict) and isinstance(feed.get("uri"), str)
        ]

    def place(self, feed: dict[str, Any]) -> Path | None:
        """Return the path of *feed*: as certified, or beside a certificate that was moved."""
        path = _local(feed["uri"])
        if path is None or not path.name or _exists(path):
            return path
        beside = self.path.with_name(path.name)
        return beside if _exists(beside) else path

    def names(self, file: Path, *, beside: bool = False) -> dict[str, Any] | None:
        """Return the entry of *file*; with *beside*, compare only its name and folder."""
        beside = beside and _same(self.path.parent, file.parent)
        for feed in self.feeds:
            path = _local(feed["uri"])
            if path and (_same(path, file) or (beside and path.name == file.name)):
                return feed
        return None

    def feed_of(self, file: Path, *, alone: bool) -> dict[str, Any]:
        """Return the entry of *file*: by its path or name, or the only one if *alone*."""
        feed = self.names(file) or self.names(file, beside=True)
        if feed is None and alone and len(self.feeds) == 1:
            feed = self.feeds[0]
        if feed is None:
            raise UsageError(f"{self.path} does not name {file}")
        return feed

    def differences(self) -> Iterator[Finding]:
        """Check the certificate itself: seal, fields, contradictions, rejected file."""
        if "seal" not in self.document:
            yield self._finding("has no seal: it may have been changed")
        elif self.document["seal"] != self._found_seal:
            yield self._finding("its seal is broken: it has been changed")
        for fault in self.faults:
            yield self._finding(fault)
        if self.well_formed:
            yield from map(self._finding, self._contradictions())
            yield from self._rejected()

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
            yield f"{self['unique']:,} records, but no feed"
        if verdict == "complete":
            yield from self._miscounts()
            yield from self._shares()

    def _miscounts(self) -> Iterator[str]:
        first, last = self["expected"]["first"], self["expected"]["last"]
        absent = ("absent",) if self.document.get("absent") else ()
        parts = ("unique", "rejected", "unreadable", *absent)
        accounted = sum(self[part] for part in parts)
        sums = f"{' + '.join(parts)} are {accounted:,}"
        if "limit" in self["arguments"]:
            if last is not None and accounted > last:
                yield f"complete, but {sums}, more than the {last:,} expected"
        elif last not in (accounted, accounted + self["duplicates"]):
            yield f"complete, but {sums}, and {number(last)} expected"
        elif first != last:
            yield f"complete, but {number(first)} were expected at first and {number(last)} at last"

    def _shares(self) -> Iterator[str]:
        """Check that the feeds of each format hold all records, each of them or as a batch."""
        unique = self["unique"]
        for form in sorted({feed["format"] for feed in self["feeds"]}):
            items = sum(feed["items"] for feed in self["feeds"] if feed["format"] == form)
            if unique and items % unique:
                yield f"complete, but its {form} feeds hold {items:,} of {unique:,} records"

    def _rejected(self) -> Iterator[Finding]:
        """Compare the rejected file with the counts, unless it is a later harvest's."""
        named = self["rejected"] + self["unreadable"] + self.document.get("absent", 0)
        kept = self.path.name.endswith(KEPT) or "job" in self.document
        if not named or kept or self["verdict"] in ("undelivered", "failed"):
            return
        path = self.path.with_name(f"{self['spider']}.rejected.jsonl")
        try:
            with path.open("rb") as file:
                found = sum(map(is_object, lines(file)))
        except OSError as error:
            yield Finding(path, f"cannot be read: {error.strerror or error}")
            return
        if found < named:
            yield Finding(path, f"{found:,} records, {named:,} certified")

    def _finding(self, text: str) -> Finding:
        return Finding(self.path, text)


def find_certificate(file: Path, folder: Path) -> Certificate:
    """Return the certificate of *file*, beside it or in *folder*; raises :class:`HarvestError`.

    Of several that name its path, the latest with a checksum is used. If none does, the file
    may have been moved together with its certificate: then the name is enough.
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
    missing = "" if _exists(file) else "no such file, and "
    raise UsageError(f"{file}: {missing}no certificate found for it; pass one with --certificate")


def _read_all(paths: list[Path]) -> tuple[list[Certificate], dict[Path, HarvestError]]:
    certificates: list[Certificate] = []
    faults: dict[Path, HarvestError] = {}
    for path in paths:
        try:
            certificates.append(Certificate.read(path))
        except UsageError:
            continue
        except HarvestError as fault:
            faults[path] = fault
    return certificates, faults


def _rank(certificate: Certificate, feed: dict[str, Any]) -> tuple[bool, str]:
    return "sha256" in feed, str(certificate.document.get("finished_at"))


def _local(uri: str) -> Path | None:
    """Return the path that *uri* names; None if it names no local file."""
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
    # Path.resolve raises RuntimeError for circular links.
    return os.path.realpath(one) == os.path.realpath(other)


def number(count: int | None) -> str:
    """Return *count* as text."""
    return "an unknown number" if count is None else f"{count:,}"

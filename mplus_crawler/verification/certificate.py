"""A certificate, read strictly: where it is, what it names, and what it contradicts."""

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
KEPT = f".complete{CERTIFICATE}"  # the last complete harvest's, once a later one came to less
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be told of a file: a difference, unless it *agrees*."""

    file: Path
    text: str
    agrees: bool = False

    def __str__(self) -> str:
        line = f"{self.file}: {self.text}"
        return "".join(character if character.isprintable() else " " for character in line)


class Certificate:
    """A certificate as it was found; nothing in it is believed before it is checked."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self._found_seal = seal(document)

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """The certificate *path*; raises :class:`HarvestError` when it is none."""
        try:
            document = parse(path.read_bytes(), object_pairs_hook=without_doubles)
            if not isinstance(document, dict):
                raise HarvestError(f"{path} is no certificate: no JSON object")
            return cls(path, document)
        except FileNotFoundError:
            raise UsageError(f"there is no certificate {path}") from None
        except OSError as error:
            raise HarvestError(f"{path} cannot be read: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise HarvestError(f"{path} is no certificate: {error}") from None

    def __getitem__(self, name: str) -> Any:
        return self.document[name]

    @cached_property
    def faults(self) -> list[str]:
        """Fields that are missing or of a wrong type."""
        return list(worded(_SHAPE, self.document))

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
            raise UsageError(f"{self.path} says nothing of {file}")
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
            yield f"complete, but {sums}, and {number(last)} were expected"
        elif first != last:
            yield f"complete, but {number(first)} were expected first and {number(last)} at last"

    def _shares(self) -> Iterator[str]:
        """Feeds of one format hold all records, each or, as a batch, together."""
        unique = self["unique"]
        for form in sorted({feed["format"] for feed in self["feeds"]}):
            items = sum(feed["items"] for feed in self["feeds"] if feed["format"] == form)
            if unique and items % unique:
                yield f"complete, but its {form} feeds hold {items:,} records of {unique:,}"

    def _rejected(self) -> Iterator[Finding]:
        """The rejected file is the last harvest's: one kept, or a job's, may have none any more."""
        named = self["rejected"] + self["unreadable"]
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
    """The certificate that names *file*, beside it or in *folder*; raises :class:`HarvestError`.

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
    raise UsageError(f"{file}: {missing}no certificate names it; --certificate FILE does")


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


def number(count: int | None) -> str:
    """*count* as a person reads it."""
    return "no one knows how many" if count is None else f"{count:,}"

"""Change feeds: replayed from the first, and compared with the certificates of their runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_crawler.errors import HarvestError, UsageError, counted
from mplus_crawler.verification.certificate import CERTIFICATE, Certificate, Finding
from mplus_crawler.verification.records import worded
from mplus_crawler.verification.strict_json import lines, parse, without_doubles

CHANGES, RUNS = "changes", "runs"
_MOST = 20  # differences of a feed that are reported
_TEXT = {"type": "string", "minLength": 1}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_END: dict[str, Any] = {
    "type": "object",
    "required": ["run", "content_digest"],
    "properties": {"run": _TEXT, "content_digest": _SHA256},
}
_HEADER = {
    "type": "object",
    "required": ["feed", "spider", "from", "to", "between"],
    "properties": {
        "feed": {"const": 1},
        "spider": _TEXT,
        "from": {**_END, "type": ["object", "null"]},
        "to": _END,
        "between": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
    },
}
_SETS = ("Create", "Update", "Restore")
_REMOVES = ("Missing", "Delete", "Move")


@dataclass(frozen=True, slots=True)
class _Feed:
    """A feed with a valid header; *begins* and *ends* are the runs that it leads from and to."""

    path: Path
    header: dict[str, Any]
    sha256: str

    @property
    def begins(self) -> str | None:
        former = self.header["from"]
        return str(former["run"]) if former else None

    @property
    def ends(self) -> str:
        return str(self.header["to"]["run"])


def is_change_feed(file: Path) -> bool:
    """Whether *file* is where a ``HARVEST_DIR`` has change feeds."""
    return file.is_file() and file.absolute().parent.parent.name == CHANGES


def verify_changes(place: Path) -> Iterator[Finding]:
    """Check all change feeds in *place*, a ``HARVEST_DIR``, or the chain of one feed.

    Raises :class:`~mplus_crawler.errors.HarvestError` if there are none.
    """
    if is_change_feed(place):
        file = place.absolute()
        yield from _Chain(file.parents[2], file.parent.name).findings()
        return
    folder = place
    spiders = {path.parent.name for path in (folder / CHANGES).glob("*/[!.]*.jsonl")}
    spiders |= {
        path.name.removesuffix(CERTIFICATE)
        for path in folder.glob(f"*{CERTIFICATE}")
        if _names_feed(path)
    }
    if not spiders:
        raise UsageError(f"{folder} has no change feeds; name a feed or a certificate")
    for spider in sorted(spiders):
        yield from _Chain(folder, spider).findings()


def _names_feed(path: Path) -> bool:
    try:
        return bool(Certificate.read(path).document.get("changes"))
    except HarvestError:
        return False


class _Chain:
    """The feeds of one spider, and the certificates of their runs."""

    def __init__(self, folder: Path, spider: str) -> None:
        self._folder = folder
        self._spider = spider
        self._place = folder / CHANGES / spider
        self._feeds: dict[str, _Feed] = {}
        self._certificates: dict[str, Certificate] = {}
        self._snapshot: Certificate | None = None

    def findings(self) -> Iterator[Finding]:
        """Yield the differences, and a line about each feed that has none."""
        yield from self._read()
        yield from self._read_certificates()
        starts = [feed for feed in self._feeds.values() if feed.begins is None]
        reached: set[str] = set()
        for start in sorted(starts, key=lambda feed: feed.header["between"]):
            yield from self._replay(start, reached)
        for run, feed in sorted(self._feeds.items()):
            if run not in reached and feed.begins not in self._feeds:
                yield Finding(
                    feed.path, f"the feed before it, that of run {feed.begins}, is missing"
                )
            elif run not in reached:
                yield Finding(feed.path, "not replayed, since a feed before it is missing or wrong")
        yield from self._last()

    def _last(self) -> Iterator[Finding]:
        """Compare the end of the chain with the snapshot, which must have its feed."""
        if self._snapshot is None:
            return
        run = self._snapshot["run"]
        later = [feed for feed in self._feeds.values() if feed.begins == run]
        if run not in self._feeds:
            feed = self._snapshot["changes"].get("file")
            text = f"its change feed {feed} is missing or cannot be read"
            if staged := self._is_staged(run):
                text = f"its change feed {feed} is complete; the next harvest renames it"
            yield Finding(self._snapshot.path, text, agrees=staged)
        for feed in later:
            yield Finding(feed.path, f"is later than the snapshot, which is of run {run}")

    def _is_staged(self, run: str) -> bool:
        """Whether the harvest was killed during its renamings, of which the feed is the last."""
        assert self._snapshot is not None
        try:
            with (self._place / f".{run}.jsonl.harvest.part").open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return False
        return bool(sha256 == self._snapshot["changes"].get("sha256"))

    def _read(self) -> Iterator[Finding]:
        """Read the header of each feed."""
        begun: dict[str | None, Path] = {}
        for path in sorted(self._place.glob("[!.]*.jsonl")):
            try:
                with path.open("rb") as file:
                    header = parse(file.readline(), object_pairs_hook=without_doubles)
                    file.seek(0)
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            except (OSError, ValueError, RecursionError) as error:
                yield Finding(path, f"its header cannot be read: {error}")
                continue
            if faults := list(worded(_HEADER, header)):
                yield Finding(path, f"its header is wrong: {faults[0]}")
                continue
            feed = _Feed(path, header, sha256)
            if feed.ends != path.stem or header["spider"] != self._spider:
                of = f"the feed of {header['spider']}'s run {feed.ends} under another name"
                yield Finding(path, of)
                continue
            if feed.begins is not None and feed.begins in begun:
                other = begun[feed.begins].name
                yield Finding(path, f"begins at the run {feed.begins}, as does {other}")
                continue
            begun[feed.begins] = path
            self._feeds[feed.ends] = feed

    def _read_certificates(self) -> Iterator[Finding]:
        """Read the certificates of published runs, the snapshot's last."""
        paths = sorted((self._folder / RUNS).glob(f"*-{self._spider}-*{CERTIFICATE}"))
        snapshot = self._folder / f"{self._spider}{CERTIFICATE}"
        for path in [*paths, *([snapshot] if snapshot.exists() else [])]:
            try:
                found = Certificate.read(path)
            except HarvestError as error:
                yield Finding(path, str(error))
                continue
            if found.document.get("spider") != self._spider or not found.document.get("changes"):
                continue
            differences = list(found.differences())
            yield from differences
            if not differences:
                self._certificates[found["run"]] = found
                self._snapshot = found if path == snapshot else None

    def _replay(self, feed: _Feed, reached: set[str]) -> Iterator[Finding]:
        """Replay the chain that begins with *feed*, until it ends or a feed differs."""
        following = {each.begins: each for each in self._feeds.values() if each.begins}
        content: dict[str, str] = {}
        while True:
            reached.add(feed.ends)
            replayed = _Replay(feed.path, content)
            differences = list(replayed.differences())
            yield from (Finding(feed.path, text) for text in differences[:_MOST])
            found = list(self._ends(feed, _digest(content)))
            found += self._certified(feed, replayed.counts)
            yield from (Finding(feed.path, text) for text in found)
            if differences or found:
                return
            lines = counted(replayed.lines, "change leads", "changes lead")
            text = f"{lines} to {counted(len(content), 'record')}, as certified"
            yield Finding(feed.path, text, agrees=True)
            if feed.ends not in following:
                return
            before, feed = feed, following[feed.ends]
            if feed.header["from"]["content_digest"] != before.header["to"]["content_digest"]:
                yield Finding(feed.path, f"begins at another content than {before.path.name} has")

    def _ends(self, feed: _Feed, digest: str) -> Iterator[str]:
        stated = feed.header["to"]["content_digest"]
        if digest != stated:
            yield f"replay gives the content digest {digest}, its header has {stated}"

    def _certified(self, feed: _Feed, counts: dict[str, int]) -> Iterator[str]:
        """Compare *feed* with the certificate of its run; old ones are not kept."""
        if (certificate := self._certificates.get(feed.ends)) is None:
            return
        entry = certificate["changes"]
        if entry.get("sha256") != feed.sha256:
            yield f"sha256 is {feed.sha256}, {entry.get('sha256')} certified"
        if certificate["content_digest"] != feed.header["to"]["content_digest"]:
            yield f"does not lead to the content of {certificate.path.name}"
        if certificate.document.get("former") != feed.header["from"]:
            yield f"does not begin with the snapshot that {certificate.path.name} names"
        for name, count in counts.items():
            if entry.get(name.lower()) != count:
                lines = counted(count, "line is", "lines are")
                yield f"{lines} {name}, {entry.get(name.lower())} certified"


class _Replay:
    """Applies the lines of a feed to *content*, digests by id, and checks each of them."""

    def __init__(self, path: Path, content: dict[str, str]) -> None:
        self._path = path
        self._content = content
        self.lines = 0
        self.counts = dict.fromkeys((*_SETS, *_REMOVES), 0)

    def differences(self) -> Iterator[str]:
        """Apply all lines; yield their faults."""
        with self._path.open("rb") as file:
            file.readline()
            for number, line in enumerate(lines(file), 1):
                self.lines = number
                try:
                    change = parse(line, object_pairs_hook=without_doubles)
                    if change["seq"] != number:
                        yield f"line {number + 1} is number {change['seq']} of the changes"
                    if fault := self._apply(change):
                        yield f"line {number + 1}: {fault}"
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    yield f"line {number + 1} is not a change: {type(error).__name__} {error}"

    def _apply(self, change: dict[str, Any]) -> str:
        """Apply *change*; return its fault."""
        type_, id_ = change["type"], change["id"]
        self.counts[type_] += 1
        now = self._content.get(id_)
        if type_ in _SETS:
            self._content[id_] = change["after"]
            if (now is not None) != (type_ == "Update"):
                return f"{type_} of {id_}, which is {'there' if now else 'not there'}"
            return "" if change.get("before") == now else f"{id_} did not have the digest in before"
        if now is not None and change.get("before") != now:
            return f"{id_} did not have the digest in before"
        self._content.pop(id_, None)
        if type_ == "Move" and "after" in change:
            self._content[change["to"]] = change["after"]
        return ""


def _digest(content: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for id_ in sorted(content):
        digest.update(f"{id_}\t{content[id_]}\n".encode())
    return digest.hexdigest()

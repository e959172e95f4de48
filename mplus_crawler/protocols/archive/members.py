"""The files of one folder of a data set, links to them included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_crawler.protocols.archive.bounds import (
    DAMAGE,
    LARGEST_FILE,
    LARGEST_TOTAL,
    LONGEST_CHAIN,
    LONGEST_PATH,
    ArchiveError,
)
from mplus_crawler.protocols.archive.containers import ArchiveFile, entries


@dataclass(frozen=True, slots=True)
class Member:
    """A file by its name in the data set; *trouble* says why it has no *content*."""

    name: str
    content: bytes | None
    trouble: str = ""


def members(place: Path, folder: str, *, contents: bool = True) -> Iterator[Member]:
    """Yield the JSON files ``FOLDER/<thousand>/<id>.json`` of *place*, whatever their top folder.

    Links are followed inside *place*; one that leads nowhere has a *trouble*. Without *contents*,
    the files are not read. Raise :class:`ArchiveError` after the files that can be read.
    """
    finder = _Finder(folder, contents=contents)
    try:
        links: dict[str, str] = {}
        for entry in entries(place):
            if entry.target is not None:
                links[entry.path] = entry.target
            elif name := finder.name(entry.path):
                yield finder.member(name, entry)
        if links:
            yield from _linked(place, finder, links)
    except DAMAGE as error:
        raise ArchiveError(f"cannot be read to its end: {error}") from None


class _Finder:
    """Finds the files of *folder*, and reads them while their total size is within bounds."""

    def __init__(self, folder: str, *, contents: bool) -> None:
        top = rf"(?:.*/)?{re.escape(folder)}"
        # Hidden files are a Mac's notes on others.
        self._file = re.compile(rf"{top}(/[^/]+/[^/.][^/]*\.json)", re.DOTALL).fullmatch
        self._above = re.compile(rf"{top}(/[^/]+)?", re.DOTALL).fullmatch
        self._folder = folder
        self._contents = contents
        self._total = 0

    def name(self, path: str) -> str:
        """The name of the file at *path*; empty if it is not a file of the folder."""
        match = self._file(path)
        return f"{self._folder}{match[1]}" if match else ""

    def is_above(self, path: str) -> bool:
        """Whether files of the folder can be below *path*."""
        return self._above(path) is not None

    def member(self, name: str, entry: ArchiveFile) -> Member:
        """The file *name* with the content of *entry*."""
        if len(name) > LONGEST_PATH:
            short = f"{name[: LONGEST_PATH - 1]}…"
            return Member(short, None, f"has a path of more than {LONGEST_PATH} characters")
        if entry.trouble:
            return Member(name, None, entry.trouble)
        if entry.size > LARGEST_FILE:
            return Member(name, None, f"is too large to be a record: {entry.size:,} bytes")
        if not self._contents:
            return Member(name, None)
        try:
            content = entry.read(LARGEST_FILE + 1)
        except DAMAGE as error:
            if entry.stream or isinstance(error, ArchiveError):
                raise
            return Member(name, None, f"cannot be read: {error}")
        self._total += len(content)
        if self._total > LARGEST_TOTAL:
            raise ArchiveError(f"its files have more than {LARGEST_TOTAL:,} bytes")
        return Member(name, content)


def _linked(place: Path, finder: _Finder, links: Mapping[str, str]) -> Iterator[Member]:
    """Yield the files that *links* lead to; each link as a file, or as the folder of some."""
    targets: dict[str, list[str]] = {}
    for link in links:
        if finder.name(link) or finder.is_above(link):
            targets.setdefault(_end(link, links), []).append(link)
    open_links = {link for linked in targets.values() for link in linked}
    for entry in entries(place) if targets else ():
        for target in _upward(entry.path):
            for link in targets.get(target, ()):
                name = finder.name(link + entry.path[len(target) :])
                if name and entry.target is None:
                    open_links.discard(link)
                    yield finder.member(name, entry)
    for link in sorted(open_links):
        reason = f"is a link to {links[link]:.{LONGEST_PATH}}, which is not in the data set"
        if not finder.name(link):
            raise ArchiveError(f"its folder {link} {reason}")
        yield Member(finder.name(link), None, reason)


def _upward(path: str) -> Iterator[str]:
    """Yield *path* and the folders above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _end(link: str, links: Mapping[str, str]) -> str:
    """The path at which *link* ends, by way of other links; empty where they form a circle."""
    path = links[link]
    for _ in range(LONGEST_CHAIN):
        step = next((part for part in _upward(path) if part in links), None)
        if step is None:
            return path
        path = links[step] + path[len(step) :]
    return ""

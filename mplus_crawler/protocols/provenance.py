"""Where an archive comes from: what ``git archive`` writes into a tar or a zip about itself.

A tar has the commit in the comment of its global PAX header, a zip in the archive's comment; the
members of both have the time of the commit (git-archive(1), "Attributes" and "--mtime").
"""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from mplus_crawler.protocols.archive import DAMAGE, open_tar, open_zip

Origin = dict[str, str | None]

UNKNOWN: Origin = {"commit": None, "committed_at": None}

# SHA-1 or SHA-256, in hex.
_commit = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}").fullmatch


def origin_of(place: Path) -> Origin:
    """Return the commit, and its time in UTC, that the archive *place* was made of.

    Both are None for a folder, and for an archive that names no commit: its members then only have
    the times of the packed files. Only the head of the archive is read.
    """
    try:
        if place.is_dir():
            return UNKNOWN
        read = _in_zip if zipfile.is_zipfile(place) else _in_tar
        commit, moment = read(place)
    except DAMAGE:
        return UNKNOWN
    if not _commit(commit):
        return UNKNOWN
    return {"commit": commit, "committed_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None}


def _in_tar(place: Path) -> tuple[str, datetime | None]:
    with open_tar(place) as archive:
        first = archive.next()
        commit = archive.pax_headers.get("comment", "")
    return commit, datetime.fromtimestamp(first.mtime, UTC) if first else None


def _in_zip(place: Path) -> tuple[str, datetime | None]:
    with open_zip(place) as archive:
        commit = archive.comment.decode("ascii")
        first = next(iter(archive.infolist()), None)
    return commit, _extended_time(first.extra) if first else None


def _extended_time(extra: bytes) -> datetime | None:
    """Return the time of the field 0x5455; the usual one of a zip is local time without a zone."""
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x5455 and len(field) >= 5 and field[0] & 1:
            seconds = int.from_bytes(field[1:5], "little", signed=True)
            return datetime.fromtimestamp(seconds, UTC)
    return None

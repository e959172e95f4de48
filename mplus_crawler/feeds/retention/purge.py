"""Taking away what is past its date, and nothing else."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import orjson

from mplus_crawler.feeds.retention.contents import examine, is_json_lines, retrieved
from mplus_crawler.feeds.retention.holdings import Holding
from mplus_crawler.feeds.retention.register import Register


class NotPurgedError(Exception):
    """Content that is past its date and could not be taken away, and why."""


class NotOursError(Exception):
    """A file that has taken the place of ours; it is left alone."""


def purge(holding: Holding, at: datetime, register: Register, state: Path) -> str:
    """Take *holding*, which is past its date *at*, away; what is to be said of that.

    Raises :class:`NotPurgedError` and :class:`NotOursError`.
    """
    uri = holding.place.uri
    if holding.is_stream:
        register.strike(uri)
        return "cannot be reached: whoever took it must delete it; this is said once"
    if holding.fault:
        raise NotPurgedError(f"cannot be reached: {holding.fault}")
    try:
        with _unused(holding, state):
            said = _remove(holding, at)
    except OSError as error:
        raise NotPurgedError(f"cannot be removed: {error.strerror or error}") from None
    except NotOursError:
        register.strike(uri)
        raise
    register.strike(uri)
    return said


def _remove(holding: Holding, at: datetime) -> str:
    if holding.by_name or _as_written(holding):
        return _removed(holding)
    with holding.place.open() as file:
        contents = examine(file, holding.term)
    if contents.ours and not contents.others:
        return _removed(holding)
    if contents.ours:
        return _weeded(holding, at)
    if contents.others:
        raise NotOursError("holds nothing of the museum's any more: left alone")
    raise NotPurgedError(
        "is not as it was written, and does not tell whose it is: look at it, delete it if it is "
        "the museum's, and let go of it with --forget"
    )


def _removed(holding: Holding) -> str:
    said = holding.place.remove()
    return f"removed; {said}" if said else "removed"


def _weeded(holding: Holding, at: datetime) -> str:
    """Take the museum's rows out of a file that holds others as well."""
    with holding.place.open() as file:
        if not is_json_lines(file):
            raise NotPurgedError(
                "also holds other museums' records and is not JSON Lines: edit it by hand"
            )
        file.seek(0)
        kept = b"".join(line for line in file if not _past(line, holding, at))
    holding.place.write(kept)
    return "the museum's records are taken out; those of others stay"


def _past(line: bytes, holding: Holding, at: datetime) -> bool:
    try:
        since = retrieved(orjson.loads(line), holding.term)
    except (ValueError, AttributeError):
        return False
    return since is not None and since + holding.term.keep <= at


def _as_written(holding: Holding) -> bool:
    if holding.entry is None or not holding.entry.sha256:
        return False
    with holding.place.open() as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == holding.entry.sha256


@contextmanager
def _unused(holding: Holding, state: Path) -> Iterator[None]:
    """Nobody harvests with it; raises :class:`NotPurgedError` where somebody does."""
    if not holding.harvest:
        yield
        return
    path = state / f"{holding.harvest}.lock"
    if not path.exists():
        yield
        return
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with suppress(OSError):
                raise NotPurgedError(f"a harvest is at work with it: {path.read_text()}") from None
            raise
        yield

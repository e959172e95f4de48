"""Deletes overdue content, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mplus_crawler.feeds.retention.contents import examine
from mplus_crawler.feeds.retention.holdings import Holding
from mplus_crawler.feeds.retention.register import STREAM, Register
from mplus_crawler.storage.destination import Destination, locate
from mplus_crawler.storage.locks import try_lock


class NotPurgedError(Exception):
    """Overdue content that could not be deleted; the message says why."""


class NotOursError(Exception):
    """A file in a registered place that no harvest wrote; it is left alone."""


def purge(holding: Holding, register: Register, state: Path) -> str:
    """Delete *holding*, and return the message to report.

    Raises :class:`NotPurgedError` and :class:`NotOursError`.
    """
    if holding.uri.startswith(STREAM):
        register.strike(holding.uri)
        return "went to standard output: delete any copies; this is reported once"
    if holding.fault:
        raise NotPurgedError(f"cannot be reached: {holding.fault}")
    try:
        with _unused(holding, state):
            place, name = locate(holding.uri, state)
            _check(holding, place, name)
            place.remove(name)
            versions = place.keeps_versions()
    except OSError as error:
        raise NotPurgedError(f"cannot be removed: {error.strerror or error}") from None
    except NotOursError:
        register.strike(holding.uri)
        raise
    register.strike(holding.uri)
    return "removed; its bucket keeps old versions: delete them there" if versions else "removed"


def _check(holding: Holding, place: Destination, name: str) -> None:
    """Return if all content of the file is the museum's, else raise."""
    if holding.by_name or _as_written(holding, place, name):
        return
    with place.open(name) as file:
        contents = examine(file, holding.term)
    if contents.ours and contents.others:
        raise NotPurgedError("also contains other museums' records: remove this museum's from it")
    if contents.others:
        raise NotOursError("no longer has content of the museum: left alone")
    if not contents.ours:
        raise NotPurgedError(
            "was changed, and its rows do not name their museum: delete or move it"
        )


def _as_written(holding: Holding, place: Destination, name: str) -> bool:
    if holding.entry is None or not holding.entry.sha256:
        return False
    with place.open(name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == holding.entry.sha256


@contextmanager
def _unused(holding: Holding, state: Path) -> Iterator[None]:
    """Hold the lock of its harvest; raise :class:`NotPurgedError` if one is running."""
    path = state / holding.lock if holding.lock.endswith(".lock") else Path(holding.uri)
    if not holding.lock or not path.exists():
        yield
        return
    with path.open("ab") as lock:
        if try_lock(lock) is False:
            raise NotPurgedError("a harvest is using it; wait until it has ended")
        yield

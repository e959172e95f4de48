"""Publishing several files together, even if the process is killed.

The renamings are first written to an *intent file*; the next command for the same folder completes
those of a killed one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mplus_crawler.storage.destination import locate
from mplus_crawler.storage.folders import in_s3
from mplus_crawler.storage.staging import StagedFile, claim, release, write_whole

logger = logging.getLogger(__name__)

ENDING = ".publication"
Naming = Callable[[StagedFile, Path], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """A whole file and the *target* that it will be."""

    file: StagedFile
    target: Path


class Transaction:
    """The publication of one spider's files; *state* keeps its intent, *lock* is its lock."""

    def __init__(self, state: Path, spider: str, lock: Path) -> None:
        self._path = state / f"{spider}{ENDING}"
        self._lock = lock

    def commit(self, steps: Sequence[Step], remove: Sequence[str], naming: Naming) -> None:
        """Name the files of *steps* in order, then remove the files *remove*.

        *naming* is a context around each. Raises OSError at the first that cannot be named.
        """
        files = [
            {
                "part": absolute(step.file.uri(step.file.part)),
                "target": _real(step.file.uri(step.target)),
                "sha256": step.file.sha256,
            }
            for step in steps
        ]
        removed = [absolute(uri) for uri in remove]
        intent = {"lock": str(self._lock.absolute()), "files": files, "remove": removed}
        write_whole(self._path, orjson.dumps(intent))
        try:
            for step in steps:
                with naming(step.file, step.target):
                    step.file.publish(step.target)
            _remove(removed, self._path.parent)
        finally:
            self._path.unlink(missing_ok=True)


def roll_forward(state: Path) -> None:
    """Complete the publications that killed processes have begun; *state* has their intents."""
    for path in state.glob(f"*{ENDING}"):
        try:
            intent = orjson.loads(path.read_bytes())
            lock = Path(intent["lock"])
            free = claim(lock)
        except BlockingIOError:
            continue  # that process is publishing now
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the publication %s cannot be completed: %s", path, error)
            continue
        try:
            _complete(intent, state)
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the publication %s cannot be completed: %s", path, error)
        finally:
            if free:
                release(lock)


def _complete(intent: dict[str, Any], state: Path) -> None:
    left = [file for file in intent["files"] if not _is(file["target"], file["sha256"], state)]
    if not all(_is(file["part"], file["sha256"], state) for file in left):
        return  # it was cleared away; every published file still has its certificate in runs/
    for file in left:
        place, target = locate(file["target"], state)
        place.rename(file["part"].rpartition("/")[2], target)
    _remove(intent["remove"], state)


def _is(uri: str, sha256: str, state: Path) -> bool:
    """Whether the file *uri* has that checksum; a hidden object was checked when it was put."""
    place, name = locate(uri, state)
    if in_s3(uri) and name.startswith("."):
        return place.look(name) is not None
    try:
        with place.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _remove(uris: Sequence[str], state: Path) -> None:
    for uri in uris:
        with suppress(OSError):
            place, name = locate(uri, state)
            place.remove(name)


def absolute(uri: str) -> str:
    """Return *uri*; a path becomes absolute."""
    return uri if in_s3(uri) else str(Path(uri).absolute())


def _real(uri: str) -> str:
    """Return *uri*; a path is that of the file to which links lead."""
    return uri if in_s3(uri) else str(Path(uri).resolve())

"""Files that stand beside their target until they are whole."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_HOST = platform.node()


class StagedFile(io.BufferedIOBase):
    """A file to be: ``.{name}.{harvest}.part`` beside *target*, until :meth:`publish` names it.

    It begins with the first *former* bytes of what *target* holds already. A write that fails
    is told to *failed* once; what is written after it goes nowhere, and nothing is published.
    :attr:`place` says where its content is now, :attr:`remote` whether that will be elsewhere.
    """

    remote = False

    def __init__(
        self, target: Path, failed: Callable[[OSError], None], harvest: str = "", former: int = 0
    ) -> None:
        self.target = target
        self._harvest = harvest
        self.part = target.with_name(".".join(["", target.name, *filter(None, [harvest]), "part"]))
        self.place = str(self.part)
        self.former = former
        self.bytes = 0
        self.whole = False
        self._failed = failed
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.part.open("wb", buffering=1 << 18)
        except OSError as error:
            failed(error)
        if former:
            self._copy(target, former)

    @property
    def sha256(self) -> str:
        """Checksum of all that was written."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """As io asks."""
        return True

    def write(self, data: Buffer) -> int:
        """Write *data*, unless writing has failed already."""
        size = memoryview(data).nbytes
        if self._file is not None:
            try:
                self._file.write(data)
                self._digest.update(data)
                self.bytes += size
            except OSError as error:
                self._give_up(error)
        return size

    def finish(self) -> None:
        """Put everything on the disk; afterwards the file is :attr:`whole`, if it could be."""
        if self.whole or self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.whole = True
        except OSError as error:
            self._give_up(error)

    def rewrite(self, change: Callable[[IO[bytes], int], Iterable[bytes]]) -> None:
        """Put what *change* makes of the file's content after *former* in its place.

        The pieces of *change*, which is given the file and *former*, go to a second file one by
        one. Raises what *change* raises, and leaves the file as it is then.
        """
        target = self.target.with_name(f"{self.target.name}.rewrite")
        second = StagedFile(target, self._failed, self._harvest)
        try:
            second._copy(self.part, self.former)
            with self.part.open("rb") as content:
                for piece in change(content, self.former):
                    second.write(piece)
            second.finish()
            if second.whole:
                second.part.replace(self.part)
        finally:
            second.discard()
        self.whole, self.bytes, self._digest = second.whole, second.bytes, second._digest

    def uri(self, target: Path) -> str:
        """Where *target* is, once it is published."""
        return str(target)

    def remove(self, target: Path) -> None:
        """Remove what a former harvest left under that name."""
        target.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Bring the content to where it wants nothing but its name; raises OSError."""

    def publish(self, target: Path) -> None:
        """Give the file its name; raises OSError when that cannot be."""
        self.part.replace(target)
        self.place = str(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def discard(self) -> None:
        """Let go of the file, and of what was written."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
            self.part.unlink(missing_ok=True)

    def _copy(self, source: Path, length: int) -> None:
        with open(source, "rb") as former:
            while length > 0 and (block := former.read(min(length, 1 << 20))):
                self.write(block)
                length -= len(block)

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        self._failed(error)
        with suppress(OSError):
            # The ledger has the answers; half a file only fills a disk that is full already.
            self.part.unlink(missing_ok=True)
            if file is not None:
                file.close()


def write_whole(target: Path, content: bytes) -> None:
    """Write *content* to *target*, wholly or not at all; raises OSError.

    Processes that write the same file at the same time do not get into each other's way.
    """
    errors: list[OSError] = []
    file = StagedFile(target, errors.append, f"{_HOST}-{os.getpid()}")
    file.write(content)
    file.finish()
    if errors:
        raise errors[0]
    file.publish(target)


def sweep(folder: Path) -> None:
    """Remove what :func:`write_whole` has left right in *folder*, in processes that were killed.

    Those of other computers are left alone: nobody can tell from here whether they still run.
    """
    for part in folder.glob(f".*.{glob.escape(_HOST)}-*.part"):
        with suppress(OSError, ValueError):
            if not _runs(int(part.name.rpartition("-")[2].removesuffix(".part"))):
                part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

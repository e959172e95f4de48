"""Files that are hidden beside their target until they are whole.

A staged file is locked by its process, so that two never write the same target, and a later
run can tell what killed ones have left.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import platform
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from mplus_crawler.storage.locks import sync_folder, try_lock

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Bytes. Python's default of 8 KiB takes five times the CPU, since feeds have long lines.
BUFFER = 1 << 18

_HOST = platform.node()
_DAY = 86_400  # seconds
_SCRATCH = "-scratch.part"
_TRIES, _PAUSE = 5, 0.05  # seconds; a sweep holds a lock for less

# By hidden file, the descriptor that holds this process's lock of it.
_claims: dict[Path, int] = {}


def hidden(target: Path, tag: str = "") -> Path:
    """The path of *target*, or of the file it links to, until it is whole."""
    real = target.resolve()
    return real.with_name(f".{real.name}.harvest{tag}.part")


def beside(target: Path, state: str) -> Path:
    """The name beside *target* for records in another *state*, such as ``incomplete``."""
    return target.with_name(f"{target.stem}.{state}{target.suffix}")


def claim(part: Path) -> bool:
    """Reserve the hidden file *part* for this process until :func:`release`.

    Return whether it was free: False if this process has it already. Raises BlockingIOError if
    another process has it, and OSError.
    """
    if part in _claims:
        return False
    part.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        # It may have been swept away between opening and locking.
        if try_lock(descriptor) is not False and _is_named(descriptor, part):
            _claims[part] = descriptor
            return True
        os.close(descriptor)
        time.sleep(_PAUSE)
    raise BlockingIOError(errno.EAGAIN, "another process is writing it")


def release(part: Path) -> None:
    """Release *part*, and remove it if it is still there."""
    descriptor = _claims.pop(part, None)
    if descriptor is not None:
        with suppress(OSError):
            if _is_named(descriptor, part):
                part.unlink()
        os.close(descriptor)


class StagedFile(io.BufferedIOBase):
    """A future file: hidden beside *target* until :meth:`publish` gives it its name.

    It begins with the first *former* bytes of what *target* holds already. The first write that
    fails is reported to *failed*; what is written after it is dropped, and nothing is published.
    :attr:`place` says where it is once it is published, :attr:`remote` whether that is on another
    machine. A published file has mode and owner of the one that it replaces, unless it is
    :attr:`private`. An :attr:`is_draft` is written anew before it is published, so until then it
    has no checksum, and need not be on the disk.
    """

    remote = False
    private = False
    is_draft = False

    def __init__(
        self, target: Path, failed: Callable[[OSError], None], former: int = 0, tag: str = ""
    ) -> None:
        self.target = target
        self.part = hidden(target, tag)
        self.place = ""
        self.former = former
        self.bytes = 0
        self.whole = False
        self._failed = failed
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        try:
            claim(self.part)
            self._file = self.part.open("wb", BUFFER)
        except OSError as error:
            failed(error)
        if former:
            self._copy(target, former)

    @property
    def sha256(self) -> str:
        """Checksum of all that was written."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """True, as :mod:`io` expects."""
        return True

    def write(self, data: Buffer) -> int:
        """Write *data*, unless writing has failed already."""
        size = memoryview(data).nbytes
        if self._file is not None:
            try:
                self._file.write(data)
                if not self.is_draft:
                    self._digest.update(data)
                self.bytes += size
            except OSError as error:
                self._give_up(error)
        return size

    def finish(self) -> None:
        """Close the file, which is then :attr:`whole`; unless it is a draft, it is on the disk."""
        if self.whole or self._file is None:
            return
        try:
            self._file.flush()
            if not self.is_draft:
                os.fsync(self._file.fileno())
            self._file.close()
            self.whole = True
        except OSError as error:
            self._give_up(error)

    def rewrite(self, change: Callable[[IO[bytes], int], Iterable[bytes]]) -> None:
        """Replace the content after the first *former* bytes by what *change* yields.

        *change* is called with the file and *former*; its pieces are written to a second file one
        by one. If *change* raises an exception, the file stays as it is.
        """
        second = StagedFile(self.target, self._failed, tag="-rewrite")
        try:
            second._copy(self.part, self.former)
            with self.part.open("rb", BUFFER) as content:
                for piece in change(content, self.former):
                    second.write(piece)
            second.finish()
            if second.whole:
                second.part.replace(self.part)
                os.close(_claims.pop(self.part))
                _claims[self.part] = _claims.pop(second.part)
        finally:
            second.discard()
        self.whole, self.bytes, self._digest = second.whole, second.bytes, second._digest

    def uri(self, target: Path) -> str:
        """Where *target* is, once it is published."""
        return str(target)

    def prepare(self) -> None:
        """Prepare the content, so that only its name is missing; raises OSError."""

    def publish(self, target: Path) -> None:
        """Give the file the name *target*, or that of the file it links to; raises OSError."""
        self._rename(target)
        self.place = str(target)
        beside(self.target, "undelivered").unlink(missing_ok=True)

    def keep(self) -> None:
        """Keep undelivered content on this machine, under a visible name; raises OSError."""
        kept = beside(self.target, "undelivered")
        self._rename(kept)
        self.place = str(kept)

    def discard(self) -> None:
        """Release the file, and delete what was written."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        release(self.part)

    def _rename(self, target: Path) -> None:
        real = target.resolve()
        with suppress(FileNotFoundError):
            self._resemble(real.stat())
        try:
            self.part.replace(real)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy = hidden(real, "-copy")
            shutil.copy2(self.part, copy)
            copy.replace(real)
        sync_folder(real.parent)

    def _resemble(self, former: os.stat_result) -> None:
        """Take over owner and mode of the *former* file where this user is allowed to."""
        if self.private:
            return
        now = self.part.stat()
        for owner in ((former.st_uid, former.st_gid), (-1, former.st_gid)):
            if (now.st_uid, now.st_gid) == (former.st_uid, former.st_gid):
                break
            with suppress(OSError):
                os.chown(self.part, *owner)
                break
        with suppress(OSError):
            self.part.chmod(stat.S_IMODE(former.st_mode))

    def _copy(self, source: Path, length: int) -> None:
        with open(source, "rb") as former:
            while length > 0 and (block := former.read(min(length, 1 << 20))):
                self.write(block)
                length -= len(block)

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        self._failed(error)
        with suppress(OSError):
            # The ledger has the responses; half a file only fills a disk that is full already.
            self.part.unlink(missing_ok=True)
            if file is not None:
                file.close()


def write_whole(target: Path, content: bytes) -> None:
    """Write *content* to *target*, wholly or not at all; raises OSError.

    Processes may write the same file at the same time; the last one's content stays.
    """
    errors: list[OSError] = []
    file = StagedFile(target, errors.append, tag=f"-{_HOST}-{os.getpid()}")
    file.private = True  # a file of our own: the process decides who may read it
    file.write(content)
    file.finish()
    try:
        if errors:
            raise errors[0]
        file.publish(target)
    finally:
        file.discard()


@contextmanager
def scratch_folder(part: Path) -> Iterator[Path]:
    """Yield an empty folder beside the hidden file *part*, which this process has claimed.

    It is for files that a library needs while it writes, and is removed at the end. Raises
    OSError.
    """
    folder = part.with_name(part.name.removesuffix(".part") + _SCRATCH)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove hidden files and scratch folders that killed processes have left in *folder*."""
    for part in folder.glob(".*.harvest*.part"):
        with suppress(OSError):
            if part not in _claims and part.is_file() and not part.is_symlink():
                _remove_if_free(part)
    for scratch in folder.glob(f".*.harvest{_SCRATCH}"):
        owner = scratch.with_name(scratch.name.removesuffix(_SCRATCH) + ".part")
        if scratch.is_dir() and not owner.exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_if_free(part: Path) -> None:
    with part.open("rb+") as file:
        locked = try_lock(file)
        # Where there are no locks, nothing is written for a day.
        old = time.time() - part.stat().st_mtime > _DAY
        if locked or (locked is None and old):
            part.unlink()


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether *path* names the open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False

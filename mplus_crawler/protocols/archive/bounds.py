"""The limits of archives, and a file that keeps them.

M+'s data set has 16,800 files of at most 10 kB, 45 MB in all.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from typing import BinaryIO

# Bytes of a record, and of all of them together.
LARGEST_FILE = 1024**2
LARGEST_TOTAL = 512 * 1024**2
# Bytes of an unpacked tar.
LARGEST_TAR = 1024**3
# Bytes of the data set's own list of ids.
LARGEST_INDEX = 64 * 1024**2
# Files and folders, and the length of a file's path in characters.
MOST_ENTRIES = 250_000
LONGEST_PATH = 255
# Links that lead to one another.
LONGEST_CHAIN = 40
# Bytes that an archive's own structures may have at once: a PAX header, the directory of a zip.
_LARGEST_READ = 16 * 1024**2


class ArchiveError(Exception):
    """An archive that cannot be read, or not to its end."""


# What the standard library raises for damaged archives; RuntimeError is for passwords.
DAMAGE = (
    *(ArchiveError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)


class BoundedFile(io.RawIOBase):
    """*file* for tarfile and zipfile, which read as many bytes as the archive tells them to.

    Raise :class:`ArchiveError` for a read of more than 16 MiB, and beyond *size* bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self._file = file
        self._size = size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return at most *size* bytes."""
        if size is None or size < 0 or size > _LARGEST_READ:
            raise ArchiveError(f"a header claims more than {_LARGEST_READ:,} bytes")
        data = self._file.read(size)
        if self._file.tell() > self._size:
            raise ArchiveError(f"has more than {self._size:,} bytes unpacked")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to *offset*, which must be within the limit."""
        if whence == io.SEEK_SET and offset > self._size:
            raise ArchiveError(f"has more than {self._size:,} bytes unpacked")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

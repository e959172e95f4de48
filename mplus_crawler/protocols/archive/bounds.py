"""The limits of archives, and a file that keeps them.

M+'s data set has 16,800 files of at most 10 kB, 45 MB in all.
"""

from __future__ import annotations

import io
import lzma
import re
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
MOST_ENTRIES = 50_000
LONGEST_PATH = 255
# Links that lead to one another.
LONGEST_CHAIN = 40
# Bytes of a tar's extended header (PAX, GNU), and digits in a row: tarfile takes quadratic time
# for both. Bytes of a zip's directory.
LARGEST_HEADER = 8 * 1024
LARGEST_DIRECTORY = 16 * 1024**2
_many_digits = re.compile(rb"\d{65}").search


class ArchiveError(Exception):
    """An archive that cannot be read, or not to its end."""


# What the standard library raises for damaged archives; RuntimeError is for passwords.
DAMAGE = (
    *(ArchiveError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)


class BoundedFile(io.RawIOBase):
    """*file*, for tarfile and zipfile, which read as many bytes as the archive claims to have.

    Raise :class:`ArchiveError` for a read of more than *largest* bytes, and beyond *size* bytes.
    While :attr:`tar_header` is true, what is read is a header of a tar.
    """

    def __init__(self, file: BinaryIO, size: int, largest: int) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._largest = largest
        self.tar_header = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return at most *size* bytes."""
        largest = LARGEST_HEADER if self.tar_header else self._largest
        if size is None or size < 0:
            size = largest
        if size > largest:
            raise ArchiveError(f"a header claims more than {largest:,} bytes")
        data = self._file.read(size)
        if self.tar_header and _many_digits(data):
            raise ArchiveError("a header has a number of more than 64 digits")
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

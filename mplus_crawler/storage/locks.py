"""Locks between processes, on file systems that have them and on those that have none."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from functools import cache
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

# What NFS without its lock daemon and some FUSE file systems return.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
# What CIFS and some FUSE file systems return for a folder; folders may be unreadable, too.
_NO_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES)


def try_lock(file: IO[str] | IO[bytes] | int, *, wait: bool = False) -> bool | None:
    """Whether this process now has the lock of *file*; ``None`` where there are no locks.

    Raises OSError.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _report("a file system has no locks: do not run two harvests with the same files")
        return None
    return True


def sync_folder(folder: Path) -> None:
    """Sync the names in *folder* to disk, if the file system can; raises OSError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        _report("a file system cannot sync folders: a power failure may undo the last renames")


@cache
def _report(message: str) -> None:
    """Log *message* once."""
    logger.warning("%s", message)

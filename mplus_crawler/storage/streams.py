"""Standard streams that are closed, full, or have lost their reader."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from mplus_crawler.errors import DeliveryError

_lost: list[str] = []  # why standard output was lost


def prepare_streams() -> None:
    """Make the standard streams safe to use: open, and able to write any character.

    The number of a closed stream would go to the next file that is opened, and whatever is
    printed would be written into that file.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def output_is_closed() -> bool:
    """Return whether standard output was closed when the process started."""
    return sys.__stdout__ is None


@contextmanager
def writing_output(*, flush: bool = True) -> Iterator[None]:
    """Raise :class:`DeliveryError` if standard output cannot be written inside the block.

    Once lost, standard output stays lost for the whole process.
    """
    if _lost:
        raise DeliveryError(_lost[0])
    try:
        yield
        if flush:
            sys.stdout.flush()
    except OSError as error:
        raise output_lost(error) from None


def output_lost(error: OSError) -> DeliveryError:
    """Return the exception to raise after *error*; later output is dropped."""
    discard(sys.stdout)
    _lost.append(f"standard output cannot be written ({error.strerror})")
    return DeliveryError(_lost[0])


def write_output(data: bytes, *, flush: bool) -> None:
    """Write *data* to standard output; raises :class:`DeliveryError`."""
    with writing_output(flush=flush):
        sys.stdout.buffer.write(data)


def flush_errors() -> None:
    """Write what standard error still buffers; drop it where that is impossible."""
    try:
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Drop what *stream* buffers, and all that is written to it from now on.

    Otherwise the interpreter tries to write the rest when it ends, and fails again.
    """
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()

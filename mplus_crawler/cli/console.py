"""What commands print: results on standard output, errors and summaries on standard error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from textwrap import wrap
from types import TracebackType
from typing import TextIO

from mplus_crawler.errors import ExitCode, HarvestError, StoppedError
from mplus_crawler.storage.streams import flush_errors, output_lost, writing_output

_OUTPUT_LOST = (errno.EPIPE, errno.ENOSPC, errno.EIO)
_NARROW = 20  # columns that wrapped text takes at least


def run_command(command: Callable[[], int]) -> int:
    """Run *command* and return its exit code; report a :class:`HarvestError` in one line."""
    try:
        code = command()
        with writing_output():
            pass
    except HarvestError as error:
        return report(error)
    else:
        return code
    finally:
        flush_errors()


def report(error: HarvestError) -> ExitCode:
    """Print *error* on standard error and return its exit code."""
    print_error(f"error: {error}")
    return error.exit_code


def report_uncaught() -> None:
    """Report in one line an error of one of Scrapy's commands, or of ours before it runs."""

    def end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            error = StoppedError("interrupted before the first request")
        elif isinstance(error, OSError) and error.errno in _OUTPUT_LOST and not error.filename:
            error = output_lost(error)
        if isinstance(error, HarvestError):
            sys.exit(report(error))
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = end


def print_line(text: str) -> None:
    """Print *text* on standard output; raises :class:`~mplus_crawler.errors.DeliveryError`."""
    with writing_output():
        print(text, flush=True)


def print_error(text: str) -> None:
    """Print *text* on standard error. Where that is full or gone, the text is lost."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class TextTable:
    """A table of text: columns of *words*, then of *numbers*, then the *last*, which may wrap."""

    def __init__(self, words: Sequence[str], numbers: Sequence[str], last: str = "") -> None:
        self._rows = [(*words, *numbers, last)]
        self._first_number, self._last = len(words), len(words) + len(numbers)

    def add_row(self, *cells: str) -> None:
        """Add a row; *cells* are in the order of the columns."""
        self._rows.append(cells)

    def text(self, width: int | None) -> str:
        """Return the table in *width* columns; ``None``: each row is one line."""
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=False)][: self._last]
        lines = []
        for row in self._rows:
            head = ""
            for number, (cell, length) in enumerate(zip(row, widths, strict=False)):
                align = str.ljust if number < self._first_number else str.rjust
                head += align(cell, length) + "  "
            lines.append(hanging(head, "".join(row[self._last :]), width))
        return "\n".join(lines)


def hanging(head: str, text: str, width: int | None) -> str:
    """Return *head* and *text*, which is wrapped beside it if a line has more than *width*."""
    lines = [text]
    if width:
        lines = wrap(text, max(width - len(head), _NARROW), break_on_hyphens=False)
    return (head + f"\n{' ' * len(head)}".join(lines)).rstrip()


def columns_of(stream: TextIO) -> int | None:
    """Return the columns of a terminal; ``None`` for a file or a pipe."""
    return get_terminal_size().columns if stream.isatty() else None


def print_table(table: TextTable, *, to_error: bool = False) -> None:
    """Print *table* for the width of the stream."""
    text = table.text(columns_of(sys.stderr if to_error else sys.stdout))
    (print_error if to_error else print_line)(text)

"""What commands print: results on standard output, errors and summaries on standard error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from mplus_crawler.errors import ExitCode, HarvestError, StoppedError
from mplus_crawler.storage.streams import flush_errors, output_lost, writing_output

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_OUTPUT_LOST = (errno.EPIPE, errno.ENOSPC, errno.EIO)
_UNLIMITED = 10_000  # columns of a file or a pipe: one row is one line


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


def make_table(words: Sequence[str], numbers: Sequence[str], last: str = "") -> Table:
    """Return an empty table: *words* are its left-aligned columns, then *numbers*, then *last*."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    if last:
        table.add_column(last)
    return table


def print_table(table: RenderableType, *, to_error: bool = False) -> None:
    """Print *table*; plain text without colour where the stream is not a terminal."""
    text = render(table, sys.stderr if to_error else sys.stdout)
    (print_error if to_error else print_line)(text)


def terminal(file: TextIO, stream: TextIO) -> Console:
    """Return a console that writes to *file* in the style of *stream*, without Rich's markup."""
    from rich.console import Console

    return Console(
        file=file,
        force_terminal=stream.isatty(),
        width=None if stream.isatty() else _UNLIMITED,
        highlight=False,
        markup=False,
        emoji=False,
    )


def render(table: RenderableType, stream: TextIO) -> str:
    """Return *table* as text for *stream*: of the terminal's width, or one line per row."""
    text = StringIO()
    terminal(text, stream).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

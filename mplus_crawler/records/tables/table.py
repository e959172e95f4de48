"""A table to be written in one of the formats that hold types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from mplus_crawler.errors import UsageError
from mplus_crawler.records.tables.columns import Column
from mplus_crawler.records.tables.rows import RowReader

PARQUET, SPREADSHEET, SQLITE = "parquet", "xlsx", "sqlite"
FORMATS = (PARQUET, SPREADSHEET, SQLITE)
LINKED_DATA = "rdf"
# The package that a format needs; the extra that installs it has the format's name.
_PACKAGES = {PARQUET: "pyarrow", SPREADSHEET: "xlsxwriter", LINKED_DATA: "pyoxigraph"}


def check_installed(format_: str) -> None:
    """Raise :class:`UsageError` if the package that *format_* needs is not installed."""
    package = _PACKAGES.get(format_)
    if package and find_spec(package) is None:
        raise UsageError(
            f"{format_} needs the package {package}, the extra {format_}: pip install {package}"
        )


class Table:
    """Rows with *columns*, to be written in *format_*.

    Afterwards :attr:`cut` counts texts that were cut, and :attr:`unfit` values that were left
    out since they do not fit their column, each by column.
    """

    def __init__(self, format_: str, columns: Sequence[Column]) -> None:
        self.format = format_
        self.cut: Counter[str] = Counter()
        self._reader = RowReader(columns)

    @property
    def unfit(self) -> Counter[str]:
        """The values that were left out, by column."""
        return self._reader.unfit

    def losses(self) -> dict[str, int]:
        """Return how many texts were cut, if the format cuts any, and how many values left out."""
        cut = {"cut": self.cut.total()} if self.format == SPREADSHEET else {}
        unfit = self.unfit.total()
        return cut | ({"unfit": unfit} if unfit else {})

    def pieces(self, lines: Iterable[bytes], scratch: Path) -> Iterator[bytes]:
        """Yield the bytes of the file with the rows in *lines*, JSON objects.

        *scratch* is an empty folder. One batch of rows is in memory at a time. Raises OSError,
        and ValueError for a line that is not a JSON object.
        """
        # The packages are extras, and slow to import.
        columns, batches = self._reader.columns, self._reader.batches(lines)
        if self.format == PARQUET:
            from mplus_crawler.records.tables.parquet import write_parquet

            return write_parquet(columns, batches)
        if self.format == SPREADSHEET:
            from mplus_crawler.records.tables.spreadsheet import write_spreadsheet

            return write_spreadsheet(columns, batches, scratch, self.cut)
        from mplus_crawler.records.tables.sqlite import write_sqlite

        return write_sqlite(columns, batches, scratch)

"""Reads JSON lines as rows of a table: each value in the type that its column has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec

from mplus_crawler.records.tables.columns import Column

Cells = tuple[Any, ...]
"""The values of a row, in the order of its columns; JSON is text, an object is a dict."""

# SQLite and Parquet hold integers of 64 bits.
_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[str, Any] = {
    "text": str,
    "integer": _INTEGER,
    "number": float,
    "boolean": bool,
    "json": msgspec.Raw,
}
_NULL = msgspec.Raw(b"null")


class RowReader:
    """Reads rows that have *columns*, in batches.

    A value that does not fit its column, such as an integer over 64 bits, becomes ``None`` and is
    counted in :attr:`unfit` under the column's name.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.unfit: Counter[str] = Counter()
        self._decoder = msgspec.json.Decoder(_struct("Row", columns))
        self._cells = [msgspec.json.Decoder(_type(column)) for column in columns]
        self._finish = [
            (place, _finish(column))
            for place, column in enumerate(columns)
            if column.kind in ("json", "object")
        ]

    def batches(self, lines: Iterable[bytes], size: int = 1_000) -> Iterator[list[Cells]]:
        """Yield the rows of *lines*, at most *size* at a time. Raises ValueError for no JSON."""
        rows = map(self.cells, lines)
        while batch := list(islice(rows, size)):
            yield batch

    def cells(self, line: bytes) -> Cells:
        """Return the values of the row in *line*, a JSON object. Raises ValueError."""
        try:
            cells = list(msgspec.structs.astuple(self._decoder.decode(line)))
        except msgspec.ValidationError:
            cells = list(self._fitting(line))
        for place, finish in self._finish:
            cells[place] = finish(cells[place])
        return tuple(cells)

    def _fitting(self, line: bytes) -> Iterator[Any]:
        row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        for column, decoder in zip(self.columns, self._cells, strict=True):
            raw = row.get(column.name, _NULL)
            try:
                yield decoder.decode(raw)
            except msgspec.ValidationError:
                self.unfit[column.name] += 1
                yield _NULL if column.kind == "json" else None


def _struct(name: str, columns: Sequence[Column]) -> type[msgspec.Struct]:
    """Return a class whose instances have the values of *columns*."""
    names = [f"c{number}" for number in range(len(columns))]
    fields = [
        (name, _type(column), _NULL if column.kind == "json" else None)
        for name, column in zip(names, columns, strict=True)
    ]
    heads = {name: column.name for name, column in zip(names, columns, strict=True)}
    return msgspec.defstruct(name, fields, rename=heads)


def _type(column: Column) -> Any:
    """Return the type of the column's values, for msgspec."""
    if column.kind == "json":
        return msgspec.Raw
    one: Any = _struct(column.name, column.fields) if column.fields else _TYPES[column.kind]
    return list[one | None] | None if column.repeats else one | None


def _finish(column: Column) -> Callable[[Any], Any]:
    """Return the function that makes the cell of a *column* from its decoded value."""
    if column.kind == "json":
        return _text
    names = [field.name for field in column.fields]
    texts = [field.name for field in column.fields if field.kind == "json"]

    def members(one: Any) -> dict[str, Any] | None:
        if one is None:
            return None
        found = dict(zip(names, msgspec.structs.astuple(one), strict=True))
        return found | {name: _text(found[name]) for name in texts}

    return lambda value: value if value is None else list(map(members, value))


def _text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw).decode()
    return None if text == "null" else text

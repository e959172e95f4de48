"""Writes a table as Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from mplus_crawler.records.tables.columns import Column
from mplus_crawler.records.tables.rows import Cells

if TYPE_CHECKING:
    from typing_extensions import Buffer

_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "json": pa.string(),
}


def write_parquet(columns: Sequence[Column], batches: Iterable[Sequence[Cells]]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file with *columns*: a row group for each of *batches*."""
    schema = pa.schema([_field(column) for column in columns])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in batches:
            arrays = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


def _field(column: Column) -> pa.Field:
    type_ = pa.struct(map(_field, column.fields)) if column.fields else _TYPES[column.kind]
    type_ = pa.list_(type_) if column.repeats else type_
    metadata = {"description": column.description} if column.description else None
    return pa.field(column.name, type_, metadata=metadata)


class _Sink(io.RawIOBase):
    """A buffer for what was written; :meth:`tell` counts from the file's beginning."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._content += data
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._taken + len(self._content)

    def taken(self) -> bytes:
        content = bytes(self._content)
        self._taken += len(content)
        self._content.clear()
        return content

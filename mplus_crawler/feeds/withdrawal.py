"""Removes vanished records from a feed that is written but not yet published."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import IO, Any

from mplus_crawler.records.reader import (
    JSON_LINES,
    Line,
    compression,
    csv_head,
    decompressed,
    read_lines,
)

# Each makes an object with ``compress`` and ``flush``; for gzip zlib's with a header.
_COMPRESSORS: dict[Any, Any] = {
    gzip: partial(zlib.compressobj, wbits=31),
    bz2: bz2.BZ2Compressor,
    lzma: lzma.LZMACompressor,
}


def without(gone: Collection[str], format_: str, file: IO[bytes], former: int) -> Iterator[bytes]:
    """Yield *file*, in *format_*, after its first *former* bytes, without the ids *gone*.

    One row is in memory at a time. Raises ValueError or LookupError where rows do not name
    their ids.
    """
    head = csv_head(decompressed(file)) if former and format_ == "csv" else None
    module = compression(file)
    file.seek(former)
    lines = read_lines(module.open(file) if module else file, format_, head)
    rows = _kept(gone, lines)
    pieces = (line.raw for line in rows) if format_ in {*JSON_LINES, "csv"} else _json(rows)
    yield from _compressed(pieces, _COMPRESSORS[module]()) if module else pieces


def _kept(gone: Collection[str], lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        if line.fault:
            raise ValueError(line.fault)
        if line.row is None or line.row["id"] not in gone:
            yield line


def _json(lines: Iterable[Line]) -> Iterator[bytes]:
    before = b"[\n"
    for line in lines:
        if line.row is not None:
            yield before + line.raw.strip().removesuffix(b",")
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _compressed(pieces: Iterable[bytes], compressor: Any) -> Iterator[bytes]:
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()

"""Lists of records to request: an argument, a text file, a table from a spreadsheet, or a feed.

Lists are pasted from spreadsheets, browsers and mails. Blanks, invisible characters, quotes and
separators around a value are removed; any of them inside a value is an error that names the line
and the character, since the value is then probably not one number.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.source import parse
from mplus_crawler.records.reader import csv_rows

# Categories of Unicode: control and format characters, such as zero-width spaces, byte order marks
# and marks of direction; surrogates stand for bytes that are not UTF-8.
_INVISIBLE, _BYTE = ("Cc", "Cf"), "Cs"
_QUOTES = "\"'`<>"
# Characters; no PID or URI has as many.
_LONGEST = 2_000
# Pairs of quotes, and rare blanks, around one; more are left there.
_MOST_AROUND = 100
# Not in any number, whereas an apostrophe may be.
_INNER = '"<>;'
_SEPARATORS = ";,"
_DELIMITERS = (",", ";", "\t")
_HEAD = "id"
_plain = re.compile(r"[\w .:/%()+-]*", re.ASCII).fullmatch
# Most ids look like this, and need no further check.
_usual = re.compile(r"[A-Za-z0-9](?:[\w.:/%()-]{0,100}[A-Za-z0-9)])?", re.ASCII).fullmatch
# C code removes these faster than a loop does.
_COMMON = "".join(map(chr, (*range(0x21), *range(0x7F, 0xA1), 0x200B, 0xFEFF))) + ";,"
# What spreadsheets make of a long number, such as 5.3E+08.
_rewritten = re.compile(r"\d[.,]\d+E\+\d+").fullmatch
# A spreadsheet's own formats, by their first bytes.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")

_NO_ROW: Mapping[str, Any] = {}
_CSV_ROW: Mapping[str, Any] = {_HEAD: None}

# The lines of a list: number, id, and the row of a feed.
_Found = Iterator[tuple[int, str, Mapping[str, Any]]]


class RecordReference(NamedTuple):
    """A PID or URI, *where* it was given, and the *row* of the feed that contains it."""

    value: str
    where: str
    row: Mapping[str, Any] = _NO_ROW


def entries(arguments: Mapping[str, str]) -> Iterator[RecordReference]:
    """Yield the records in ``pids`` or ``pids_file``; raise :class:`UsageError` if invalid."""
    if "pids_file" in arguments:
        yield from _in_file(arguments["pids_file"])
        return
    try:
        for number, given in enumerate(arguments["pids"].split(","), 1):
            if given and (value := cleaned(given, f"value {number}")):
                yield RecordReference(value, "pids")
    except ValueError as error:
        raise UsageError(f"pids: {error}") from None


def cleaned(given: str, where: str) -> str:
    """Return *given* without what surrounds the number in it; raise ValueError if it is not one."""
    value = given.strip(_COMMON)
    if not value or _usual(value):
        return value
    value = _trimmed(value)
    if len(value) > _LONGEST:
        raise ValueError(f"{where} has {len(value):,} characters: give one number per line")
    for place, character in enumerate("" if _plain(value) else value, 1):
        if _breaks(character):
            raise ValueError(
                f"{where}, character {place} of {value!r:.60} is {_name(character)}: "
                "give one number per line, without it"
            )
    if _rewritten(value):
        raise ValueError(
            f"{where}: a spreadsheet has rewritten a number as {value}; format the column as text"
        )
    return value


def _trimmed(value: str) -> str:
    """Return *value* without the blanks, separators and pairs of quotes around it."""
    for _ in range(_MOST_AROUND):
        value = value.strip(_COMMON)
        if len(value) > 1 and _is_quote(value[0]) and _is_quote(value[-1]):
            value = value[1:-1]
        elif value and _surrounds(value[0]):
            value = value[1:]
        elif value and _surrounds(value[-1]):
            value = value[:-1]
        else:
            break
    return value


@lru_cache(maxsize=1024)
def _surrounds(character: str) -> bool:
    return character in _SEPARATORS or _is_blank(character)


def _breaks(character: str) -> bool:
    """Return whether no number has *character* in it."""
    if unicodedata.category(character) == _BYTE or character in _INNER:
        return True
    double = _is_quote(character) and "DOUBLE" in unicodedata.name(character)
    return double or (_is_blank(character) and character != " ")


@lru_cache(maxsize=1024)
def _is_quote(character: str) -> bool:
    return character in _QUOTES or "QUOTATION MARK" in unicodedata.name(character, "")


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _INVISIBLE


def _name(character: str) -> str:
    if unicodedata.category(character) == _BYTE:
        return f"the byte 0x{ord(character) & 0xFF:02X}, which is not UTF-8"
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"


def _in_file(name: str) -> Iterator[RecordReference]:
    if not Path(name).is_file():
        raise UsageError(f"pids_file={name}: there is no such file")
    found = False
    try:
        _check_format(Path(name))
        # Bytes that are not UTF-8 matter in ids only; there the error names them.
        with Path(name).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for entry in _read(file, name):
                found = True
                yield entry
    except OSError as error:
        raise UsageError(f"pids_file={name} cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error) as error:
        raise UsageError(f"pids_file={name} cannot be read: {error}") from None
    if not found:
        raise UsageError(f"pids_file={name} names no record: write one number per line")


def _check_format(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_WORKBOOKS):
        raise ValueError("it is a spreadsheet's own format; save it as CSV (UTF-8)")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16, such as Excel's Unicode text; save it as CSV (UTF-8)")


def _read(file: TextIO, name: str) -> Iterator[RecordReference]:
    """Yield the references in *file*."""
    for number, given, row in _lines(file, name):
        where = f"line {number}"
        if value := cleaned(given, where):
            yield RecordReference(value, f"{name}, {where}", row)
        elif row:
            raise ValueError(f"{where} has no id")


def _lines(file: TextIO, name: str) -> _Found:
    """Yield number, id and row of the lines in *file*; the first shows what kind of list it is."""
    numbered = (
        (number, line) for number, line in enumerate(file) if not line.isspace() and _trimmed(line)
    )
    before, first = next(numbered, (0, ""))
    if first.lower().startswith("sep="):  # Excel's note of its delimiter
        before, first = next(numbered, (0, ""))
    lines, start = chain([first], file), _trimmed(first)
    if start.startswith("{"):
        return _json_lines(lines, before)
    if start.startswith(("[{", "<?xml")) or start == "[":
        raise ValueError("unsupported feed format; use JSON Lines or CSV")
    for delimiter in _DELIMITERS if _HEAD in first.lower() else ():
        if _HEAD in _heads(first, delimiter):
            return _csv(lines, before, delimiter)
    columns = (len([*filter(None, _heads(first, delimiter))]) for delimiter in _DELIMITERS)
    if name.lower().endswith(".csv") and max(columns) > 1:
        raise ValueError("it has no column id; rename the column with the numbers to id")
    return ((number, line, _NO_ROW) for number, line in enumerate(lines, before + 1))


def _heads(line: str, delimiter: str) -> list[str]:
    return _names(next(csv_rows([line], delimiter=delimiter), []))


def _names(cells: list[str]) -> list[str]:
    return [cell and _trimmed(cell).lower() for cell in cells]


def _json_lines(lines: Iterator[str], before: int) -> _Found:
    for number, line in enumerate(lines, before + 1):
        if not _trimmed(line):
            continue
        try:
            row = parse(line.strip("\ufeff \t\r\n").encode(errors="surrogateescape"))
        except ValueError as error:
            raise ValueError(f"line {number} is not JSON ({error})") from None
        row = row if isinstance(row, dict) else {}
        yield number, id_ if isinstance(id_ := row.get(_HEAD), str) else "", {_HEAD: None, **row}


def _csv(lines: Iterator[str], before: int, delimiter: str) -> _Found:
    rows = csv_rows(lines, delimiter=delimiter, strict=True)
    heads = _names(next(rows))
    place = heads.index(_HEAD)
    for row in rows:
        given = row[place] if len(row) > place else ""
        if _usual(given) or any(map(_trimmed, filter(None, row))):
            of_feed = _with_record(heads, row) if "%25" in given else _CSV_ROW
            yield before + rows.line_num, given, of_feed


def _with_record(heads: list[str], row: list[str]) -> Mapping[str, Any]:
    """Return the row of a feed with its record, which shows what a ``%25`` in the id means."""
    record = dict(zip(heads, row, strict=False)).get("record", "")
    try:
        return {**_CSV_ROW, "record": parse(record.encode(errors="surrogateescape"))}
    except ValueError:
        return _CSV_ROW

"""Cells of a CSV file that is safe in spreadsheets."""

from __future__ import annotations

import re
from typing import Any

from mplus_crawler.records.batch import SEVERAL, json_line

# How a formula begins, in full width too (OWASP, CSV injection).
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Control characters but tab and line breaks: C0, DEL, C1.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def csv_cell(value: Any) -> Any:
    """Return the cell for *value*: texts joined, other lists and objects as JSON, no formula.

    Control characters are escaped in JSON and dropped from texts.
    """
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = SEVERAL.join(value)
    elif isinstance(value, list | dict):
        return json_cell(json_line(value).decode().rstrip())
    return harmless(_CONTROL.sub("", value)) if isinstance(value, str) else value


def json_cell(text: str) -> str:
    """Return the cell for JSON *text*."""
    return _CONTROL.sub(_escaped, text)


def harmless(cell: str) -> str:
    """Return *cell*, after an apostrophe where a spreadsheet would run it as a formula."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _escaped(character: re.Match[str]) -> str:
    """Return the character as JSON may spell it."""
    return f"\\u{ord(character[0]):04x}"

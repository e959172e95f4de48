"""Dates of objects as EDTF, level 1."""

from __future__ import annotations

import re
from functools import lru_cache

from mplus_crawler.records.edtf import certainty, is_edtf, qualified, years

_date = r"(?:(?P<circa>ca?\.|circa|omstreeks|rond)\s*)?(?P<open>\[)?(?P<date>[\dX-]{4,10}[?~%]?)\]?"
_part = re.compile(_date, re.IGNORECASE).fullmatch
_two_years = re.compile(r"(\d{4})\s*[-\u2013]\s*(\d{4})").fullmatch


@lru_cache(maxsize=4096)
def edtf(label: str | None, begin: int | None, end: int | None) -> tuple[str | None, str | None]:
    """Return the date *label* as EDTF, and how certain it is.

    Without a label, the years are used. A label that contradicts them, or cannot be read
    (``19de eeuw``), gives None.
    """
    written = _edtf(label, begin, end)
    return written, certainty(written)


def _edtf(label: str | None, begin: int | None, end: int | None) -> str | None:
    years_alone = _of_years(begin, end)
    if not label or label == years_alone:
        return years_alone
    if match := _two_years(label):
        label = "/".join(match.groups())
    parts = [_read(part.strip()) for part in label.split("/")]
    if None in parts:
        return None
    written = "/".join(part or "" for part in parts)
    if not is_edtf(written):
        return None
    first, last = years(written)
    within = (
        (first is None or begin is None or first >= begin)
        and (last is None or end is None or last <= end)
        and (first is None or last is None or first <= last)
    )
    return written if within else None


def _read(part: str) -> str | None:
    """Return one date, or one end of an interval, as EDTF."""
    if part in ("", ".."):
        return part
    match = _part(part)
    if not match:
        return None
    if not match["circa"] and not match["open"]:
        return match["date"]
    return qualified(match["date"], uncertain=bool(match["open"]), approximate=bool(match["circa"]))


def _of_years(begin: int | None, end: int | None) -> str | None:
    if begin is None or end is None or not 0 < begin <= end < 10_000:
        return None
    return f"{begin:04}" if begin == end else f"{begin:04}/{end:04}"

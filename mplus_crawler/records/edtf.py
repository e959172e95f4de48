"""Dates of the Extended Date/Time Format (EDTF), level 1, as ISO 8601-2:2019 has it.

A date is ``1956``, ``1956-05``, ``1956-05-20``, a season ``1956-21`` or a decade ``195X``; ``?``
means uncertain, ``~`` approximate, ``%`` both. An interval is two dates with a slash between them.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Spring to winter, in the months' place.
SEASONS = {"spring": "21", "summer": "22", "autumn": "23", "fall": "23", "winter": "24"}

_DATE = r"-?\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?|-2[1-4])?[?~%]?"
_END = rf"(?:{_DATE}|\.\.|)"
_level_1 = re.compile(rf"{_DATE}|\d{{3}}X|\d\dXX|{_DATE}/{_END}|{_END}/{_DATE}").fullmatch


def is_edtf(written: str) -> bool:
    """Return whether *written* is a date or an interval of level 1."""
    return _level_1(written) is not None


def qualified(date: str, *, uncertain: bool, approximate: bool) -> str:
    """Return *date* with the sign for what is said of it."""
    return date + ("%" if uncertain and approximate else "?" if uncertain else "~" * approximate)


@lru_cache(maxsize=4096)
def certainty(edtf: str | None) -> str | None:
    """Return ``exact``, ``approximate`` or ``uncertain``: what the weakest part of *edtf* is."""
    if edtf is None:
        return None
    if "?" in edtf or "%" in edtf:
        return "uncertain"
    return "approximate" if "~" in edtf else "exact"


@lru_cache(maxsize=4096)
def years(edtf: str) -> tuple[int | None, int | None]:
    """Return the first and the last year of *edtf*; None where its interval is open."""
    begin, _, end = edtf.partition("/")
    return _year(begin, "0"), _year(end if "/" in edtf else begin, "9")


def _year(date: str, unspecified: str) -> int | None:
    found = re.match(r"-?[\dX]{4}", date)
    return int(found[0].replace("X", unspecified)) if found else None

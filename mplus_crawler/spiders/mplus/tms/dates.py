"""The date labels of M+ as EDTF, by the museum's own grammar.

Inferred parts are in brackets, ``circa`` qualifies one date, and a dash joins two: ``[circa
1990]``, ``1977-[1980s]``, ``22-24 February 2019``. Parts after a comma or a slash say what happened
next: ``1981-1982, printed 2000``. The first part that agrees with the museum's years is the date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from mplus_crawler.records.edtf import SEASONS, certainty, qualified, years
from mplus_crawler.spiders.mplus.tms.bilingual import Face, whole

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_VERBS = re.compile(
    r"\s*(?:(?:re|un)?(?:designed|photographed|copyright(?:ed)?|made|printed|published|produced"
    r"|issued|revised|digiti[sz]ed|migrated|created|recorded|written|filmed|compiled|conceived"
    r"|built|manufactured|released|composed|drawn|painted|completed|edited|cast|fabricated|first)"
    r"\s+)*",
    re.IGNORECASE,
)
_DASH = "[\u2013\u2014-]+"
_DATE = (
    r"(?:(?P<circa{n}>circa|ca?\.|about|approximately)\s+)?"
    r"(?:(?P<vague{n}>early|mid|late)[\s-]+)?"
    rf"(?:(?P<day{{n}}>\d{{{{1,2}}}})(?:\s+|(?={_DASH})))?"
    rf"(?:(?P<month{{n}}>{'|'.join(_MONTHS)})\s*)?"
    rf"(?:(?P<season{{n}}>{'|'.join(SEASONS)})\s*)?"
    r"(?:(?P<year{n}>\d{{4}})(?P<decade{n}>s)?)?"
    r"(?P<century{n}>\d{{1,2}}(?:st|nd|rd|th)\s+century)?"
)
_FIRST, _SECOND = _DATE.format(n=1), _DATE.format(n=2)
_SIGN = rf"\s*(?P<sign>{_DASH}|/|\band\b|\bor\b|\bto\b|&)\s*"
_one = re.compile(_FIRST, re.IGNORECASE).fullmatch
_two = re.compile(rf"(?P<between>between\s+)?{_FIRST}{_SIGN}{_SECOND}", re.IGNORECASE).fullmatch
_ongoing = re.compile(rf"{_FIRST}\s*{_DASH}\s*(?:ongoing|present)?", re.IGNORECASE).fullmatch
# Separates the parts of a label, also inside brackets; not the slash between two seasons. Blanks
# are read from the first on only, or a long run of them would cost quadratic time.
_DIVIDER = re.compile(r"(?:(?<!\s)\s++)?[,;]\s*|(?<=[\ds])\s*/\s*")
# Invisible characters that stand between a year and a dash.
_INVISIBLE = dict.fromkeys(map(ord, "\u2060\u200b\ufeff"))


@dataclass(frozen=True, slots=True)
class _Date:
    """One date of a label: *written* in EDTF, or a *span* of years.

    *vague*: the label names an unbounded part of the span, as in ``late 1980s``.
    """

    written: str
    span: tuple[int, int] | None
    vague: bool
    circa: bool
    inferred: bool
    year: str = ""
    month: str = ""


def year_columns(face: Face) -> dict[str, Any]:
    """Return the museum's first and last year; 0 is not a year, and is noted."""
    begin, end = whole(face.get("beginDate")), whole(face.get("endDate"))
    named = {"beginDate": begin, "endDate": end}
    return {
        "date_begin": begin or None,
        "date_end": end or None,
        "notes": [f"{name} is 0, which is no year" for name, year in named.items() if year == 0],
    }


def edtf_columns(label: str | None, begin: int | None, end: int | None) -> dict[str, str | None]:
    """Return *label* as EDTF, and how certain it is."""
    edtf = edtf_of(label, begin, end)
    return {"date_edtf": edtf, "date_certainty": certainty(edtf)}


@lru_cache(maxsize=8192)
def edtf_of(label: str | None, begin: int | None, end: int | None) -> str | None:
    """Return the EDTF of *label*, within the museum's years *begin* to *end*.

    None where nothing in it can be read, or all of it contradicts the years.
    """
    for part, inferred in _parts(label or ""):
        for found in _readings(part, inferred, begin, end):
            first, last = years(found)
            ongoing = found.endswith("..")
            if _within(first, begin, end) and (ongoing or _within(last, first, end)):
                return found
    return None


def _within(year: int | None, begin: int | None, end: int | None) -> bool:
    if year is None:
        return False
    return (begin is None or year >= begin) and (end is None or year <= end)


def _parts(label: str) -> Iterator[tuple[str, list[bool]]]:
    """Yield the parts of *label* without brackets, with whether each character was inside one."""
    letters: list[str] = []
    inside: list[bool] = []
    depth = 0
    for letter in label.translate(_INVISIBLE):
        depth += (letter == "[") - (letter == "]")
        if letter not in "[]":
            letters.append(letter)
            inside.append(depth > 0)
    plain = "".join(letters)
    at = 0
    for mark in [*_DIVIDER.finditer(plain), None]:
        stop = mark.start() if mark else len(plain)
        verbs = _VERBS.match(plain, at, stop)
        start = verbs.end() if verbs else at
        part = plain[start:stop]
        if part.strip():
            lead = len(part) - len(part.lstrip())
            yield part.strip(), inside[start + lead : stop]
        at = mark.end() if mark else stop


def _readings(part: str, inferred: list[bool], begin: int | None, end: int | None) -> Iterator[str]:
    """Yield what *part* may mean, the narrower first."""
    if (match := _one(part)) and (match["year1"] or match["century1"]):
        one = _date(match, 1, inferred)
        if one.span:
            yield from _span(one, begin, end)
        elif found := _point(one):
            yield found
    elif (match := _ongoing(part)) and match["year1"] and not end:
        if found := _edge(_date(match, 1, inferred), begin, last=False):
            yield f"{found}/.."
    elif (match := _two(part)) and (match["year2"] or match["century2"]):
        loose = bool(match["between"]) or match["sign"].lower() == "or"
        later = _date(match, 2, inferred, loose=loose)
        start = _edge(_date(match, 1, inferred, later, loose=loose), begin, last=False)
        stop = _edge(later, end, last=True)
        if start and stop:
            yield f"{start}/{stop}"


def _date(
    match: re.Match[str],
    number: int,
    inferred: list[bool],
    later: _Date | None = None,
    *,
    loose: bool = False,
) -> _Date:
    """Return the date *number* of *match*; parts that it omits are those of the *later* date.

    *loose*: it is one of two dates, and the actual date is either, or between them.
    """

    def word(name: str) -> str:
        return (match[f"{name}{number}"] or "").lower()

    year, month, day = word("year"), word("month"), word("day")
    season = SEASONS.get(word("season"), "")
    if later and not year and (month or season or day):
        year, month = later.year, month or later.month
    names = ("day", "month", "season", "year", "century", "vague")
    places = [match.start(f"{name}{number}") for name in names if match[f"{name}{number}"]]
    in_place = f"{_MONTHS.index(month) + 1:02}" if month else season
    valid = year and (in_place or not day) and _is_day(year, in_place if month else "", day)
    return _Date(
        "-".join(filter(None, (year, in_place, day.zfill(2) if day else ""))) if valid else "",
        _years(year if word("decade") else "", word("century")),
        bool(word("vague")),
        bool(word("circa")) or loose,
        any(inferred[place] for place in places),
        year,
        month,
    )


def _is_day(year: str, month: str, day: str) -> bool:
    """Return whether the calendar has that day; an omitted month or day is the first."""
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True


def _years(decade: str, century: str) -> tuple[int, int] | None:
    """Return the first and last year of ``1960`` as a decade, or of ``19th century``."""
    if decade:
        return int(decade[:3]) * 10, int(decade[:3]) * 10 + 9
    if century:
        number = int(re.split(r"\D", century)[0])
        return (number - 1) * 100, number * 100 - 1
    return None


def _point(one: _Date) -> str | None:
    """Return a year, a month, a day or a season."""
    if not one.written:
        return None
    return qualified(one.written, uncertain=one.inferred, approximate=one.circa)


def _span(one: _Date, begin: int | None, end: int | None) -> Iterator[str]:
    """Yield a decade or a century, else as much of it as the museum's years leave."""
    assert one.span
    first, last = one.span
    if first % 100 == 0 and last - first == 9 and begin and end and end - begin > 9:
        last = first + 99  # 1900s is a century here
        one = replace(one, span=(first, last))
    plain = not (one.vague or one.inferred or one.circa)
    if plain:
        yield f"{first // 10}X" if last - first == 9 else f"{first // 100}XX"
    start, stop = _edge(one, begin, last=False), _edge(one, end, last=True)
    if start and stop:
        yield f"{start}/{stop}"


def _edge(one: _Date, known: int | None, *, last: bool) -> str | None:
    """Return one end of an interval; for a span, the museum's year if it is narrower."""
    if not one.span:
        return _point(one)
    year = one.span[last]
    if known and one.span[0] <= known <= one.span[1]:
        year = known
    elif one.vague:
        return None
    return qualified(f"{year:04}", uncertain=one.inferred, approximate=one.circa or one.vague)

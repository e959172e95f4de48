"""Sizes of M+'s objects in comparable units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import nodes, text, whole

_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "m": 100.0}
# Elements that do not measure the size of a thing; others are physical parts of it.
_KINDS = {"digital": "digital", "duration": "duration", "file size": "file size", "pages": "pages"}
_SIDES = ("height", "width", "depth")

_NUMBER = r"(\d+(?:\.\d+)?)"
_UNIT = r"(cm|mm|m|px)\b"
_unit = re.compile(rf"\d\s*{_UNIT}")
# ``sheet (sight): 48.3 x 40 x 2 cm``: height, width and depth, as the museum writes them.
_TIMES = "\\s*[\u00d7x]\\s*"
_size = re.compile(
    rf"(?:(?P<label>[^:]*):\s*)?(?:approx\.?\s*)?"
    rf"{_NUMBER}{_TIMES}{_NUMBER}(?:{_TIMES}{_NUMBER})?\s*{_UNIT}"
)
_diameter = re.compile(
    rf"(?:diamet(?:er|re)[^\d\n;]{{0,100}}|\u00d8\s*){_NUMBER}\s*{_UNIT}"
    rf"|{_NUMBER}\s*{_UNIT} +(?:in +)?diamet(?:er|re)",
    re.IGNORECASE,
)
_duration = re.compile(
    r"duration[^:\n]{0,100}:\s*(?:(\d+)\s*h(?:ou)?rs?\b\.?\s*)?(?:(\d+)\s*min\b\.?\s*)?"
    r"(?:(\d+)\s*sec\b\.?\s*)?(?![\s.]*[\u2013\d:-])",
    re.IGNORECASE,
)
_clock = re.compile(
    r"duration[^:\n]{0,100}:\s*(?:(\d+):)?(\d+):(\d\d)(?![\s.]*[\u2013\d:-])", re.IGNORECASE
)


def dimension_columns(details: Any, written: str | None) -> dict[str, Any]:
    """Return the sizes in centimetres and pixels, and the durations in seconds.

    *details* are the museum's numbers, *written* its text, which is read where the numbers have no
    size in centimetres, or have a unit that the text contradicts.
    """
    entries = nodes(details)
    written = written or ""
    size = _of_numbers(entries, written) or _of_text(written)
    pixels = _pixels(entries, written)
    return {
        "dimension_details": [_entry(entry) for entry in entries],
        "measured": size.get("measured"),
        **{f"{side}_cm": size.get(side) for side in _SIDES},
        "diameter_cm": _diameter_of(written),
        **{f"{side}_px": pixels.get(side) for side in ("height", "width")},
        "durations_s": list(_durations(written)),
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the museum's entry with its kind: what is measured, and in which sense."""
    rank = entry.get("rank")
    return {
        "kind": _kind(entry),
        "element": text(entry.get("element")),
        "unit": text(entry.get("unit")),
        "rank": str(rank) if whole(rank) is not None else text(rank),
        **{side: _positive(entry.get(side)) for side in _SIDES},
    }


def _kind(entry: Mapping[str, Any]) -> str:
    if kind := _KINDS.get(text(entry.get("element")) or ""):
        return kind
    return "digital" if entry.get("unit") == "px" else "size"


def _of_numbers(entries: list[Mapping[str, Any]], written: str) -> dict[str, Any]:
    """Return the size of the whole, else of the first part that has one."""
    found = [
        entry
        for entry in entries
        if _kind(entry) == "size"
        and (unit := text(entry.get("unit"))) in _CENTIMETRES
        and not _contradicts(written, unit)
        and any(_positive(entry.get(side)) for side in _SIDES)
    ]
    found.sort(key=lambda entry: entry.get("element") != "overall")
    if not found:
        return {}
    factor = _CENTIMETRES[found[0]["unit"]]
    sizes = {side: _times(_positive(found[0].get(side)), factor) for side in _SIDES}
    return {"measured": text(found[0].get("element")), **sizes}


def _of_text(written: str) -> dict[str, Any]:
    for line in written.split("\n"):
        match = _size.match(line.strip())
        if match and match[5] in _CENTIMETRES:
            label = (match["label"] or "").partition("(")[0].strip().lower()
            if label in _KINDS:
                continue
            factor = _CENTIMETRES[match[5]]
            numbers = (float(match[group]) if match[group] else None for group in (2, 3, 4))
            sizes = (_times(number, factor) for number in numbers)
            return {"measured": label or None, **dict(zip(_SIDES, sizes, strict=True))}
    return {}


def _pixels(entries: list[Mapping[str, Any]], written: str) -> dict[str, int]:
    """Return the size of the first entry in pixels, if both are whole."""
    for entry in entries:
        sides = {side: whole(entry.get(side)) for side in ("height", "width")}
        if entry.get("unit") == "px" and not _contradicts(written, "px") and all(sides.values()):
            return {side: size for side, size in sides.items() if size}
    return {}


def _diameter_of(written: str) -> float | None:
    match = _diameter.search(written) if "iamet" in written or "\u00d8" in written else None
    if not match:
        return None
    number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
    return _times(float(number), _CENTIMETRES[unit.lower()]) if unit != "px" else None


def _durations(written: str) -> Iterator[int]:
    """Yield each duration in seconds; skip ranges and unbounded ones (``continuous``)."""
    if "uration" not in written:
        return
    for match in _duration.finditer(written):
        if any(match.groups()):
            hours, minutes, seconds = (int(part or 0) for part in match.groups())
            yield hours * 3600 + minutes * 60 + seconds
    for match in _clock.finditer(written):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        yield hours * 3600 + minutes * 60 + seconds


def _contradicts(written: str, unit: str | None) -> bool:
    """Return whether the text *written* has units, and *unit* is none of them."""
    if f" {unit}" in written:
        return False
    units = set(_unit.findall(written))
    return bool(units) and unit not in units


def _positive(value: Any) -> int | float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and value > 0 else None


def _times(number: float | None, factor: float) -> float | None:
    """Return *number* in centimetres, without the noise of binary fractions."""
    return None if number is None else round(number * factor, 4)

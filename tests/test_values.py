"""M+: dates and sizes that can be computed with, and texts with plain line breaks."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.edtf import certainty, is_edtf, years
from mplus_crawler.records.text import line_breaks
from mplus_crawler.spiders.mplus.tms import COLUMNS, Bilingual, Credit
from mplus_crawler.spiders.mplus.tms.dates import edtf_columns, edtf_of
from mplus_crawler.spiders.mplus.tms.dimensions import dimension_columns

LABELS = Path(__file__).parent / "fixtures" / "mplus" / "dates.jsonl.xz"
CREDIT = Credit.of(load_policy("mplus"))
DASH, TIMES = "\u2013", "\u00d7"


def of(kind: str, **face: Any) -> dict[str, Any]:
    return COLUMNS[kind](Bilingual(face, face), CREDIT)


# Dates


@pytest.mark.parametrize(
    ("label", "begin", "end", "edtf", "how"),
    [
        ("1956", 1956, 1956, "1956", "exact"),
        ("[1991]", 1991, 1991, "1991?", "uncertain"),
        ("circa 1949", 1947, 1951, "1949~", "approximate"),
        ("[circa 1990]", 1988, 1992, "1990%", "uncertain"),
        ("1989-1994", 1989, 1994, "1989/1994", "exact"),
        ("1981-1982, printed 2000", 1981, 2000, "1981/1982", "exact"),
        ("designed 1949, reprinted 1989", 1949, 1989, "1949", "exact"),
        ("1995/printed 2018", 1995, 2018, "1995", "exact"),
        ("1982-1983/2019", 1982, 2019, "1982/1983", "exact"),
        ("1960s", 1960, 1969, "196X", "exact"),
        ("[2000s]", 2000, 2009, "2000?/2009?", "uncertain"),
        ("[2000s]", 1998, 2002, "2000?/2002?", "uncertain"),
        ("1900s", 1900, 1999, "19XX", "exact"),
        ("1950s-1970s", 1950, 1979, "1950/1979", "exact"),
        ("[1970s-1990s]", 1972, 1999, "1972?/1999?", "uncertain"),
        ("1977-[circa 1990]", 1977, 1993, "1977/1990%", "uncertain"),
        ("late 1980s", 1987, 1989, "1987~/1989~", "approximate"),
        ("late 1980s-early 1990s", 1986, 1994, "1986~/1994~", "approximate"),
        ("mid-20th century", 1930, 1969, "1930~/1969~", "approximate"),
        ("19th century", 1800, 1899, "18XX", "exact"),
        ("20 February 1991", 1991, 1991, "1991-02-20", "exact"),
        ("[July] 1997", 1997, 1999, "1997-07?", "uncertain"),
        ("22-24 February 2019", 2019, 2019, "2019-02-22/2019-02-24", "exact"),
        ("4 April-28 May 1963", 1963, 1963, "1963-04-04/1963-05-28", "exact"),
        ("Spring/Summer 2004", 2004, 2004, "2004-21/2004-22", "exact"),
        ("between 1986 and 1987", 1986, 1987, "1986~/1987~", "approximate"),
        ("[1966 or 1967]", 1966, 1967, "1966%/1967%", "uncertain"),
        ("1999-ongoing", 1999, None, "1999/..", "exact"),
        ("1959\u2060-1996", 1959, 1996, "1959/1996", "exact"),
        # Within the museum's years, or nothing.
        ("[circa 1993]", 1977, 1981, None, None),
        ("[2005], migrated 2006", 2006, 2006, "2006", "exact"),
        ("date unknown", None, None, None, None),
        ("31 February 1991", 1991, 1991, None, None),
        ("1996-1959", None, None, None, None),
        ("1956 or so", 1956, 1956, None, None),
        ("", None, None, None, None),
        (None, 1956, 1956, None, None),
    ],
)
def test_a_label_is_read_by_the_museums_grammar(
    label: str | None, begin: int | None, end: int | None, edtf: str | None, how: str | None
) -> None:
    label = label and label.replace("-", DASH).replace(f"mid{DASH}", "mid-")
    assert edtf_of(label, begin, end) == edtf
    assert certainty(edtf) == how
    row = of("mplus_object", displayDate=label, beginDate=begin, endDate=end)
    assert (row["date_edtf"], row["date_certainty"]) == (edtf, how)


def test_the_labels_of_the_published_set_are_read_without_contradicting_its_years() -> None:
    read = total = 0
    for line in lzma.decompress(LABELS.read_bytes()).splitlines():
        label, begin, end, count = json.loads(line)
        total += count
        if edtf := edtf_of(label, begin or None, end or None):
            read += count
            assert is_edtf(edtf), (label, edtf)
            first, last = years(edtf)
            assert first is not None
            assert not begin or begin <= first
            assert last is None or first <= last
            assert not end or (last is not None and last <= end), (label, edtf)
    assert total == 13_387
    assert read / total > 0.995


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"\[?(circa )?\d{1,4}s?\]?( ?[\u2013,/-] ?\[?\d{4}\]?){0,3}", fullmatch=True),
    ),
    st.none() | st.integers(-3000, 3000),
    st.none() | st.integers(-3000, 3000),
)
@example("0000", None, None)
@example("32 January 1990", None, None)
def test_any_label_is_edtf_within_its_years_or_none(
    label: str, begin: int | None, end: int | None
) -> None:
    edtf = edtf_of(label, begin, end)
    if edtf is not None:
        assert is_edtf(edtf)
        first, last = years(edtf)
        assert first is not None
        assert begin is None or begin <= first
        assert last is None or end is None or last <= end


@pytest.mark.parametrize("kind", ["mplus_object", "mplus_constituent"])
@pytest.mark.parametrize(
    ("begin", "end", "noted"),
    [(0, 0, ["beginDate", "endDate"]), (1990, 0, ["endDate"]), (1990, None, []), (-300, 5, [])],
)
def test_a_year_0_is_null_and_noted(
    kind: str, begin: int, end: int | None, noted: list[str]
) -> None:
    row = of(kind, beginDate=begin, endDate=end)
    assert (row["date_begin"], row["date_end"]) == (begin or None, end or None)
    assert row["notes"] == [f"{name} is 0, which is no year" for name in noted]


# Sizes


def entry(element: str, unit: str | None, *sides: float | None) -> dict[str, Any]:
    height, width, depth = sides or (None, None, None)
    return {"element": element, "unit": unit, "height": height, "width": width, "depth": depth}


@pytest.mark.parametrize(
    ("details", "text", "expected"),
    [
        (
            [entry("sheet", "cm", 48.3, 40, None)],
            "sheet: 48.3 x 40 cm",
            ("sheet", 48.3, 40, None),
        ),
        (
            [entry("overall", "mm", 483, 400, 5)],
            "overall: 483 x 400 x 5 mm",
            ("overall", 48.3, 40, 0.5),
        ),
        ([entry("overall", "m", 1.2, 0.3, None)], None, ("overall", 120, 30, None)),
        # The whole comes before its parts.
        (
            [entry("frame", "cm", 9, 9, 1), entry("overall", "cm", 5, 4, None)],
            None,
            ("overall", 5, 4, None),
        ),
        # A scan, however it is measured, is no size of a thing.
        ([entry("digital", "px", 3564, 2836, None)], "digital: 2836 x 3564 px", (None,) * 4),
        ([entry("digital", "cm", 21, 29.7, None)], "digital: 29.7 x 21 cm", (None,) * 4),
        ([entry("duration", "mm", 400, 225, None)], "duration: 21 min.", (None,) * 4),
        # A unit that the text contradicts; sizes that stand in the text alone.
        (
            [entry("sheet", "px", 52, 76.5, None)],
            "sheet: 52 x 76.5 cm",
            ("sheet", 52, 76.5, None),
        ),
        (
            [entry("overall", "mm", 101, 348, 5)],
            "overall: 101 x 348 cm",
            ("overall", 101, 348, None),
        ),
        (None, "duration: 3 min.\nimage (sight): 177 x 119 cm", ("image", 177, 119, None)),
        (None, "approx. 3 x 4 x 5 cm", (None, 3, 4, 5)),
        ([entry("overall", None)], "dimensions variable", (None,) * 4),
        (None, None, (None,) * 4),
        ([entry("overall", "cm", 0, -1, True)], None, (None,) * 4),
    ],
)
def test_sizes_are_centimetres_of_a_thing(
    details: Any, text: str | None, expected: tuple[Any, ...]
) -> None:
    row = dimension_columns(details, text)
    assert (
        tuple(row[name] for name in ("measured", "height_cm", "width_cm", "depth_cm")) == expected
    )


@pytest.mark.parametrize(
    ("text", "diameter"),
    [
        ("overall (diameter, approx.): 13 cm", 13),
        ("overall: 125 x (diameter) 225 cm", 225),
        ("overall (each): 4.6 cm\ndiameter: 9.7 cm", 9.7),
        ("overall: 13.5 cm\n6.6 cm diametre", 6.6),
        ("each incense: 150cm diameter", 150),
        ("\u00d8 35 mm", 3.5),
        ("diameter variable", None),
        ("overall: 4 cm", None),
    ],
)
def test_diameters_are_read_from_the_text(text: str, diameter: float | None) -> None:
    assert dimension_columns(None, text.replace(" x ", TIMES))["diameter_cm"] == diameter


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("duration: 58 min. 27 sec.", [3507]),
        ("duration: 2 hrs. 5 min.", [7500]),
        ("duration (channel 1): 2 min. 30 sec.\nduration (channel 2): 50 sec.", [150, 50]),
        ("duration: 1:02:03", [3723]),
        ("duration: 4:05 min.", [245]),
        ("duration: 3 min. 1 sec. \u2013 5 min. 9 sec.", []),
        ("duration: continuous", []),
        ("durations variable", []),
    ],
)
def test_durations_are_seconds(text: str, seconds: list[int]) -> None:
    assert dimension_columns(None, text)["durations_s"] == seconds


def test_pixels_stand_apart() -> None:
    row = dimension_columns([entry("digital", "px", 3564, 2836, None)], "digital: 2836 x 3564 px")
    assert (row["height_px"], row["width_px"]) == (3564, 2836)
    assert row["dimension_details"] == [
        {"kind": "digital", "rank": None, **entry("digital", "px", 3564, 2836, None)}
    ]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), st.text())
def test_no_shape_of_a_dimension_is_an_error(details: Any, text: str) -> None:
    dimension_columns(details, text)
    dimension_columns([{"unit": details, "element": details, "height": details}], text)


# Texts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a\r\nb", "a\nb"),
        ("a\r\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\u2028b\x0bc\x85d", "a\nb\nc\nd"),
        ("a\r\n\r\nb", "a\n\nb"),
        ("a\tb", "a\tb"),
    ],
)
def test_a_line_break_is_one_character(written: str, read: str) -> None:
    assert line_breaks(written) == read
    row = of(
        "mplus_object",
        title=written,
        dimension=written,
        creditLine=written,
        images=[{"altText": written}],
        classification={"area": [written]},
    )
    for column in ("title_en", "dimensions_en", "credit_line_en"):
        assert row[column] == read
    assert (row["alt_texts_en"], row["areas_en"]) == ([read], [read])


@pytest.mark.long
@pytest.mark.parametrize("piece", [" ", "diameter", "1 x ", "circa ", "1990, ", "duration "])
def test_a_long_text_costs_linear_time(piece: str) -> None:
    def seconds(times: int) -> float:
        began = process_time()
        text = f"1{piece * times}!"
        dimension_columns(None, text)
        edtf_columns(text, 1990, 1990)
        return process_time() - began

    assert min(seconds(6_000) for _ in range(3)) < 40 * min(seconds(600) for _ in range(3)) + 0.01

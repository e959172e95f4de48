"""Deprecation and sunset: read from any response, reported once, kept in the certificate."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.http import Response

from mplus_crawler.responses.lifecycle import Lifecycle, read_lifecycle
from tests.conftest import Scrapy
from tests.test_exchange import recorded
from tests.test_faults import QUICK
from tests.wire import RawResponse, serving

SUNSET = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
SINCE = datetime(2025, 7, 1, tzinfo=UTC)
V2 = "https://data.designmuseumgent.be/v2/"


def said(*fields: tuple[str, str]) -> Lifecycle:
    headers: dict[str, list[str]] = {}
    for name, value in fields:
        headers.setdefault(name, []).append(value)
    return read_lifecycle(Response("https://museum.test/v1/id/objects", headers=headers))


@pytest.mark.parametrize(
    ("written", "deprecated", "since"),
    [
        ("true", True, None),
        ("@1751328000", True, SINCE),
        ("Tue, 01 Jul 2025 00:00:00 GMT", True, SINCE),
        ("Sun, 01 Jul 2025 00:00:00 GMT", True, SINCE),
        ("@1751328000;a=1", True, SINCE),
        ("?1", True, None),
        ("false", None, None),
        ("?0", None, None),
        ("@99999999999999999999", None, None),
        ("@253402300800", None, None),
        ("perhaps", None, None),
        ("", None, None),
    ],
)
def test_deprecation_has_three_forms(
    written: str, deprecated: bool | None, since: datetime | None
) -> None:
    found = said(("Deprecation", written))
    assert (found.deprecated, found.since) == (deprecated, since)


@pytest.mark.parametrize(
    ("written", "sunset"),
    [
        ("Thu, 31 Dec 2026 23:59:59 GMT", SUNSET),
        ("Wed, 31 Dec 2026 23:59:59 GMT", SUNSET),
        ("soon", None),
        ("Thu, 99 Dec 2026 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None),
        ("", None),
    ],
)
def test_the_day_of_the_week_may_be_wrong_and_garbage_says_nothing(
    written: str, sunset: datetime | None
) -> None:
    assert said(("Sunset", written)).sunset == sunset


def test_links_stand_in_any_header_line() -> None:
    found = said(
        ("Link", '<?page=1>; rel="first", </v2/>; rel="successor-version"'),
        ("Link", '<https://museum.test/why>; rel="deprecation sunset"'),
    )
    assert found.successor == "https://museum.test/v2/"
    assert found.documentation == found.sunset_policy == "https://museum.test/why"
    assert found.deprecated is None


@pytest.mark.parametrize(
    ("name", "sunset"), [("v1-objects", SUNSET), ("v1-gone", datetime(2026, 7, 1, tzinfo=UTC))]
)
def test_what_the_museum_says_of_version_1(name: str, sunset: datetime) -> None:
    assert said(*recorded(name)[1]) == Lifecycle(deprecated=True, sunset=sunset, successor=V2)


@pytest.mark.parametrize(
    ("days", "left", "words"),
    [
        (91, 91, "it ends on 2026-12-31, its"),
        (90, 90, "it ends on 2026-12-31, 90 days from now"),
        (0, 0, "it ends on 2026-12-31, 0 days from now"),
        (-1, -1, "it was to end on 2026-12-31, 1 day ago"),
    ],
)
def test_the_last_ninety_days_are_counted(days: int, left: int, words: str) -> None:
    lifecycle = Lifecycle(deprecated=True, since=SINCE, sunset=SUNSET, successor=V2)
    today = SUNSET.date() - timedelta(days=days)
    assert lifecycle.days_left(today) == left
    assert words in lifecycle.message(today)
    assert "is deprecated since 2025-07-01" in lifecycle.message(today)
    assert f"its successor is {V2}" in lifecycle.message(today)
    assert "is deprecated from 2025-07-01" in lifecycle.message(date(2025, 6, 1))


_words = st.binary(max_size=30).map(lambda written: written.decode("latin-1"))
_numbers = st.integers(-(10**20), 10**20)
_headers = st.one_of(
    _words,
    st.builds("@{}".format, _numbers),
    st.builds("{}, {} Dec {} {}:{}:59 {}".format, _words, *[_numbers] * 4, _words),
    st.builds(
        "<{}>; rel={}".format,
        _words,
        st.sampled_from(["successor-version", "deprecation", '"sunset next"']),
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(["Deprecation", "Sunset", "Link"]), st.lists(_headers, max_size=3)
    )
)
def test_no_header_is_too_odd_to_be_read(headers: dict[str, list[str]]) -> None:
    encoded = {
        name: [value.encode("latin-1") for value in values] for name, values in headers.items()
    }
    lifecycle = read_lifecycle(Response("https://museum.test/v1/", headers=encoded))
    line = lifecycle.message(date(2026, 1, 1))
    assert line == "" or line.isprintable()
    assert lifecycle.filled(Lifecycle()) == lifecycle == Lifecycle().filled(lifecycle)


def test_a_harvest_tells_it_once_and_certifies_it(scrapy: Scrapy) -> None:
    """Two pages and an error, each with the headers: one warning, one line of the summary."""
    status, headers, body = recorded("objects")
    now = datetime.now(UTC)
    sunset = now + timedelta(days=30)
    headers = [
        *headers,
        ("Deprecation", f"@{int(SINCE.timestamp())}"),
        ("Sunset", format_datetime(sunset, usegmt=True)),
        ("Link", f'<{V2}>; rel="successor-version"'),
    ]
    responses: list[RawResponse] = [
        (503, headers, b""),
        (status, headers, body),
        (200, headers, body),
    ]
    with serving(lambda path: responses[min(len(server.requested), 3) - 1]) as server:
        crawl = scrapy.crawl(
            *("objects", *QUICK, "-a", "limit=6", "-a", "page_size=3"), DMG_BASE_URL=server.base_url
        )
    lifecycle = crawl.certificate["lifecycle"]
    left = (sunset.date() - datetime.now(UTC).date()).days
    assert lifecycle == {
        "deprecated": True,
        "since": "2025-07-01T00:00:00Z",
        "sunset": sunset.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "successor": V2,
        "documentation": None,
        "sunset_policy": None,
        "days_left": left,
    }
    warnings = [line for line in crawl.err.splitlines() if "is deprecated" in line]
    assert len(warnings) == 2
    assert " WARNING: this version of the API: it is deprecated since 2025-07-01" in warnings[0]
    assert warnings[1].startswith("  note")
    assert f"{left} days from now" in warnings[1]


def test_where_nothing_is_said_the_certificate_says_so(scrapy: Scrapy) -> None:
    with serving(lambda path: recorded("objects")) as server:
        crawl = scrapy.crawl(
            "objects", "-a", "limit=3", "-a", "page_size=3", DMG_BASE_URL=server.base_url
        )
    assert set(crawl.certificate["lifecycle"].values()) == {None}
    assert crawl.certificate["notes"] == {}

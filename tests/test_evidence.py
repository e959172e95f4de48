"""Rate-limit headers: every dialect, malformed, hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.http import Response

from mplus_crawler.wire.budget.budget import Quota, RateLimits
from mplus_crawler.wire.rate_limits import LONGEST_WAIT, MOST_REQUESTS, read_rate_limits

NOW = 1_800_000_000.0
Fields = dict[str, str | list[str]]


def read(status: int, fields: Fields) -> RateLimits:
    return read_rate_limits(Response("https://m/", status=status, headers=fields), now=lambda: NOW)


@pytest.mark.parametrize(
    ("fields", "quotas"),
    [
        # draft 8 and later, as the museum sends it
        (
            {
                "RateLimit-Policy": '"300-in-1min"; q=300; w=60; pk=:M2U0OGVmOWQyMmUw:',
                "RateLimit": '"300-in-1min"; r=299; t=57',
            },
            [Quota(299, 57.0, 60)],
        ),
        ({"RateLimit": '"x";r=5;t=9'}, [Quota(5, 9.0)]),
        ({"RateLimit": "default;r=50;t=30"}, [Quota(50, 30.0)]),
        ({"RateLimit": '"x";r=5', "RateLimit-Policy": '"x";q=9;w=60'}, [Quota(5, 60.0, 60)]),
        (
            {
                "RateLimit": '"second";r=1;t=1, "day";r=2999;t=80000',
                "RateLimit-Policy": '"second";q=2;w=1, "day";q=3000;w=86400',
            },
            [Quota(1, 1.0, 1), Quota(2999, 80000.0, 86400)],
        ),
        (
            {"RateLimit": ['"a";r=1;t=2', '"b";r=3;t=4']},
            [Quota(1, 2.0), Quota(3, 4.0)],
        ),
        # draft 7
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, [Quota(50, 5.0)]),
        # up to draft 6, and what came before it
        (
            {"RateLimit-Limit": "300", "RateLimit-Remaining": "247", "RateLimit-Reset": "42"},
            [Quota(247, 42.0)],
        ),
        (
            {
                "RateLimit-Limit": "100, 100;w=60",
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "7",
            },
            [Quota(0, 7.0)],
        ),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "10"}, [Quota(3, 10.0)]),
        (
            {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": str(int(NOW) + 10)},
            [Quota(3, 10.0)],
        ),
        # malformed: ignored
        ({}, []),
        ({"RateLimit": ""}, []),
        ({"RateLimit": '"x"; r=; t=60'}, []),
        ({"RateLimit": '"x"; r=-1; t=60'}, []),
        ({"RateLimit": '"x"; r=1.5; t=60'}, []),
        ({"RateLimit": '"x"; r=5; t=-60'}, []),
        ({"RateLimit": '"x"; r=99999999999999999999; t=1'}, []),
        ({"RateLimit": "<html>"}, []),
        ({"RateLimit": '"x"; r=5; t=60' + " " * 10_000 + ";"}, []),
        ({"RateLimit": "a" * 10_000}, []),
        ({"RateLimit-Remaining": "many", "RateLimit-Reset": "soon"}, []),
        ({"RateLimit-Remaining": "-5", "RateLimit-Reset": "-5"}, []),
        ({"RateLimit-Remaining": "5"}, []),
        ({"X-RateLimit-Remaining": "\u0663", "X-RateLimit-Reset": "5"}, []),
        # points in time in seconds, milliseconds, microseconds and nanoseconds
        *(
            (
                {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": f"{(NOW + 9.5) * unit:.0f}"},
                [Quota(3, 10.0)],
            )
            for unit in (10**3, 10**6, 10**9)
        ),
        (
            {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": f"{NOW + 9.25}"},
            [Quota(3, 10.0)],
        ),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": f"{NOW - 9:.0f}"}, [Quota(3, 0.0)]),
        # fractions: times are rounded up, counts down
        ({"X-RateLimit-Remaining": "3.9", "X-RateLimit-Reset": "1.2"}, [Quota(3, 2.0)]),
        ({"RateLimit": '"x"; r=5; t=1.5'}, [Quota(5, 2.0)]),
        ({"RateLimit": "limit=100, remaining=50, reset=5.1"}, [Quota(50, 6.0)]),
        # absurd: clamped
        (
            {"X-RateLimit-Remaining": str(2**63 - 1), "X-RateLimit-Reset": "5"},
            [Quota(MOST_REQUESTS, 5.0)],
        ),
        (
            {"X-RateLimit-Remaining": "9" * 400, "X-RateLimit-Reset": "9" * 400},
            [Quota(MOST_REQUESTS, LONGEST_WAIT)],
        ),
        (
            {"RateLimit": '"x"; r=999999999999999; t=999999999999999'},
            [Quota(MOST_REQUESTS, LONGEST_WAIT)],
        ),
        ({"RateLimit": '"x"; r=0; t=1000000000'}, [Quota(0, LONGEST_WAIT)]),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "999999999"}, [Quota(0, LONGEST_WAIT)]),
    ],
)
def test_counts(fields: Fields, quotas: list[Quota]) -> None:
    assert read(200, fields) == RateLimits(tuple(quotas))


@pytest.mark.parametrize(
    ("status", "fields", "back_off"),
    [
        (200, {"Retry-After": "60"}, None),
        (500, {}, None),
        (500, {"Retry-After": "60"}, 60.0),
        (502, {"Retry-After": "61"}, 61.0),
        (504, {"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        (520, {"Retry-After": "1.2"}, 2.0),
        (404, {"Retry-After": "7"}, 7.0),
        (301, {"Retry-After": "7"}, 7.0),
        (500, {"Retry-After": "-5"}, None),
        (500, {"RateLimit-Remaining": "0", "RateLimit-Reset": "42"}, None),
        (429, {"Retry-After": "0.5"}, 1.0),
        (429, {"Retry-After": "9" * 400}, LONGEST_WAIT),
        (429, {"Retry-After": "Fri, 15 Jan 2027 08:00:30"}, 30.0),
        (429, {"Retry-After": "57"}, 57.0),
        (500, {"Retry-After": "5, 57"}, 57.0),
        (503, {"Retry-After": "57, nonsense,  -1"}, 57.0),
        (503, {"Retry-After": "5"}, 5.0),
        (429, {"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        (429, {"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        # a server whose clock is an hour ahead, one whose clock is no clock
        (
            429,
            {
                "Retry-After": "Fri, 15 Jan 2027 09:00:30 GMT",
                "Date": "Fri, 15 Jan 2027 09:00:00 GMT",
            },
            30.0,
        ),
        (429, {"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT", "Date": "noon"}, 30.0),
        (429, {"Retry-After": "5", "RateLimit": '"x"; r=0; t=57'}, 57.0),
        (429, {"Retry-After": "57", "RateLimit": '"x"; r=0; t=5'}, 57.0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "42"}, 42.0),
        (429, {"RateLimit": "limit=100, remaining=0, reset=5"}, 5.0),
        (429, {}, 0.0),
        (429, {"Retry-After": "soon"}, 0.0),
        (429, {"Retry-After": "-5"}, 0.0),
        (429, {"Retry-After": "1000000000"}, LONGEST_WAIT),
        (429, {"Retry-After": "9" * 10_000}, 0.0),
        (503, {}, 0.0),
    ],
)
def test_back_offs(status: int, fields: Fields, back_off: float | None) -> None:
    assert read(status, fields).back_off == back_off


NAMES = [
    *("RateLimit", "RateLimit-Policy", "RateLimit-Remaining", "RateLimit-Reset"),
    *("Retry-After", "Date", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
]
NUMBERS = st.from_regex(r"-?[0-9]{1,400}(\.[0-9]{1,9})?", fullmatch=True)
VALUES = (
    st.text(max_size=60) | NUMBERS | st.from_regex(r'"[a-z]{0,5}"; ?r=-?\d{0,12}; ?t=-?\d{0,12}')
)


@given(st.sampled_from([200, 301, 429, 500, 503]), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_nothing_makes_it_fail_or_wait_for_ever(status: int, fields: dict[str, str]) -> None:
    evidence = read(status, dict(fields))
    assert evidence.back_off is None or 0 <= evidence.back_off <= LONGEST_WAIT
    for quota in evidence.quotas:
        assert 0 <= quota.remaining <= MOST_REQUESTS
        assert 0 <= quota.reset <= LONGEST_WAIT

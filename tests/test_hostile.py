"""Hostile inputs of every kind end with the right verdict and exit code, in plain words."""

from __future__ import annotations

import pytest

from tests.conftest import Scrapy
from tests.hostile import KEY, Case
from tests.hostile_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} {case.name}")
def test_the_verdict(scrapy: Scrapy, case: Case) -> None:
    crawl = case.run(scrapy)
    assert crawl.code == case.code, crawl.err
    said = crawl.err
    if case.verdict:
        said += crawl.certificate["reason"]
        assert crawl.certificate["verdict"] == case.verdict, crawl.err
        assert crawl.certificate["reason"].isprintable()
        assert len(crawl.certificate["reason"]) <= 300
        assert crawl.certificate["unreadable"] == case.lost
    assert case.words in said
    assert "Traceback" not in crawl.err
    assert max(map(len, crawl.err.splitlines()), default=0) < 1_000
    assert not any(word in crawl.err for word in ("\x1b", "\u202e", "\x85", KEY))


def test_every_kind_has_an_input() -> None:
    assert {case.kind for case in CASES} == set(range(1, 16))

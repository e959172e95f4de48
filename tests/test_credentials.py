"""A key in the query is sent, and appears in nothing that is written about the request."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from scrapy import Request

from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.wire.credentials import KeyFilter, remove_key, signed

BASE = "http://127.0.0.1:1/v2/"
KEY = "canary+7f3a/9c&e=%41"
SENT = "k=canary%2B7f3a%2F9c%26e%3D%2541"


@pytest.fixture(params=[KEY, "short"])
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DOOR_TOKEN", request.param)
    return str(request.param)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    text = 'environment = "DOOR_TOKEN"\nquery = "k"\npaths = ["id/objects"]\nask = "knock"\n'
    (tmp_path / "dmg.toml").write_text(f"[credential]\n{text}")
    return load_policy("dmg", tmp_path)


@pytest.mark.parametrize(
    ("path", "bare"),
    [
        ("id/objects", "id/objects?"),
        ("id/objects?page=2&q=a%2Bb&empty=", "id/objects?page=2&q=a%2Bb&empty=&"),
        ("id/objects?k=old&page=2", "id/objects?page=2&"),
        ("id/objects?page=2&k=key-struck-out&k=", "id/objects?page=2&"),
        ("id/objects?keys=1", "id/objects?keys=1&"),
    ],
)
def test_the_key_is_in_the_query_once(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, path: str, bare: str
) -> None:
    monkeypatch.setenv("DOOR_TOKEN", KEY)
    request = Request(BASE + path)
    assert signed(request, policy, BASE).url == f"{BASE}{bare}{SENT}"
    assert request.url == BASE + path


@pytest.mark.parametrize(
    "url", [f"{BASE}id/agents", f"{BASE}id/objects/../agents", "http://127.0.0.1:2/v2/id/objects"]
)
def test_it_goes_nowhere_else(policy: Policy, key: str, url: str) -> None:
    assert "k=" not in signed(Request(url), policy, BASE).url


def test_it_is_taken_out_of_errors_and_logs(
    policy: Policy, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = signed(Request(f"{BASE}id/objects?page=2"), policy, BASE).url
    try:
        try:
            raise OSError(5, f"broken: {url}")
        except OSError as cause:
            raise ValueError(f"Getting {url} took longer than 1 s", url) from cause
    except ValueError as error:
        remove_key(error, policy)
        said = f"{error} {error.__cause__}"
    logger = logging.getLogger("test_credentials")
    hide = KeyFilter(policy)
    logger.addFilter(hide)
    logger.warning("100 %% of <%s> %s", url, {"url": url})
    logger.removeFilter(hide)
    said += caplog.text
    assert url.partition("k=")[2] not in said
    assert "page=2" in said
    assert "100 % of" in said

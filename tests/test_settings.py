"""Settings: misspelt names, values that would make a verdict untrue, ``~``, the contact."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.utils.project import get_project_settings

from mplus_crawler.cli.spelling import edits
from mplus_crawler.cli.values import check_given, check_objects, check_values
from mplus_crawler.errors import UsageError
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.wire import serving


@pytest.mark.parametrize(
    ("command", "given", "environment", "name"),
    [
        (("crawl", "objects"), ("-s", "HARVESTDIR=x"), {}, "HARVEST_DIR"),
        (("crawl", "objects"), ("-s", "LOOKAHED=2"), {}, "LOOKAHEAD"),
        (("crawl", "objects"), ("-s", "max_reject_share=1"), {}, "MAX_REJECT_SHARE"),
        (("harvest", "dmg"), ("-s", "RATE_SHARES=1"), {}, "RATE_SHARE"),
        (("crawl", "objects"), (), {"HARVESTDIR": "x"}, "HARVEST_DIR"),
        (("crawl", "objects"), (), {"harvest_dir": "x"}, "HARVEST_DIR"),
        (("crawl", "objects"), (), {"DMG_APIKEY": "canary"}, "DMG_API_KEY"),
        (("doctor", "dmg", "--offline"), (), {"CONTACT_ULR": "x"}, "CONTACT_URL"),
        (("budget",), ("-s", "BUDGETURL=x"), {}, "BUDGET_URL"),
        (("retention",), (), {"POLICYDIR": "x"}, "POLICY_DIR"),
        (("verify", "x"), (), {"MPLUS_UR": "x"}, "MPLUS_URL"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_right_name(
    scrapy: Scrapy,
    command: tuple[str, ...],
    given: tuple[str, ...],
    environment: dict[str, str],
    name: str,
) -> None:
    done = scrapy.run(*command, *given, **environment)
    assert done.returncode == 2, done.stderr
    assert f"did you mean {name}?" in done.stderr
    assert "canary" not in done.stderr
    assert done.stderr.count("error: ") == 1


def check(pair: str) -> None:
    """Check ``-s PAIR`` as a crawl does."""
    name, _, value = pair.partition("=")
    check_objects([pair])
    settings = get_project_settings()
    settings.set(name, value, priority="cmdline")
    check_given(settings, [pair])
    check_values(settings)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("REACTOR_THREADPOOL_MAXSIZE=0", "from 1 to 1000"),
        ("LOOKAHEAD=2.5", "a whole number from 1 to 64"),
        ("LOOKAHEAD=none", "from 1 to 64"),
        ("CONCURRENT_REQUESTS_PER_DOMAIN=0", "from 1 to 1000"),
        ("CONCURRENT_REQUESTS=x", "must be a whole number"),
        ("DOWNLOAD_MAXSIZE=big", "must be a whole number"),
        ("DOWNLOAD_DELAY=x", "must be a number"),
        ("CLOSESPIDER_TIMEOUT=x", "must be a number"),
        ("LOGSTATS_INTERVAL=abc", "must be a number"),
        ("DOWNLOAD_VERIFY_CERTIFICATES=x", "must be True or False"),
        ("CONCURRENT_ITEMS=-1", "from 1 to 1000"),
        ("DNS_TIMEOUT=x", "must be a number"),
        ("DEPTH_LIMIT=2.5", "must be a whole number"),
        ("COOKIES_ENABLED=perhaps", "must be True or False"),
        ("LOG_FORMATTER=nodots", "not a full path"),
        ("TWISTED_REACTOR=scrapy.Nothing", "scrapy.Nothing cannot be loaded"),
        ("SPIDER_MODULES=no_such", "No module named 'no_such'"),
        ("ASYNCIO_EVENT_LOOP=x.y", "x.y cannot be loaded"),
        ('ITEM_PIPELINES={"x.y": 1}', "x.y cannot be loaded"),
        ('FEED_EXPORTERS={"csv": "x.y"}', "x.y cannot be loaded"),
        ('ADDONS={"x": 1}', "x cannot be loaded"),
        ("FEEDS=x", "must be a JSON object"),
    ],
)
def test_a_value_that_scrapy_cannot_use_is_refused(pair: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"{pair.partition('=')[0]}.*{re.escape(words)}"):
        check(pair)


@pytest.mark.parametrize(
    "pair",
    [
        *("DOWNLOAD_DELAY=0.5", "EXTENSIONS={}", "REFERRER_POLICY=origin", "DUPEFILTER_DEBUG=1"),
        *('EXTENSIONS={"scrapy.extensions.corestats.CoreStats": null}', "MY_OWN=x"),
    ],
)
def test_a_value_that_scrapy_can_use_is_not_refused(pair: str) -> None:
    check(pair)


def test_other_programs_variables_are_left_alone(scrapy: Scrapy) -> None:
    others = {"WIDGET_URL": "x", "LOOK": "x", "HARVEST_DIRECTORY": "x", "MAX_SHARE": "x"}
    assert scrapy.run("budget", "-s", "MY_OWN_THING=1", **others).returncode == 0


_WORDS = st.text("ABC_", max_size=6)


@given(_WORDS, _WORDS, _WORDS)
def test_edits_are_a_metric(one: str, other: str, third: str) -> None:
    assert (edits(one, other) == 0) is (one == other)
    assert edits(one, other) == edits(other, one) <= max(len(one), len(other))
    assert edits(one, third) <= edits(one, other) + edits(other, third)


def test_settings_that_make_a_verdict_untrue_are_ignored(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    faults = ["truncate:path=objects,page=2", "status:code=404,path=objects,page=3,times=always"]
    sandbox = museum(objects=300, invalid=0)
    scrapy.at(sandbox).policy(limit(1_000_000, 1))
    settings = {
        "HTTPCACHE_ENABLED": "1",
        "HTTPCACHE_DIR": str(tmp_path / "cache"),
        "JOBDIR": str(tmp_path / "job"),
        "DOWNLOAD_FAIL_ON_DATALOSS": "False",
        "RETRY_ENABLED": "0",
        "HTTPERROR_ALLOWED_CODES": "404",
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
    }
    given = [word for name, value in settings.items() for word in ("-s", f"{name}={value}")]
    first = scrapy.crawl("objects", *given)
    assert first.code == 0, first.err
    for name in settings.keys() - {"HTTPCACHE_DIR"}:
        assert first.err.count(f"{name} is ignored: ") == 1
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "job").exists()
    for fault in faults:
        sandbox.fault(fault)
    second = scrapy.crawl("objects", *given)
    assert second.code == 10, second.err
    assert second.certificate["requests"]["by_status"]["404"] >= 1
    assert "Traceback" not in second.err


def test_components_of_ones_own_come_beside_ours(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.at(museum(objects=120, invalid=0)).policy(limit(1_000_000, 1))
    for name in ("ITEM_PIPELINES", "EXTENSIONS", "DOWNLOADER_MIDDLEWARES", "FEED_STORAGES"):
        crawl = scrapy.crawl("objects", "-s", f"{name}={{}}")
        assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete"), crawl.err
        assert crawl.certificate["feeds"][0]["sha256"]


@pytest.mark.parametrize("name", ["HARVEST_DIR", "HARVEST_STATE_DIR", "POLICY_DIR", "LOG_FILE"])
def test_a_tilde_is_the_home_folder(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path, name: str
) -> None:
    scrapy.at(museum(objects=20, invalid=0))
    (tmp_path / "mine").mkdir()
    path = "~/mine/log" if name == "LOG_FILE" else "~/mine"
    done = scrapy.run("crawl", "objects", "-s", f"{name}={path}", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert name == "POLICY_DIR" or any((tmp_path / "mine").iterdir())
    unknown = scrapy.run("crawl", "objects", "-s", f"{name}=~nobody-here/x")
    assert unknown.returncode == 2
    assert f"{name}=~nobody-here/x: no such user" in unknown.stderr
    assert not list(Path.cwd().glob("~*"))


def test_the_contact_given_with_s_is_in_the_user_agent(scrapy: Scrapy) -> None:
    with serving(lambda path: (410, [], b"")) as server:
        for contact in ("https://lab.example/me", "mailto:me@lab.example"):
            scrapy.crawl("objects", "-s", f"CONTACT_URL={contact}", DMG_BASE_URL=server.base_url)
        agents = {headers["user-agent"] for headers in server.headers_seen}
    assert {agent.partition("(")[2] for agent in agents} == {
        "+https://lab.example/me)",
        "+mailto:me@lab.example)",
    }
    for wrong in ("two words", "a)b", "caf\u00e9", "x\ny"):
        assert scrapy.run("crawl", "objects", "-s", f"CONTACT_URL={wrong}").returncode == 2


def test_doctor_warns_of_the_example_and_of_no_key_that_nobody_needs(scrapy: Scrapy) -> None:
    done = scrapy.run("doctor", "--offline")
    assert done.returncode == 0, done.stdout
    assert (
        "warn contact: https://example.org/mplus_crawler\n     fix: set CONTACT_URL" in done.stdout
    )
    assert "ok   key MPLUS_API_KEY: not set" in done.stdout
    named = scrapy.run("doctor", "mplus", "--offline", CONTACT_URL="mailto:me@lab.example")
    assert named.returncode == 1
    assert "FAIL key MPLUS_API_KEY" in named.stdout
    assert "ok   contact: mailto:me@lab.example" in named.stdout

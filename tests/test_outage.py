"""A server that is away: the harvest waits while that can help, then reports the cause."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.outage import Outage
from mplus_crawler.wire.retry import FIRST_TIMEOUT
from tests.conftest import Scrapy, limit

pytestmark = pytest.mark.long

UNLIMITED = limit(1_000_000, 1) + limit(1_000_000, 1, "single")
# The server is waited for during 240 times that many seconds.
QUICK = ("-s", "RETRY_BACKOFF_BASE=0.02", "-s", "AUTOTHROTTLE_MAX_DELAY=0.05")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_out(outage: Outage, clock: Clock, *, unreachable: bool = False) -> list[float]:
    """The pauses that a request waits while nothing comes back."""
    pauses: list[float] = []
    while True:
        outage.failed(unreachable=unreachable)
        if outage.exhausted:
            return pauses
        pauses.append(outage.pause)
        clock.now += outage.pause


def test_a_server_that_has_responded_is_waited_for_with_growing_pauses() -> None:
    clock = Clock()
    outage = Outage(120.0, clock)
    outage.responded = True
    pauses = wait_out(outage, clock)
    assert pauses == sorted(pauses)
    assert (pauses[0], max(pauses)) == (4.0, 40.0)
    assert 120 <= sum(pauses) <= 160
    assert len(pauses) < 8
    # A restart of a minute is over long before.
    assert any(60 <= sum(pauses[:n]) < 100 for n in range(len(pauses)))
    outage.over()
    assert (outage.failures, outage.seconds, outage.exhausted) == (0, 0.0, False)


def test_a_server_that_has_never_responded_is_given_up_within_a_minute() -> None:
    clock = Clock()
    outage = Outage(120.0, clock)
    pauses = wait_out(outage, clock)
    assert 2 <= len(pauses) <= 8
    assert 10 <= sum(pauses) <= 45
    outage.over()
    assert wait_out(outage, clock, unreachable=True) == [4.0, 8.0]
    outage.responded = True
    outage.over()
    assert sum(wait_out(outage, clock, unreachable=True)) >= 120


# --- at the wire ------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The base URL of a server that does *serve* with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
        server.shutdown(socket.SHUT_RDWR)


def hang(connection: socket.socket) -> None:
    with connection:
        connection.recv(65536)
        time.sleep(30)


def hang_up(connection: socket.socket) -> None:
    with connection:
        connection.recv(65536)


def speak_no_http(connection: socket.socket) -> None:
    with connection:
        connection.recv(65536)
        connection.sendall(b"220 mail.example.org ESMTP\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (hang, "no response from 127.0.0.1"),
        (hang_up, "connection was closed before"),
        (speak_no_http, "not HTTP"),
    ],
)
@pytest.mark.parametrize("spider", ["agents", "types"])
def test_a_server_that_never_responds_is_named_with_what_happens(
    scrapy: Scrapy, serve: Callable[[socket.socket], None], words: str, spider: str
) -> None:
    scrapy.policy(UNLIMITED)
    began = time.monotonic()
    with listening(serve) as base_url:
        crawl = scrapy.crawl(spider, *QUICK, "-s", "DOWNLOAD_TIMEOUT=0.4", DMG_BASE_URL=base_url)
    assert crawl.code == 10, crawl.err
    assert words in crawl.certificate["reason"]
    assert len(crawl.certificate["reason"]) <= 300
    assert time.monotonic() - began < 30


def short_first_timeout(scrapy: Scrapy, seconds: float) -> str:
    return scrapy.first(f"from mplus_crawler.wire import retry\nretry.FIRST_TIMEOUT = {seconds}\n")


@pytest.mark.parametrize("spider", ["objects", "types"])
def test_a_server_that_never_responds_is_given_up_before_a_time_out_ends(
    scrapy: Scrapy, spider: str
) -> None:
    """Two attempts of FIRST_TIMEOUT are less than a minute, whatever DOWNLOAD_TIMEOUT is."""
    assert 2 * FIRST_TIMEOUT < 60
    scrapy.policy(UNLIMITED)
    began = time.monotonic()
    with listening(hang) as base_url:
        first = short_first_timeout(scrapy, 0.6)
        crawl = scrapy.crawl(spider, *QUICK, DMG_BASE_URL=base_url, RUN_FIRST=first)
    assert crawl.code == 10, crawl.err
    assert "has never responded in" in crawl.certificate["reason"]
    assert time.monotonic() - began < 20


def test_a_server_that_has_responded_has_the_whole_time_out(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.at(museum(objects=230, invalid=0, faults=["latency:path=objects,page=2,seconds=2"]))
    scrapy.policy(UNLIMITED)
    crawl = scrapy.crawl("objects", *QUICK, RUN_FIRST=short_first_timeout(scrapy, 1))
    assert crawl.code == 0, crawl.err
    assert "no response" not in crawl.err


@pytest.mark.parametrize("spider", ["agents", "agent", "types"])
def test_a_refused_connection_suggests_the_sandbox(scrapy: Scrapy, spider: str) -> None:
    scrapy.policy(UNLIMITED)
    arguments = ("-a", "pids=DMG-A-00162,DMG-A-00163") if spider == "agent" else ()
    port = free_port()
    crawl = scrapy.crawl(spider, *arguments, *QUICK, DMG_BASE_URL=f"http://127.0.0.1:{port}/v2/")
    assert crawl.code == 10, crawl.err
    assert f"connection refused by 127.0.0.1:{port}" in crawl.certificate["reason"]
    assert f"scrapy sandbox --port {port}" in crawl.certificate["reason"]
    assert "Error" not in crawl.certificate["reason"]


def at(port: int) -> Sandbox:
    return Sandbox(objects=300, latency=0.05, limits="off", port=port, v1="live")


def start(scrapy: Scrapy, sandbox: Sandbox, spider: str = "objects") -> Any:
    """A harvest of *sandbox* that has had some of its pages."""
    scrapy.at(sandbox).policy(UNLIMITED)
    process = scrapy.start("crawl", spider, "-a", "page_size=10", *QUICK)
    while sum(tier["requests"] for tier in sandbox.stats()["tiers"].values()) < 6:
        time.sleep(0.02)
        assert process.poll() is None
    return process


# Half of the time that the server is waited for.
AWAY = 2.4


@pytest.mark.parametrize("fault", ["", "status:code=503,", "status:code=502,", "truncate:"])
def test_a_restart_costs_nothing(scrapy: Scrapy, fault: str) -> None:
    port = free_port()
    with at(port) as sandbox:
        process = start(scrapy, sandbox)
        if fault:
            sandbox.fault(f"{fault}times=always")
            time.sleep(AWAY)
            sandbox.clear()
    if not fault:
        time.sleep(AWAY)
    with at(port):
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert fault or "connection refused" in errors
    feed = Path(scrapy.folder, "data", "objects.jsonl").read_text()
    assert len(feed.splitlines()) >= 290


@pytest.mark.parametrize("spider", ["objects", "v1_objects"])
def test_a_server_that_stays_away_stops_the_harvest(scrapy: Scrapy, spider: str) -> None:
    with at(free_port()) as sandbox:
        process = start(scrapy, sandbox, spider)
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 11, errors
    assert 2 * AWAY - 1 <= time.monotonic() - began < 20
    assert "the server is unavailable" in errors
    assert "connection refused by 127.0.0.1" in errors
    assert f"scrapy crawl {spider}" in errors
    reason = next(line for line in errors.splitlines() if "reason" in line)
    assert len(reason) < 330


# Every second response is an error, the others are no pages: a gateway in front of a server.
SICK = {
    "no page": ["status:code=503,every=2", "empty:nth=2"],
    "HTML": ["status:code=500,every=2", "html:nth=2"],
    "no rows": ["status:code=502,every=2", "empty_page:nth=2"],
}


@pytest.mark.parametrize("faults", SICK.values(), ids=SICK)
def test_errors_with_invalid_responses_between_are_an_outage(
    scrapy: Scrapy, faults: list[str]
) -> None:
    faults = [f"{fault},path=objects,times=always" for fault in faults]
    with Sandbox(objects=1000, limits="off", faults=faults) as sandbox:
        scrapy.at(sandbox).policy(UNLIMITED)
        crawl = scrapy.crawl("objects", "-a", "page_size=10", *QUICK)
        requests = sandbox.stats()["tiers"]["collections"]["requests"]
    assert crawl.code == 11, crawl.err
    assert "the server is unavailable" in crawl.certificate["reason"]
    assert requests < 60


def test_bad_pages_of_two_kinds_are_no_outage(scrapy: Scrapy) -> None:
    faults = ["status:code=503,path=objects,page=4", "empty:path=objects,page=5"]
    faults = [f"{fault},times=always" for fault in faults]
    with Sandbox(objects=120, invalid=0, limits="off", faults=faults) as sandbox:
        scrapy.at(sandbox).policy(UNLIMITED)
        crawl = scrapy.crawl("objects", "-a", "page_size=10", *QUICK)
    assert crawl.code == 10, crawl.err
    assert crawl.certificate["unique"] >= 100

"""The safe profile: what the crawler does not open, keep, trust or disclose."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy
from tests.test_exchange import recorded
from tests.wire import serving


def listening_ports(pid: int) -> set[int]:
    """TCP ports on which process *pid* listens (Linux)."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if target.startswith("socket:"):
            inodes.add(target[len("socket:[") : -1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="reads Linux's /proc")
def test_a_crawl_listens_on_no_port(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=500, latency=1)
    process = scrapy.at(sandbox).start("crawl", "objects", "-s", "LOOKAHEAD=1")
    try:
        while not sandbox.stats()["tiers"]["collections"]["requests"]:
            assert process.poll() is None
            time.sleep(0.05)
        assert listening_ports(process.pid) == set()
    finally:
        process.kill()
        process.communicate()


def test_the_museum_learns_who_requests_and_sets_no_cookie(scrapy: Scrapy) -> None:
    requested: list[dict[str, str]] = []
    status, headers, body = recorded("objects")

    with serving(lambda path: (status, [*headers, ("Set-Cookie", "a=b")], body)) as server:
        server.headers_seen = requested
        crawl = scrapy.crawl(
            "objects",
            *("-a", "limit=6", "-a", "page_size=3", "-s", "LOOKAHEAD=1", "-s", "RETRY_TIMES=0"),
            DMG_BASE_URL=server.base_url,
            CONTACT_URL="https://lab.example/harvest",
        )
    assert len(requested) == 2, crawl.err
    for seen in requested:
        assert seen["user-agent"].startswith("mplus_crawler/")
        assert "https://lab.example/harvest" in seen["user-agent"]
        assert "cookie" not in seen
        assert "referer" not in seen


def test_a_body_beyond_all_reason_is_not_read(scrapy: Scrapy) -> None:
    with serving(
        lambda path: (200, [("Content-Type", "application/json")], b" " * (33 << 20))
    ) as s:
        crawl = scrapy.crawl("objects", "-s", "RETRY_TIMES=0", DMG_BASE_URL=s.base_url)
    assert crawl.code == 10, crawl.err
    assert "Traceback" not in crawl.err


def test_the_log_is_short_and_says_how_far_it_is(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=600, latency=0.2)
    crawl = scrapy.at(sandbox).crawl("objects", "-s", "LOOKAHEAD=1", LOGSTATS_INTERVAL="0.3")
    assert crawl.code == 0, crawl.err
    progress = [line for line in crawl.err.splitlines() if "records/s" in line]
    assert progress
    assert "of 6, record" in progress[-1]
    assert len(crawl.err.splitlines()) - len(progress) < 15

"""Kill it anywhere: the same command resumes, and the result is that of an uninterrupted run."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
SMALL_PAGES = ("-a", "page_size=20")


def ledgers(folder: Path) -> list[Path]:
    return [path for path in (folder / ".state").iterdir() if path.suffix == ".ledger"]


def without_times(lines: list[dict[str, object]]) -> list[str]:
    return sorted(str({k: v for k, v in line.items() if k != "retrieved_at"}) for line in lines)


def kill_after(scrapy: Scrapy, seconds: float, *arguments: str, **environment: str) -> int:
    process = scrapy.start("crawl", "objects", *arguments, **environment)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    return process.wait()


@pytest.mark.long
def test_twenty_kills_at_any_moment_lose_nothing_and_repeat_nothing(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=500, latency=0.05)
    scrapy.at(sandbox).policy(UNLIMITED)
    began = time.monotonic()
    undisturbed = scrapy.crawl("objects", *SMALL_PAGES, HARVEST_DIR=str(scrapy.folder / "whole"))
    took = time.monotonic() - began
    pages = sandbox.stats()["tiers"]["collections"]["requests"]
    sandbox.reset()
    dice = random.Random(4)
    kills = harvests = 0
    while kills < 20 and not harvests:
        kills += kill_after(scrapy, dice.uniform(0.1, 0.6) * took, *SMALL_PAGES) == -signal.SIGKILL
        harvests = (scrapy.folder / "data" / "objects.certificate.json").exists()
    crawl = scrapy.crawl("objects", *SMALL_PAGES)
    assert crawl.code == 0, crawl.err
    assert without_times(crawl.records) == without_times(undisturbed.records)
    assert without_times(crawl.rejected) == without_times(undisturbed.rejected)
    assert crawl.certificate["id_digest"] == undisturbed.certificate["id_digest"]
    listed = [path for _, path, _ in sandbox.stats(log=True)["log"]]
    # Requests in flight at a kill are sent again, saved ones never.
    assert len(listed) <= (1 + harvests) * pages + kills * 5
    assert ledgers(crawl.folder) == []
    assert not list(crawl.folder.glob(".*.part"))


def stopped_half_way(scrapy: Scrapy, sandbox: Sandbox) -> Crawl:
    """A harvest that ended incomplete, with most of its responses in the ledger."""
    sandbox.fault("html:path=objects,page=10,times=always")
    crawl = (
        scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", *SMALL_PAGES, "-s", "RETRY_TIMES=0")
    )
    assert crawl.code == 10, crawl.err
    sandbox.clear()
    sandbox.reset()
    return crawl


def test_resuming_requests_only_what_is_missing(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=400)
    first = stopped_half_way(scrapy, sandbox)
    run = first.certificate["run"]
    before = {line["id"]: line["retrieved_at"] for line in first.lines("objects.incomplete.jsonl")}
    crawl = scrapy.crawl("objects", *SMALL_PAGES)
    assert crawl.code == 0, crawl.err
    # The page that was missing, its stubs, and the page at the seam once more.
    assert sandbox.stats()["tiers"]["collections"]["requests"] <= 3
    assert crawl.certificate["pages"]["replayed"] == 19
    assert crawl.certificate["pages"]["fetched"] == 1
    assert crawl.certificate["run"] == run
    after = {line["id"]: line["retrieved_at"] for line in crawl.records}
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_other_arguments_are_another_harvest(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=400)
    stopped_half_way(scrapy, sandbox)
    crawl = scrapy.crawl("objects", *SMALL_PAGES, "-a", "hasImages=true")
    assert crawl.certificate["pages"]["replayed"] == 0


@pytest.mark.parametrize("how", [("-a", "fresh=true"), ("-s", "RESUME_MAX_AGE=0")])
def test_starting_afresh(
    museum: Callable[..., Sandbox], scrapy: Scrapy, how: tuple[str, str]
) -> None:
    sandbox = museum(objects=400)
    stopped_half_way(scrapy, sandbox)
    crawl = scrapy.crawl("objects", *SMALL_PAGES, *how)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["pages"]["replayed"] == 0
    assert how[0] == "-a" or "afresh" in crawl.err


def test_a_second_process_is_refused_and_shown_the_first(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=400, latency=0.5)
    first = scrapy.at(sandbox).start("crawl", "objects")
    while not sandbox.stats()["tiers"]["collections"]["requests"]:
        time.sleep(0.05)
    second = scrapy.crawl("objects")
    assert second.code == 2
    assert f"process {first.pid}" in second.err
    other = scrapy.crawl("agents", "-a", "limit=5")
    assert other.code == 0, other.err
    _, errors = first.communicate()
    assert first.returncode == 0, errors


def damage(ledger: Path) -> None:
    content = bytearray(ledger.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 9000] = b"\xff" * 9000
    ledger.write_bytes(content)


def test_a_damaged_ledger_is_set_aside(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=400)
    first = stopped_half_way(scrapy, sandbox)
    (ledger,) = ledgers(first.folder)
    damage(ledger)
    crawl = scrapy.crawl("objects", *SMALL_PAGES)
    assert crawl.code == 0, crawl.err
    ids = [record["id"] for record in [*crawl.records, *crawl.rejected]]
    assert sorted(ids) == sorted(sandbox.truth()["objects"]["ids"])
    assert "damaged" in crawl.err


def test_a_response_that_was_changed_in_the_ledger_is_not_trusted(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=400)
    first = stopped_half_way(scrapy, sandbox)
    (ledger,) = ledgers(first.folder)
    with sqlite3.connect(ledger) as db:
        db.execute(
            "UPDATE response SET body = replace(body, 'Gent', 'Gand') WHERE url LIKE '%page=7&%'"
        )
    db.close()
    crawl = scrapy.crawl("objects", *SMALL_PAGES)
    assert crawl.code == 0, crawl.err
    assert "Gand" not in (crawl.folder / "objects.jsonl").read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_page_and_leaves_a_certificate(
    museum: Callable[..., Sandbox], scrapy: Scrapy, how: signal.Signals
) -> None:
    sandbox = museum(objects=400, latency=0.3)
    process = scrapy.at(sandbox).policy(UNLIMITED).start("crawl", "objects", *SMALL_PAGES)
    while sandbox.stats()["tiers"]["collections"]["requests"] < 6:
        time.sleep(0.05)
    process.send_signal(how)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 11, errors
    stopped = Crawl(11, "", errors, scrapy.folder / "data", "objects")
    assert stopped.certificate["verdict"] == "stopped"
    assert stopped.certificate["resume"] == "scrapy crawl objects -a page_size=20"
    assert stopped.lines("objects.incomplete.jsonl")
    sandbox.fault("latency:seconds=0")
    crawl = scrapy.crawl("objects", *SMALL_PAGES)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["pages"]["replayed"] >= 1


def test_appending_after_a_kill_appends_once(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    feed = tmp_path / "all.jsonl"
    sandbox = museum(objects=300, invalid=0)
    scrapy.at(sandbox).policy(UNLIMITED)
    assert scrapy.crawl("objects", "-o", str(feed)).code == 0
    assert scrapy.crawl("objects", "-o", str(feed)).code == 0
    assert len(feed.read_bytes().splitlines()) == 600


# Kills the process after its summary, and before its very last act.
KILLED_AT_THE_END = """
import os, pathlib, signal
unlink = pathlib.Path.unlink
def kill(self, missing_ok=False):
    if self.suffix == ".appended" and self.exists():
        os.kill(os.getpid(), signal.SIGKILL)
    unlink(self, missing_ok)
pathlib.Path.unlink = kill
"""


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_appending_after_a_kill_at_the_very_end_appends_once(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path, form: str
) -> None:
    feed = tmp_path / f"all.{form}"
    scrapy.at(museum(objects=30, invalid=0)).policy(UNLIMITED)
    killed = scrapy.run(
        *("crawl", "objects", "-o", str(feed)), RUN_FIRST=scrapy.first(KILLED_AT_THE_END)
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "objects: complete (exit 0)" in killed.stderr
    lines = 30 + (form == "csv")
    assert len(feed.read_bytes().splitlines()) == lines
    assert scrapy.crawl("objects", "-o", str(feed)).code == 0
    assert len(feed.read_bytes().splitlines()) == lines
    assert scrapy.crawl("objects", "-o", str(feed)).code == 0
    assert len(feed.read_bytes().splitlines()) == 30 + lines

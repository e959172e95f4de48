"""The summary on standard error: what a person reads when a harvest ends."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from mplus_crawler.cli.console import report
from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.cli.summary import SpiderResult, print_results
from mplus_crawler.errors import ExitCode, UsageError
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.wire import serving

UNLIMITED = limit(1_000_000, 1)


def test_it_names_api_time_and_rejected_records_by_reason(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=460)
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", "-s", "MAX_REJECT_SHARE=1")
    assert crawl.code == 0, crawl.err
    lines = crawl.err.splitlines()
    rejected = crawl.certificate["rejected"]
    assert rejected
    file = crawl.folder / "objects.rejected.jsonl"
    assert f"  rejected {rejected}: {rejected} schema, see {file}" in lines
    assert f"  API: {sandbox.base_url}" in lines
    (started,) = [line for line in lines if line.startswith("  started ")]
    assert crawl.certificate["started_at"] in started
    assert started.endswith(" s")
    assert not any(line.startswith(("  absent", "  to resume")) for line in lines)


def test_absent_records_are_counted_by_reason(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=60, invalid=0)
    known = [uri.rpartition("/")[2] for uri in sandbox.truth()["objects"]["ids"][:12]]
    pids = ",".join([*known, "nothing-1", "nothing-2"])
    scrapy.at(sandbox).policy(limit(1_000_000, 1, "single"))
    crawl = scrapy.crawl("object", "-a", f"pids={pids}")
    assert "  absent 2: 2 not_found" in crawl.err.splitlines(), crawl.err


def test_the_command_to_resume_has_what_it_needs(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=300, faults=["status:code=404,path=objects,page=2,times=always"])
    scrapy.at(sandbox).policy(UNLIMITED)
    (resume,) = [line for line in scrapy.crawl("objects").err.splitlines() if "to resume: " in line]
    assert f" DMG_BASE_URL={sandbox.base_url} " in resume
    assert f" HARVEST_DIR={scrapy.folder}/data " in resume
    assert resume.endswith(" scrapy crawl objects")
    base = f"DMG_BASE_URL={sandbox.base_url}"
    del scrapy.environment["DMG_BASE_URL"]
    given = scrapy.crawl("objects", "-a", "limit=250", "-s", base).err
    assert f"scrapy crawl objects -a limit=250 -s {base}\n" in given
    assert given.count(base) == 1


@pytest.mark.parametrize("status", [401, 410])
def test_where_resuming_cannot_help_it_names_no_command(scrapy: Scrapy, status: int) -> None:
    with serving(lambda _: (status, [], b"")) as server:
        crawl = scrapy.crawl("objects", DMG_BASE_URL=server.base_url)
    assert crawl.code == 12, crawl.err
    assert "to resume" not in crawl.err


@pytest.mark.parametrize(
    "words", ["\x1b[31mred\x1b[0m \u202e", "[/b] [red] :smile:\nerror: forged"]
)
def test_words_of_a_server_are_one_plain_line(words: str) -> None:
    found = SpiderResult("objects", ExitCode.INCOMPLETE, words, words)
    err = io.StringIO()
    with redirect_stderr(err):
        print_results([found], [])
        report(UsageError(words))
    lines = err.getvalue().splitlines()
    assert len(lines) == 4
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert str(Check("API", words)).count("\n") == 0


def test_the_table_of_a_museum_fits_eighty_columns(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=120, agents=60, exhibitions=20, concepts=60, invalid=0)
    done = scrapy.at(sandbox).policy(UNLIMITED).run("harvest", "dmg", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    table = done.stderr[done.stderr.index("spider") :].splitlines()[:5]
    assert max(map(len, table)) <= 80
    assert "\x1b" not in done.stderr

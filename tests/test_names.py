"""Which files a run writes, by its kind and its end; and which remain after a kill."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_crawler.feeds.names import in_state
from mplus_crawler.feeds.transaction import roll_forward
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
WHOLE = ("jsonl", "certificate.json", "rejected.jsonl")
# Kills the process just before it renames for the nth time, once it is publishing.
KILLED = """
import os, signal
rename, left = os.replace, int(os.environ["RENAMES"])
def replace(source, target, **kwargs):
    global left
    left -= not str(target).endswith(".json.lock")
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target, **kwargs)
os.replace = replace
"""


def published(*folders: Path) -> dict[str, bytes]:
    """The files in *folders* by name, but for ``runs/``."""
    return {
        file.name: file.read_bytes()
        for folder in folders
        for file in folder.glob("*.*")
        if file.is_file() and not file.name.startswith(".")
    }


def check_published(*folders: Path) -> None:
    """Every published file has its certificate, and agrees with it."""
    for folder in folders:
        for file in [*folder.glob("[!.]*.jsonl"), *folder.glob("[!.]*.certificate.json")]:
            findings = list(verify(file, None, folders[0]))
            assert findings, file
            assert all(finding.agrees for finding in findings), [str(each) for each in findings]
    if any((folders[0] / "changes").glob("*/[!.]*.jsonl")):
        findings = list(verify(folders[0], None, folders[0]))
        assert all(finding.agrees for finding in findings), [str(each) for each in findings]


def named(stem: str, *endings: str) -> set[str]:
    return {f"{stem}.{ending}" for ending in endings}


@pytest.fixture
def sandbox(museum: Callable[..., Sandbox], scrapy: Scrapy) -> Sandbox:
    """A museum of 120 objects, and the command pointed at it."""
    opened = museum(objects=120, agents=30, exhibitions=3, concepts=3)
    scrapy.at(opened).policy(UNLIMITED)
    return opened


@pytest.mark.long
def test_nothing_but_a_whole_complete_harvest_touches_a_snapshot(
    sandbox: Sandbox, scrapy: Scrapy
) -> None:
    data, out = scrapy.folder / "data", scrapy.folder / "out"
    assert scrapy.crawl("objects").code == 0
    snapshot = published(data)
    assert set(snapshot) == named("objects", *WHOLE) | {"ATTRIBUTION.md"}
    known: set[str] = set()

    def check(files: set[str]) -> None:
        known.update(files)
        assert set(published(data)) == {*snapshot, *known}
        assert {name: published(data)[name] for name in snapshot} == snapshot
        check_published(data, out)

    for arguments in (("-a", "limit=3"), ("-a", "since=2020-01-01"), ("-a", "hasImages=true")):
        assert scrapy.crawl("objects", *arguments).code == 0
        check(named("objects.selection", *WHOLE))
    assert scrapy.crawl("objects", "-O", str(out / "three.csv"), "-a", "limit=3").code == 0
    assert set(published(out)) == named("three", "csv", "schema.json", *WHOLE[1:])
    for place in ("-:jsonlines", str(data / "objects.csv")):
        assert scrapy.crawl("objects", "-O", place, "-a", "limit=3").code == 0
    check({"objects.csv", "objects.schema.json"})
    runs = published(data / "runs")
    assert len([name for name in runs if name.endswith(".certificate.json")]) == 7
    assert len([name for name in runs if name.endswith(".rejected.jsonl")]) == 2
    assert all(re.match(r"\d{8}T\d{6}Z-objects-\d{8}T\d{6}Z-\d+\.", name) for name in runs)
    pid = sandbox.truth()["objects"]["ids"][0].rpartition("/")[2]
    assert scrapy.crawl("object", "-a", f"pids={pid}").code == 0
    check(named("object", *WHOLE))

    for refused in (
        ("objects", "-a", "colour=red"),
        ("objects", "-O", str(data / "objects.jsonl")),
        ("agents", "-O", str(data / "objects.jsonl")),
        ("objects", "-O", str(data / "x.certificate.json")),
        ("objects", "-O", str(out / "x.rejected.jsonl")),
        ("objects", "-O", f"{out / 'x.schema.json'}"),
    ):
        assert scrapy.crawl(*refused).code == 2
        check(set())

    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    for given, stem in (
        ("fresh=true", "objects.incomplete"),
        ("since=2020-01-01", "objects.selection.incomplete"),
    ):
        assert scrapy.crawl("objects", "-a", given).code == 10
        check(named(stem, *WHOLE))
    assert scrapy.crawl("objects", "-O", str(out / "three.csv")).code == 10
    assert named("three.incomplete", "csv", "schema.json", *WHOLE[1:]) < set(published(out))
    check(set())

    sandbox.clear()
    assert scrapy.crawl("objects", "-a", "fresh=true").code == 0
    assert not named("objects.incomplete", *WHOLE) & set(published(data))
    check_published(data, out)


def test_another_spiders_name_is_kept_free_for_its_snapshot(
    sandbox: Sandbox, scrapy: Scrapy
) -> None:
    data = scrapy.folder / "data"
    assert scrapy.crawl("concepts", "-O", str(data / "objects.jsonl")).code == 2
    crawl = scrapy.crawl("concepts", "-O", str(data / "objects.csv"), MAX_REJECT_SHARE="1")
    assert crawl.code == 0, crawl.err
    assert set(published(data)) == {"objects.csv", "objects.schema.json"}
    check_published(data, data / "runs")


def test_runs_keeps_the_newest_of_each_spider(sandbox: Sandbox, scrapy: Scrapy) -> None:
    runs = scrapy.folder / "data" / "runs"
    runs.mkdir(parents=True)
    for spider in ("concepts", "objects"):
        for number in range(203):
            stem = f"2026010{1 + number // 100}T0000{number % 60:02}Z-{spider}-20260101T000000Z"
            for ending in WHOLE[1:]:
                (runs / f"{stem}-{number}.{ending}").write_bytes(b"{}")
    assert scrapy.crawl("concepts", "-a", "limit=1").code == 0
    left = [name.partition("Z-")[2].partition("-")[0] for name in published(runs)]
    assert (left.count("concepts"), left.count("objects")) == (200 + 199, 406)


@pytest.mark.long
def test_a_kill_at_any_point_of_the_publication_leaves_every_file_certified(
    museum: Callable[..., Sandbox], sandbox: Sandbox, scrapy: Scrapy
) -> None:
    data = scrapy.folder / "data"
    assert scrapy.crawl("objects").code == 0
    first = json.loads(published(data)["objects.certificate.json"])["run"]
    scrapy.at(museum(objects=110, agents=3, exhibitions=3, concepts=3))
    before, killed = scrapy.folder / "before", scrapy.first(KILLED)
    shutil.copytree(data, before)
    rolled = kills = 0
    for point in range(30):
        shutil.rmtree(data)
        shutil.copytree(before, data)
        done = scrapy.run("crawl", "objects", RUN_FIRST=killed, RENAMES=str(point))
        check_published(data)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        begun = bool(list((data / ".state").glob("*.publication")))
        # The next command in the folder, of whatever spider, completes what has begun.
        if point == 4:
            crawl = scrapy.crawl("concepts", "-a", "limit=1")
            assert crawl.code == 0, crawl.err
            assert not list(data.rglob("*.part"))
        else:
            roll_forward(data / ".state")
        check_published(data)
        certificate = json.loads(published(data)["objects.certificate.json"])
        assert (certificate["run"] != first) == begun
        assert (certificate["unique"] < 115) == begun
        assert len(published(data)["objects.jsonl"].splitlines()) == certificate["unique"]
        assert not list(data.rglob("*.publication"))
        rolled += begun
    assert kills > rolled >= 4


@pytest.mark.long
def test_a_kill_while_another_spider_replaces_a_csv_leaves_every_file_certified(
    sandbox: Sandbox, scrapy: Scrapy
) -> None:
    data, out = scrapy.folder / "data", scrapy.folder / "out"
    csv, before, killed = out / "one.csv", scrapy.folder / "before", scrapy.first(KILLED)
    assert scrapy.crawl("agents", "-O", str(csv), "-s", "MAX_REJECT_SHARE=1").code == 0
    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    assert scrapy.crawl("objects", "-O", str(csv), "-s", "RETRY_BACKOFF_BASE=0.01").code == 10
    sandbox.clear()
    shutil.copytree(out, before)
    for point in range(30):
        shutil.rmtree(out)
        shutil.copytree(before, out)
        done = scrapy.run("crawl", "objects", "-O", str(csv), RUN_FIRST=killed, RENAMES=str(point))
        for file in sorted(out.glob("[!.]*")):
            findings = list(verify(file, None, data))
            assert all(finding.agrees for finding in findings), [point, *map(str, findings)]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert point > 4


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("objects.jsonl", "incomplete", "objects.incomplete.jsonl"),
        ("objects.selection.rejected.jsonl", "held", "objects.selection.held.rejected.jsonl"),
        ("x.certificate.json", "incomplete", "x.incomplete.certificate.json"),
        ("three", "held", "three.held"),
        ("three.csv", "", "three.csv"),
    ],
)
def test_the_state_stands_before_the_ending(name: str, state: str, expected: str) -> None:
    assert in_state(name, state) == expected

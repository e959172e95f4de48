"""Change feeds of a data set, release by release: moves, rejects, the brake, kills, S3."""

from __future__ import annotations

import json
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.facts.dmg import FACTS
from mplus_crawler.verification import seal
from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.s3 import S3Server
from tests.test_change_feeds import UNLIMITED, Keeper

pytestmark = pytest.mark.long

SPIDER = "mplus_open_objects"
# Kills the process when the publication is done and the ledger is not closed yet.
KILLED_AT_END = """
import os, signal
from mplus_crawler.responses.ledger import Ledger
Ledger.close = lambda ledger, *, over: os.kill(os.getpid(), signal.SIGKILL)
"""


class Release:
    """A data set in a folder, to be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(PUBLISHED, folder)

    def object(self, id_: int) -> Path:
        return self.folder / "objects_JSON" / str(id_ // 1000 * 1000) / f"{id_:05}.json"

    def edit(self, id_: int, *, new: int | None = None, **values: Any) -> None:
        """Change the object *id_*, or add a *new* one that has its other values."""
        record = json.loads(self.object(id_).read_text()) | values | ({"id": new} if new else {})
        file = self.object(new or id_)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(record))

    def remove(self, *ids: int) -> None:
        for id_ in ids:
            self.object(id_).unlink()

    @property
    def given(self) -> tuple[str, ...]:
        return "-a", f"source={self.folder}", "-s", "MAX_REJECT_SHARE=0.5"


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path / "set")


def test_each_release_is_in_its_feed(scrapy: Scrapy, release: Release) -> None:
    keeper = Keeper(scrapy, SPIDER, share="0.3")
    keeper.harvest(0, *release.given)
    assert set(keeper.types()) == {"Create"}
    release.remove(17)
    release.edit(19, new=30_019)  # a new id under the old number
    release.remove(19)
    release.edit(79, title={"en": "Another title", "zh-hant": None})
    release.edit(1, new=30_001, objectNumber="2026.1")
    release.edit(442, title=7)
    keeper.harvest(0, *release.given)
    assert keeper.types() == {
        "Delete": {"17"},
        "Move": {"19"},
        "Update": {"79"},
        "Create": {"30001"},
        "Missing": {"442"},
    }
    lines = {line["id"]: line for line in keeper.feeds[-1]}
    assert (lines["19"]["to"], lines["19"]["evidence"]["same"]) == ("30019", "object_number")
    assert lines["442"]["evidence"]["reason"] == "rejected"
    assert {"title_en", "record"} <= {*lines["79"]["columns"]}
    keeper.harvest(0, *release.given)
    assert keeper.feeds[-1] == []  # still rejected: no second line
    release.edit(442, title={"en": "Sound", "zh-hant": None})
    shutil.copy(PUBLISHED / "objects_JSON" / "0" / "00017.json", release.object(17))
    keeper.harvest(0, *release.given)
    assert keeper.types() == {"Restore": {"17", "442"}}
    snapshot = keeper.data / f"{SPIDER}.jsonl"
    snapshot.write_bytes(snapshot.read_bytes().replace(b'"digest":"', b'"digest":"0', 1))
    anew = keeper.harvest(0, *release.given).certificate
    assert set(keeper.types()) == {"Create"}
    assert any(note.startswith("the change feed starts again") for note in anew["notes"])
    assert keeper.findings() == []


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("certificate.json", None, "has no valid certificate"),
        ("certificate.json", "{", "has no valid certificate"),
        ("certificate.json", "another API", "is from https://other.example/"),
        ("jsonl", None, "is missing"),
    ],
)
def test_a_note_says_why_the_chain_of_feeds_starts_again(
    scrapy: Scrapy, release: Release, file: str, content: str | None, reason: str
) -> None:
    keeper = Keeper(scrapy, SPIDER)
    other = {**keeper.harvest(0, *release.given).certificate, "api": "https://other.example/"}
    broken = keeper.data / f"{SPIDER}.{file}"
    if content is None:
        broken.unlink()
    else:
        resealed = json.dumps({**other, "seal": seal(other)})
        broken.write_text(resealed if content == "another API" else content)
    notes = keeper.harvest(0, *release.given).certificate["notes"]
    assert f"the change feed starts again: the former snapshot {reason}" in notes
    assert set(keeper.types()) == {"Create"}


def test_too_many_ids_gone_are_held_back_whatever_the_count(
    scrapy: Scrapy, release: Release
) -> None:
    keeper = Keeper(scrapy, SPIDER, share="0.1")
    keeper.harvest(0, *release.given)
    gone = [17, 19, 79, 268]
    for id_ in gone:
        release.edit(id_, new=40_000 + id_, objectNumber=f"2026.{id_}")
    release.remove(*gone)
    feeds = sorted((keeper.data / "changes" / SPIDER).iterdir())
    held = keeper.harvest(0, *release.given, code=15)
    assert (held.certificate["changes"], held.certificate["former"]) == (None, None)
    assert "MAX_DELETE_SHARE" in held.certificate["reason"]
    assert sorted((keeper.data / "changes" / SPIDER).iterdir()) == feeds
    assert keeper.findings() == []
    run = held.certificate["run"]
    accepted = keeper.harvest(0, *release.given, "-a", f"accept={run}")
    assert accepted.certificate["run"] == run
    assert keeper.types()["Delete"] == {*map(str, gone)}
    assert len(keeper.types()["Create"]) == len(gone)
    assert keeper.findings() == []


def test_a_source_that_is_empty_or_cut_off_deletes_nothing(
    scrapy: Scrapy, release: Release
) -> None:
    keeper = Keeper(scrapy, SPIDER, share="0.02")
    keeper.harvest(0, *release.given)
    for folder in ("8000", "0"):
        shutil.rmtree(release.folder / "objects_JSON" / folder)
        keeper.harvest(0, *release.given, code=15)
    shutil.rmtree(release.folder / "objects_JSON")
    keeper.harvest(0, *release.given, code=10)
    assert len(list((keeper.data / "changes" / SPIDER).iterdir())) == 1
    assert keeper.findings() == []


def test_a_run_that_is_published_twice_has_one_feed(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    gent = museum(objects=3, agents=60, exhibitions=3, concepts=3, invalid=0)
    keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "agents")
    first = keeper.harvest(0).certificate
    gent.move_to(1)
    killed = scrapy.first(KILLED_AT_END)
    done = scrapy.run("crawl", "agents", "-s", "MAX_DELETE_SHARE=0.1", RUN_FIRST=killed)
    assert done.returncode == -signal.SIGKILL
    assert keeper.findings() == []
    second = keeper.harvest(0).certificate
    assert second["run"] != first["run"]
    assert second["former"]["run"] == first["run"]
    assert len(list((keeper.data / "changes" / "agents").iterdir())) == 2
    assert keeper.findings() == []


@pytest.fixture
def s3(tmp_path: Path, scrapy: Scrapy) -> Iterator[S3Server]:
    server = S3Server(tmp_path / "s3")
    (server.folder / "harvest").mkdir(parents=True)
    server.start()
    scrapy.environment |= {**server.environment, "HARVEST_DIR": "s3://harvest/open"}
    yield server
    server.kill()


def test_feeds_go_where_the_snapshots_are(
    scrapy: Scrapy, release: Release, s3: S3Server, tmp_path: Path
) -> None:
    def harvest() -> None:
        crawl = scrapy.crawl(SPIDER, *release.given, "-s", "MAX_DELETE_SHARE=0.3")
        assert crawl.code == 0, crawl.err

    harvest()
    release.remove(17)
    release.edit(79, title={"en": "Another title", "zh-hant": None})
    harvest()
    done = scrapy.run("changes", SPIDER)
    assert "1 changed (1 title), 1 gone" in done.stdout, done.stderr
    place = s3.folder / "harvest" / "open"
    assert len(list((place / "changes" / SPIDER).iterdir())) == 2
    copy = Keeper(Scrapy(tmp_path / "copied"), SPIDER)
    shutil.copytree(place, copy.data)
    assert copy.findings() == []


def test_private_feeds_are_for_their_owner_only(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.environment["DMG_API_KEY"] = FACTS["private_key"]
    keeper = Keeper(scrapy.at(museum(objects=40, invalid=0)).policy(UNLIMITED), "private_objects")
    crawl: Crawl = keeper.harvest(0)
    feed = crawl.folder / crawl.certificate["changes"]["file"]
    assert stat.S_IMODE(feed.stat().st_mode) == 0o600
    assert stat.S_IMODE(feed.parent.stat().st_mode) == 0o700

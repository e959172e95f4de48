"""Change feeds at the wire: museums from day to day, evidence for deletions, the brake, damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.cli.summary import SpiderResult, print_results
from mplus_crawler.errors import ExitCode
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import ROOT, Crawl, Scrapy, limit
from tests.sandbox.wire import get

pytestmark = pytest.mark.long

CLOCK = str(ROOT / "tests" / "fixtures" / "shifted_clock.py")
DAY = 86_400
UNLIMITED = limit(1_000_000, 1)
GENT = "https://data.designmuseumgent.be/v2/id"
Line = dict[str, Any]


@dataclass
class Keeper:
    """Someone who keeps a copy of a collection in step, and knows all feeds by now."""

    scrapy: Scrapy
    spider: str
    share: str = "0.1"
    feeds: list[list[Line]] = field(default_factory=list)
    copy: dict[str, str] = field(default_factory=dict)

    def harvest(self, days: float, *given: str, code: int = 0) -> Crawl:
        """Harvest, so many *days* after today; the copy is then that of the snapshot."""
        share = ("-s", f"MAX_DELETE_SHARE={self.share}")
        clock = {"RUN_FIRST": CLOCK, "CLOCK_AHEAD": str(days * DAY)}
        crawl = self.scrapy.crawl(self.spider, *share, *given, **clock)
        assert crawl.code == code, crawl.err
        if changes := crawl.certificate["changes"]:
            assert f"\n  {changes['summary']}\n" in crawl.err
        if code == 0:
            self.feeds.append(self.apply(crawl))
        return crawl

    def apply(self, crawl: Crawl) -> list[Line]:
        """Apply the harvest's feed to the copy, as the documentation says."""
        header, *lines = crawl.lines(crawl.certificate["changes"]["file"])
        assert header["to"]["content_digest"] == crawl.certificate["content_digest"]
        assert header["from"] == crawl.certificate["former"]
        if header["from"] is None:
            self.copy.clear()
        for line in lines:
            if line["type"] in ("Create", "Update", "Restore"):
                self.copy[line["id"]] = line["after"]
            else:
                self.copy.pop(line["id"], None)
                if "after" in line:
                    self.copy[line["to"]] = line["after"]
        snapshot = (crawl.folder / f"{self.spider}.jsonl").read_bytes().splitlines()
        assert self.copy == {row["id"]: row["digest"] for row in map(json.loads, snapshot)}
        return lines

    def types(self, feed: int = -1) -> dict[str, set[str]]:
        """By type, the ids of a feed."""
        found: dict[str, set[str]] = {}
        for line in self.feeds[feed]:
            again = "regenerated" in line.get("evidence", {})
            found.setdefault("again" if again else line["type"], set()).add(line["id"])
        return found

    @property
    def data(self) -> Path:
        return self.scrapy.folder / "data"

    def findings(self) -> list[str]:
        """What ``scrapy verify HARVEST_DIR`` finds wrong."""
        return [str(each) for each in verify(self.data, None, self.data) if not each.agrees]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keeper, Sandbox]]:
    """Gent's objects on days 0 to 3, and on day 3 once more."""
    scrapy = Scrapy(tmp_path_factory.mktemp("history"))
    with Sandbox(objects=60, agents=3, exhibitions=3, concepts=3, invalid=0, limits="off") as gent:
        keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "objects")
        for day in (0, 1, 2, 3, 3):
            gent.move_to(day)
            keeper.harvest(day)
        yield keeper, gent


def test_each_day_of_the_museum_is_in_its_feed(history: tuple[Keeper, Sandbox]) -> None:
    keeper, gent = history
    assert set(keeper.types(0)) == {"Create"}
    listed = {*gent.truth(day=0)["objects"]["ids"]}
    for day in (1, 2, 3):
        truth, told = gent.truth(day=day)["objects"]["changes"], keeper.types(day)
        unlisted = {*truth["unlisted"]}
        moved = dict(truth["moved"])
        assert told.get("Delete", set()) == {*truth["removed"]}
        assert told.get("Move", set()) == moved.keys()
        assert told["Update"] == {*truth["updated"]}
        assert told["again"] == {*truth["regenerated"]}
        # A record that is no longer listed, but still delivered, has not changed.
        assert told.get("Create", set()) == {*truth["created"]} - {*moved.values()}
        assert not told.keys() & {"Missing", "Restore"}
        listed = ({*gent.truth(day=day)["objects"]["ids"]}) | unlisted
        moves = [line for line in keeper.feeds[day] if line["type"] == "Move"]
        assert {line["id"]: line["to"] for line in moves} == moved
        evidence = [
            line["evidence"]["status"] for line in keeper.feeds[day] if "reason" in str(line)
        ]
        assert set(evidence) <= {301, 410}
    assert listed == keeper.copy.keys()
    assert keeper.feeds[4] == []
    assert keeper.findings() == []
    assert all(found.agrees for found in verify(keeper.data / "objects.jsonl", None, keeper.data))


def test_what_has_changed_is_reported(history: tuple[Keeper, Sandbox]) -> None:
    keeper, _ = history

    def changes(*given: str, code: int = 0) -> str:
        done = keeper.scrapy.run("changes", "objects", *given)
        assert done.returncode == code, done.stderr
        return done.stdout

    runs = [feed.stem for feed in sorted((keeper.data / "changes" / "objects").iterdir())]
    assert changes("--exit-code").endswith(": no change\n")
    assert changes("--since", "first", "--exit-code", code=1).startswith("first snapshot: 6")
    lines = [
        json.loads(line)
        for line in changes("--since", runs[0], "--format", "jsonl").split("\n")[:-1]
    ]
    state = {line["id"]: line["after"] for line in keeper.feeds[0]}
    for line in lines:
        if line["type"] in ("Delete", "Move"):
            state.pop(line["id"])
        if "after" in line:
            state[line.get("to", line["id"])] = line["after"]
    assert state == keeper.copy
    table = changes("--since", runs[0], "--format", "csv").splitlines()
    assert table[0].startswith("type,id,to,columns")
    assert len(table) == len(lines) + 1
    collection = json.loads(changes("--since", runs[0], "--format", "iiif"))
    check_discovery(collection)
    told = [(each["type"], each["object"]["id"]) for each in collection["orderedItems"]]
    assert told == [(line["type"], line["id"]) for line in lines]
    stream = keeper.scrapy.folder / "stream"
    published = ("-o", str(stream), "--url", "https://museum.example/stream")
    assert "5 documents" in changes("--since", "first", "--format", "iiif", *published)
    check_stream(stream, [len(feed) for feed in keeper.feeds if feed])
    assert "nothing was written" in changes("--format", "iiif", *published)
    for given in (published[:2], published[2:], (*published[:3], "ftp://museum.example")):
        done = keeper.scrapy.run("changes", "objects", "--format", "iiif", *given)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "1 gone" in changes("--since", runs[0])
    for wrong, text in (("yesterday", "neither a run nor a date"), ("2026-13-01", "neither")):
        done = keeper.scrapy.run("changes", "objects", "--since", wrong)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert text in done.stderr
    for spider in ("agents", "object", "nothing"):
        done = keeper.scrapy.run("changes", spider)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def check_discovery(collection: dict[str, Any]) -> None:
    """IIIF Change Discovery 1.0, sections 3.1 and 3.3: a collection, with its activities."""
    assert collection["type"] == "OrderedCollection"
    assert collection["totalItems"] == len(collection["orderedItems"])
    check_references(collection, "first", "last")
    check_activities(collection["orderedItems"])


def check_stream(folder: Path, sizes: list[int]) -> None:
    """The files of a stream: from the collection's last page back, as a client reads them."""
    files = {f"https://museum.example/stream/{file.name}": file for file in folder.iterdir()}
    collection = json.loads(files.pop("https://museum.example/stream/collection.json").read_text())
    assert collection["type"] == "OrderedCollection"
    assert "orderedItems" not in collection
    assert collection["totalItems"] == sum(sizes)
    check_references(collection, "first", "last")
    index, link, following = sum(sizes), collection["last"], None
    while link:
        page = json.loads(files.pop(link["id"]).read_text())
        assert (page["id"], page["type"]) == (link["id"], "OrderedCollectionPage")
        assert page["partOf"] == {"id": collection["id"], "type": "OrderedCollection"}
        assert page.get("next") == following
        check_references(page)
        check_activities(page["orderedItems"])
        assert len(page["orderedItems"]) == sizes.pop()
        index -= len(page["orderedItems"])
        assert page["startIndex"] == index
        following, link = link, page.get("prev")
    assert (following, index, files, sizes) == (collection["first"], 0, {}, [])


def check_references(document: dict[str, Any], *names: str) -> None:
    assert document["@context"] == "http://iiif.io/api/discovery/1/context.json"
    assert document["id"].startswith("https://")
    for reference in map(document.__getitem__, names):
        assert reference.keys() == {"id", "type"}
        assert reference["type"] == "OrderedCollectionPage"
        assert reference["id"].startswith("https://")


def check_activities(activities: list[dict[str, Any]]) -> None:
    assert activities
    times = [activity["endTime"] for activity in activities]
    assert times == sorted(times)
    for activity in activities:
        assert activity["type"] in {"Create", "Update", "Delete", "Move", "Add", "Remove"}
        assert activity["endTime"].endswith("Z")
        named = [activity["object"], *([activity["target"]] if activity["type"] == "Move" else [])]
        assert all(each["id"].startswith("https://") and each["type"] for each in named)


def edited(keeper: Keeper, feed: int, change: Callable[[list[str]], list[str]]) -> None:
    path = sorted((keeper.data / "changes" / "objects").iterdir())[feed]
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


DAMAGES: dict[str, tuple[Callable[[Keeper], object], str]] = {
    "missing": (lambda keeper: _feeds(keeper)[2].unlink(), "is missing"),
    "first missing": (lambda keeper: _feeds(keeper)[0].unlink(), "is missing"),
    "last missing": (lambda keeper: _feeds(keeper)[-1].unlink(), "is missing or cannot be read"),
    "doubled": (
        lambda keeper: shutil.copy(_feeds(keeper)[1], _feeds(keeper)[1].with_stem("20270101T0-1")),
        "under another name",
    ),
    "reordered": (
        lambda keeper: _swap(*_feeds(keeper)[1:3]),
        "under another name",
    ),
    "a line doubled": (
        lambda keeper: edited(keeper, 1, lambda lines: [*lines[:2], *lines[1:]]),
        "is number 1 of the changes",
    ),
    "a line missing": (lambda keeper: edited(keeper, 1, lambda lines: lines[:-1]), "replay gives"),
    "lines reordered": (
        lambda keeper: edited(keeper, 1, lambda lines: [lines[0], *lines[:0:-1]]),
        "of the changes",
    ),
    "a digest edited": (
        lambda keeper: edited(
            keeper, 0, lambda lines: [*lines[:-1], lines[-1].replace('"after":"', '"after":"x')]
        ),
        "replay gives",
    ),
    "evidence edited": (
        lambda keeper: edited(
            keeper,
            1,
            lambda lines: [line.replace('"status":410', '"status":404') for line in lines],
        ),
        "sha256 is",
    ),
    "a header edited": (
        lambda keeper: edited(keeper, 2, lambda lines: ['{"feed": 2}\n', *lines[1:]]),
        "its header is wrong",
    ),
    "no text": (lambda keeper: _feeds(keeper)[1].write_bytes(b"\xff\n"), "header cannot be read"),
}


def _feeds(keeper: Keeper) -> list[Path]:
    return sorted((keeper.data / "changes" / "objects").iterdir())


def _swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def test_a_feed_is_verified_with_its_chain(history: tuple[Keeper, Sandbox]) -> None:
    keeper = history[0]
    findings = list(verify(_feeds(keeper)[2], None, keeper.data))
    assert [found.file.name for found in findings] == [feed.name for feed in _feeds(keeper)]


def test_the_results_of_several_harvests_end_with_what_has_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = SpiderResult("agents", ExitCode.COMPLETE, "complete", "", changes="since 1 May: 1 new")
    print_results([result], ())
    assert capsys.readouterr().err.endswith("\nagents: since 1 May: 1 new\n")


def test_a_chain_with_a_gap_is_not_summed_up(
    history: tuple[Keeper, Sandbox], tmp_path: Path
) -> None:
    shutil.copytree(history[0].data, tmp_path / "data")
    scrapy = Scrapy(tmp_path)
    feeds = _feeds(Keeper(scrapy, "objects"))
    feeds[1].unlink()
    assert scrapy.run("changes", "objects").returncode == 0
    done = scrapy.run("changes", "objects", "--since", feeds[2].stem)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"the change feed of run {feeds[1].stem} is missing; see scrapy verify" in done.stderr
    _feeds(Keeper(scrapy, "objects"))[-1].write_text("{}\n")
    done = scrapy.run("changes", "objects", "--since", feeds[2].stem)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_feed_that_is_damaged_is_found(
    history: tuple[Keeper, Sandbox], tmp_path: Path, damage: str
) -> None:
    keeper = history[0]
    shutil.copytree(keeper.data, tmp_path / "data")
    copy = Keeper(Scrapy(tmp_path), "objects")
    assert copy.findings() == []
    change, expected = DAMAGES[damage]
    change(copy)
    assert any(expected in finding for finding in copy.findings()), copy.findings()


def test_many_absent_records_are_not_requested_and_an_accepted_run_deletes_none(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    gent = museum(objects=3, agents=60, exhibitions=3, concepts=3, invalid=0)
    keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "agents")
    first = {line["id"] for line in keeper.harvest(0).lines("agents.jsonl")}
    gent.move_to(40)
    absent = first - {*gent.truth(day=40)["agents"]["ids"]}
    assert len(absent) > 10
    held = keeper.harvest(40, code=15)
    assert gent.stats()["tiers"]["single"]["requests"] == 0
    assert f"{len(absent)} of the 60 records of the snapshot are gone" in held.err
    before = gent.stats()["tiers"]
    keeper.harvest(40, "-a", f"accept={held.certificate['run']}")
    assert gent.stats()["tiers"] == before
    missing = [line for line in keeper.feeds[-1] if line["type"] == "Missing"]
    assert {line["id"] for line in missing} == absent
    assert {line["evidence"]["reason"] for line in missing} == {"not_requested"}
    assert not keeper.types().keys() & {"Delete", "Move"}
    keeper.harvest(40.1)  # as many as may be are requested now, and still missing
    assert keeper.feeds[-1] == []
    keeper.harvest(41.2)
    assert keeper.types().keys() == {"Missing"}
    assert len(keeper.feeds[-1]) == 10
    keeper.harvest(42.3)
    told = {type_: len(ids) for type_, ids in keeper.types().items()}
    assert told == {"Delete": 10 - len(absent) % 10, "Missing": len(absent) % 10}
    assert keeper.findings() == []


def test_a_run_that_is_accepted_keeps_its_evidence(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    gent = museum(objects=60, agents=3, exhibitions=3, concepts=3, invalid=0)
    keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "objects", share="0.001")
    keeper.harvest(0)
    gent.move_to(1)
    truth = gent.truth(day=1)["objects"]["changes"]
    held = keeper.harvest(1, code=15).certificate
    before = gent.stats()["tiers"]
    accepted = keeper.harvest(1.5, "-a", f"accept={held['run']}").certificate
    assert gent.stats()["tiers"] == before
    (gone,) = [line for line in keeper.feeds[-1] if line["type"] == "Delete"]
    assert [gone["id"]] == truth["removed"]
    assert (gone["evidence"]["status"], accepted["unlisted"]) == (410, truth["unlisted"])
    assert held["started_at"] <= gone["evidence"]["at"] <= held["finished_at"]
    assert keeper.findings() == []


def test_a_record_that_is_not_found_is_deleted_a_day_later(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    gent = museum(objects=3, agents=60, exhibitions=3, concepts=3, invalid=0)
    keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "agents")
    keeper.harvest(0)
    gent.move_to(1)
    truth = gent.truth(day=1)["agents"]["changes"]
    (lost,), (unlisted,) = truth["missing"], truth["unlisted"]
    # While the database fails, it finds no single record: that is no evidence.
    gent.fault("status:code=404,path=agent,times=always")
    keeper.harvest(0.1)
    assert keeper.types()["Missing"] == {lost, unlisted}
    assert {
        line["evidence"]["reason"] for line in keeper.feeds[-1] if line["type"] == "Missing"
    } == {"unanswered"}
    keeper.harvest(5)
    assert keeper.feeds[-1] == []
    gent.clear()
    crawl = keeper.harvest(6)
    assert crawl.certificate["unlisted"] == [unlisted]
    assert keeper.types() == {"Restore": {unlisted}, "Missing": {lost}}
    keeper.harvest(6.9)
    assert keeper.feeds[-1] == []
    keeper.harvest(7.1)
    (line,) = keeper.feeds[-1]
    assert (line["type"], line["id"], line["evidence"]["reason"]) == ("Delete", lost, "not_found")
    assert "before" not in line
    assert keeper.findings() == []


def test_one_record_that_breaks_the_server_is_no_outage(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sizes = {"objects": 3, "agents": 3, "exhibitions": 24, "concepts": 3}
    gent = museum(**sizes, invalid=0, rights=0.5, seed=811)
    keeper = Keeper(scrapy.at(gent).policy(UNLIMITED), "exhibitions")
    first = min(line["id"] for line in keeper.harvest(0).lines("exhibitions.jsonl"))
    assert get(gent, first.partition("/v2/")[2]).status == 500
    gent.move_to(1)
    keeper.harvest(1)
    keeper.harvest(2.1)
    assert keeper.types() == {"Delete": {*gent.truth(day=1)["exhibitions"]["changes"]["missing"]}}

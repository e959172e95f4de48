"""The two-week rule: content of the museum is registered, and deleted when it is due."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from scrapy.cmdline import execute
from scrapy.utils.project import get_project_settings

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.storage.s3 import client
from tests.conftest import ROOT, Crawl, Scrapy
from tests.s3 import SECRET, S3Server
from tests.test_faults import QUICK
from tests.test_mplus import KEY, SMALL, published
from tests.wire import RawResponse, serving

pytestmark = pytest.mark.long

DAY = 86_400
TITLE = "a title to be dated "
SHIFTED = ROOT / "tests" / "fixtures" / "shifted_clock.py"
# Four calls a second, so that a harvest can be killed before it is over.
SLOW = SMALL.replace("requests = 1000, seconds = 1", "requests = 4, seconds = 1")


@dataclass
class Told:
    """What ``scrapy retention`` said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def places(self) -> dict[str, str]:
        """The lines of the list by place."""
        return {line.split()[-1]: line for line in self.out.splitlines() if line[:2] == "20"}


@dataclass
class MuseumOfTheDay:
    """Stands before a sandbox, and puts the day into every title."""

    behind: str
    url: str = ""
    day: float = 0
    calls: int = 0
    last: int = 1_000_000
    events: dict[int, Callable[[], None]] = field(default_factory=dict)

    def respond(self, body: str) -> RawResponse:
        """The sandbox's response, as of today; none after the *last* call."""
        self.calls += 1
        self.events.get(self.calls, lambda: None)()
        if self.calls > self.last:
            return 503, [], b""
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(self.behind, body.encode(), headers), timeout=10) as response:
            content: bytes = response.read()
        dated = content.replace(TITLE.encode(), marker(self.day))
        return 200, [("Content-Type", "application/json")], dated


@dataclass
class Keeper:
    """A harvester with a museum whose titles name the day, and the command on any day."""

    scrapy: Scrapy
    museum: MuseumOfTheDay
    capfd: pytest.CaptureFixture[str]
    began: float = field(default_factory=time.time)

    @property
    def data(self) -> Path:
        return self.scrapy.folder / "data"

    @property
    def state(self) -> Path:
        return self.data / ".state"

    def open_on(self, day: float) -> dict[str, str]:
        """The museum as it is on *day*, and the environment of a process of that day."""
        self.museum.day = day
        return {
            "MPLUS_URL": self.museum.url,
            "MPLUS_API_KEY": KEY,
            "RUN_FIRST": str(SHIFTED),
            "CLOCK_AHEAD": str(self.began + day * DAY - time.time()),
            # The budget's clock cannot be shifted, which is as it should be.
            "XDG_STATE_HOME": str(self.scrapy.folder / f"day-{day:g}"),
        }

    def harvest(self, *arguments: str, day: float = 0, **env: str) -> Crawl:
        env = {**self.open_on(day), **env}
        return self.scrapy.policy(SMALL, "mplus").crawl("mplus_objects", *arguments, **env)

    def killed(self, *arguments: str, day: float = 0, **env: str) -> None:
        """A harvest that is killed when it has some records in hand."""
        self.scrapy.policy(SLOW, "mplus")
        env = {**self.open_on(day), **env}
        first = self.museum.calls
        process = self.scrapy.start("crawl", "mplus_objects", *arguments, **env)
        while self.museum.calls < first + 5:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.communicate()
        self.scrapy.policy(SMALL, "mplus")

    def retention(self, *arguments: str, day: float = 0, **settings: str) -> Told:
        """The command on *day*, without a process of its own."""
        given = {
            "HARVEST_DIR": self.data,
            "POLICY_DIR": self.scrapy.folder / "policies",
            **settings,
        }
        options = [word for name, value in given.items() for word in ("-s", f"{name}={value}")]
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.began + day * DAY))
        client.cache_clear()  # as a process of its own would begin
        with pytest.raises(SystemExit) as ended:
            execute(
                ["scrapy", "retention", "--at", at, *options, *arguments], get_project_settings()
            )
        out, err = self.capfd.readouterr()
        assert "Traceback" not in err
        return Told(int(ended.value.code or 0), out, err)

    def there(self) -> bytes:
        """All that is in the harvester's folder and in S3."""
        files = self.scrapy.folder.rglob("*")
        return b"".join(file.read_bytes() for file in files if file.is_file())


def marker(day: float) -> bytes:
    return f"title-of-day-{day:g}-".encode()


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fifty objects whose titles wait for their day."""
    folder = tmp_path_factory.mktemp("published")
    real, records = published("objects_JSON"), published("constituents_JSON")
    for place in range(50):
        record = {**real[place % len(real)], "id": 3 * place + 2, "objectNumber": f"2026.{place}"}
        records.append({**record, "title": {"en": f"{TITLE}{place}"}})
    for record in records:
        name = "objects_JSON" if "objectNumber" in record else "constituents_JSON"
        file = folder / name / "0" / f"{record['id']}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record))
    return str(folder)


@pytest.fixture
def keeper(
    scrapy: Scrapy,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data_set: str,
) -> Iterator[Keeper]:
    monkeypatch.chdir(ROOT)
    scrapy.policy(SMALL, "mplus")
    with Sandbox(limits="off", mplus_data=data_set, mplus_window=100) as sandbox:
        museum = MuseumOfTheDay(sandbox.mplus_url)
        with serving(museum.respond) as front:
            museum.url = front.base_url
            yield Keeper(scrapy, museum, capfd)


@pytest.fixture
def s3(scrapy: Scrapy, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    server = S3Server(scrapy.folder / "s3")
    (server.folder / "harvest").mkdir(parents=True)
    server.start()
    scrapy.environment |= server.environment
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.kill()


def test_every_place_is_listed_and_emptied_when_it_is_due(keeper: Keeper) -> None:
    elsewhere = keeper.scrapy.folder / "else where"
    assert keeper.harvest("-O", str(elsewhere / "all.csv")).code == 0
    assert keeper.harvest("-o", str(elsewhere / "all.csv"), day=3).code == 0
    assert keeper.harvest("-o", "-:jsonlines", day=3).code == 0
    keeper.killed("-O", str(elsewhere / "cut.json"), day=4)
    (elsewhere / "copy.csv").write_text("mine\n")
    told = keeper.retention("--check", day=13.9)
    assert told.code == 0, told.out
    listed = {Path(place).name for place in told.places}
    assert {"all.certificate.json", "all.rejected.jsonl"} <= listed
    assert any(name.startswith(".cut.json.") for name in listed), told.out
    assert any(name.endswith(".ledger") for name in listed)
    assert {"all.csv", "stdout:"} <= {*listed, told.out.split("stdout:")[0] and "stdout:"}
    # What was appended to is as old as its oldest record.
    assert "13.9 days" in next(line for line in told.out.splitlines() if "all.csv" in line)
    assert keeper.retention("--check", day=14.1).code == 1
    assert marker(3) in keeper.there()
    assert keeper.retention("--purge", day=14.1).code == 0
    there = keeper.there()
    assert (marker(0) in there, marker(3) in there, marker(4) in there) == (False, False, True)
    last = keeper.retention("--purge", day=18.1)
    assert last.code == 0, last.err
    assert "delete any copies" in last.out
    assert marker(4) not in keeper.there()
    assert (elsewhere / "copy.csv").read_text() == "mine\n"
    assert keeper.retention("--purge", day=19).out == "no content with a retention date\n"


GENT = b'{"id":"https://id/1","source":"Design Museum Gent","expires_at":null}\n'
OPEN = b'{"id":"7","source":"M+","expires_at":null,"retrieved_at":"2020-01-01T00:00:00Z"}\n'


def test_nothing_of_others_is_touched_and_what_cannot_be_reached_is_reported(
    keeper: Keeper,
) -> None:
    places = keeper.scrapy.folder / "places"
    feeds = {
        name: places / name / f"all.{ending}"
        for name, ending in {
            "replaced": "csv",
            "shared": "jsonl",
            "linked": "json",
            "edited": "csv",
            "unmounted": "csv",
            "blurred": "csv",
        }.items()
    }
    given = [word for file in feeds.values() for word in ("-O", str(file))]
    assert keeper.harvest(*given).code == 0
    feeds["replaced"].write_bytes(b"id,source,expires_at\n1,Design Museum Gent,\n")
    feeds["shared"].write_bytes(GENT + feeds["shared"].read_bytes() + OPEN)
    feeds["linked"].rename(keeper.scrapy.folder / "moved.json")
    feeds["linked"].symlink_to(keeper.scrapy.folder / "moved.json")
    feeds["edited"].write_text(feeds["edited"].read_text().replace("title", "heading"))
    feeds["blurred"].write_text("notes of mine\n")
    (places / "unmounted").rename(keeper.scrapy.folder / "disk")
    others = {
        "objects.jsonl": GENT,
        "objects.rejected.jsonl": b'{"errors":[],"retrieved_at":"2020-01-01T00:00:00Z"}\n',
        "mplus_open_objects.jsonl": OPEN,
        "mplus_objects.notes.txt": b"mine",
        "mplus_objects.json": b"[1]",
    }
    for name, content in others.items():
        (keeper.data / name).write_bytes(content)

    early = keeper.retention("--purge", day=13)
    assert (early.code, early.out.count("removed")) == (0, 0), early.out
    assert "linked" in early.err
    assert "unmounted" in early.err
    told = keeper.retention("--purge", day=15)
    assert told.code == 1, told.out
    for name, words in {
        "replaced": "left alone",
        "linked": "no longer a file",
        "unmounted": "cannot be reached",
        "blurred": "delete or move it",
        "shared": "remove this museum's",
    }.items():
        assert any(name in line and words in line for line in told.err.splitlines()), told.err
    assert feeds["replaced"].exists()
    assert marker(0) in feeds["shared"].read_bytes()
    assert not feeds["edited"].exists()
    assert feeds["blurred"].read_text() == "notes of mine\n"
    for name, content in others.items():
        assert (keeper.data / name).read_bytes() == content

    (keeper.scrapy.folder / "disk").rename(places / "unmounted")
    # What the link led to was the museum's, as its certificate shows.
    assert not (keeper.scrapy.folder / "moved.json").exists()
    feeds["linked"].unlink()
    feeds["blurred"].rename(keeper.scrapy.folder / "notes")
    feeds["shared"].write_bytes(GENT + OPEN)
    assert keeper.retention("--purge", day=15).code == 0
    assert marker(0) not in keeper.there()
    assert keeper.retention("--check", day=99).code == 0


def test_a_register_that_is_lost_or_damaged_is_made_up_for(keeper: Keeper) -> None:
    feed, kept = keeper.scrapy.folder / "elsewhere" / "all.csv", keeper.scrapy.folder / "kept"
    assert keeper.harvest("-O", str(feed)).code == 0
    assert keeper.harvest(day=0.1).code == 0
    assert keeper.harvest("-O", str(feed), "-O", f"{keeper.data}/mine.json", day=0.2).code == 0
    keeper.killed(day=0.3)
    shutil.copytree(keeper.data, kept)
    content = feed.read_bytes()
    for register in (None, b"", b'[{"uri": 1}]', b"[" * 99_999, b"{\x00"):
        shutil.rmtree(keeper.data)
        shutil.copytree(kept, keeper.data)
        feed.write_bytes(content)
        path = keeper.state / "retention.json"
        path.unlink() if register is None else path.write_bytes(register)
        told = keeper.retention("--check", day=1)
        assert told.code == 0, told.out
        assert ("damaged register" in told.err) == (register is not None)
        listed = {Path(place).name for place in told.places}
        assert {
            "all.csv",
            "mine.json",
            "mplus_objects.jsonl",
            "mplus_objects.rejected.jsonl",
        } <= listed
        assert sum(name.endswith((".part", ".ledger", "-wal")) for name in listed) >= 4
        assert keeper.retention("--purge", day=14.4).code == 0
        left = [file for file in keeper.data.rglob("*") if b"title-of-day" in _content(file)]
        assert not left
        # The Table Schema has no content of the museum.
        assert [file.name for file in feed.parent.iterdir()] == ["all.schema.json"]


def test_a_copied_folder_is_emptied_alone_and_a_moved_one_leads_to_its_feeds(
    keeper: Keeper,
) -> None:
    feed = keeper.scrapy.folder / "elsewhere" / "all.csv"
    assert keeper.harvest("-O", str(feed), "-O", f"{keeper.data}/mine.json").code == 0
    assert keeper.harvest(day=0.1).code == 0
    copy, bare, moved = (keeper.scrapy.folder / name for name in ("copy", "bare", "moved"))
    shutil.copytree(keeper.data, copy)
    shutil.copytree(keeper.data, bare, ignore=shutil.ignore_patterns(".state"))
    elsewhere = [keeper.data, feed.parent]
    before = {file: _content(file) for place in elsewhere for file in place.rglob("*")}
    for folder in (copy, bare):
        told = keeper.retention("--purge", day=15, HARVEST_DIR=str(folder))
        assert told.code == 0, told.err
        assert all(
            line.startswith(str(folder)) for line in told.out.splitlines() if "removed" in line
        )
        left = [file for file in folder.rglob("*") if b"title-of-day" in _content(file)]
        # Without the state folder, nothing shows that a file of another name is a harvest's.
        assert left == ([] if folder == copy else [bare / "mine.json"])
        assert {file: _content(file) for place in elsewhere for file in place.rglob("*")} == before
    keeper.data.rename(moved)
    assert keeper.retention("--purge", day=15, HARVEST_DIR=str(moved)).code == 0
    for folder in (moved, feed.parent):
        assert not any(b"title-of-day" in _content(file) for file in folder.rglob("*"))


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


@pytest.mark.long
def test_seven_weeks(keeper: Keeper, s3: S3Server) -> None:
    bucket = {"HARVEST_DIR": "s3://harvest/mplus", "HARVEST_STATE_DIR": str(keeper.data / "s3")}
    csv = keeper.scrapy.folder / "elsewhere" / "all.csv"

    def broken(day: float) -> None:
        keeper.museum.last = keeper.museum.calls + 4
        assert keeper.harvest(*QUICK, "-s", "RETRY_BREAKER=3", day=day).code
        keeper.museum.last = 1_000_000

    def whole(day: float, *arguments: str, **env: str) -> None:
        crawl = keeper.harvest(*arguments, day=day, **env)
        assert crawl.code == 0, crawl.err

    diary: dict[int, Callable[[float], None]] = {
        0: whole,
        5: lambda day: whole(day, **bucket),
        9: lambda day: keeper.killed(day=day),
        10: whole,  # goes on with what was killed
        20: lambda day: keeper.killed("-O", "s3://harvest/else/all.csv", day=day, **bucket),
        21: lambda day: whole(day, "-O", str(csv)),
        30: lambda day: whole(day, **bucket),
        33: broken,
    }
    harvested: list[float] = []
    kept = 0
    for day in range(49):
        # The night's command looks a day ahead, so that nothing comes of age before the next.
        for settings in ({}, bucket):
            told = keeper.retention("--purge", day=day + 1, **settings)
            assert told.code == 0, told.err
        there = keeper.there()
        for harvest in harvested:
            assert marker(harvest) not in there or day + 1 - harvest < 14, (day, harvest)
            kept += marker(harvest) in there
        if day in diary:
            harvested.append(day + 0.3)
            diary[day](day + 0.3)
            assert marker(day + 0.3) in keeper.there()
    assert kept >= 60
    there = keeper.there()
    assert not [number for number in range(50) if f"2026.{number}".encode() in there]
    assert b"title-of-day" not in there
    # Change feeds have digests, and no content of the museum.
    left = [file for file in s3.folder.rglob("*.*") if file.parent.parent.name != "changes"]
    assert [file.name for file in left] == ["ATTRIBUTION.md"]


def test_no_response_is_published_near_or_past_its_date(keeper: Keeper) -> None:
    keeper.killed(day=0)
    assert marker(0) in keeper.there()
    late = keeper.harvest(day=13.2, RESUME_MAX_AGE="99999999")
    assert (late.code, late.certificate["pages"]["replayed"]) == (0, 0), late.err
    assert marker(0) not in keeper.there()
    listed = keeper.retention(day=13.3).places
    (held,) = [line for place, line in listed.items() if "objects.jsonl" in place]
    assert "0.1 days" in held
    # While a harvest waits, what it has read first comes of age.
    snapshot = (keeper.data / "mplus_objects.jsonl").read_bytes()
    jump = keeper.scrapy.folder / "jump"
    keeper.museum.events[keeper.museum.calls + 5] = jump.touch
    flown = keeper.harvest(day=14, CLOCK_JUMP=str(jump))
    assert flown.code == 11, flown.err
    assert "expired before the last" in flown.certificate["reason"], flown.err
    assert flown.certificate["feeds"] == []
    assert (keeper.data / "mplus_objects.jsonl").read_bytes() == snapshot
    assert marker(14) not in keeper.there()
    assert keeper.harvest(day=40).code == 0


def test_a_bucket_that_cannot_be_reached_and_a_harvest_at_work(
    keeper: Keeper, s3: S3Server
) -> None:
    place = {"HARVEST_DIR": "s3://harvest/mplus", "HARVEST_STATE_DIR": str(keeper.data)}
    assert keeper.harvest(day=0, **place).code == 0
    (keeper.data / "retention.json").rename(keeper.data / "lost.json")
    assert len(keeper.retention(day=0, **place).places) == 4
    (keeper.data / "lost.json").rename(keeper.data / "retention.json")
    for when, code, unreached in (("+1", 14, 4), ("+14.1", 1, 4)):
        wrong = {**place, "AWS_SECRET_ACCESS_KEY": "wrong"}
        done = keeper.scrapy.run("retention", "--purge", "--at", when, **wrong)
        assert (done.returncode, done.stderr.count("cannot be reached")) == (code, unreached)
        assert "HARVEST_DIR" in done.stderr
        assert SECRET not in done.stderr + done.stdout
    keeper.killed(day=1, HARVEST_STATE_DIR=str(keeper.data))
    locks = [path.open("a") for path in keeper.data.glob("mplus_objects-*.lock")]
    for held in locks:
        fcntl.flock(held, fcntl.LOCK_EX)
    told = keeper.retention("--purge", day=16, **place)
    assert (told.code, "a harvest is using it" in told.err) == (1, True), told.err
    assert marker(0) not in keeper.there()
    assert marker(1) in keeper.there()
    for held in locks:
        held.close()
    assert keeper.retention("--purge", day=16, **place).code == 0
    assert marker(1) not in keeper.there()


@pytest.mark.parametrize("stamp", ["2093-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_what_is_stamped_years_ahead_is_overdue(keeper: Keeper, stamp: str) -> None:
    assert keeper.harvest().code == 0
    feed = keeper.data / "mplus_objects.jsonl"
    rows = [json.loads(line) for line in feed.read_bytes().splitlines()]
    feed.write_text("".join(json.dumps({**row, "expires_at": stamp}) + "\n" for row in rows))
    register = keeper.state / "retention.json"
    entries = json.loads(register.read_bytes())
    certificate = keeper.data / "mplus_objects.certificate.json"
    register.write_text(
        json.dumps([{**entry, "retrieved_at": stamp} for entry in entries if entry["bytes"] == 0])
    )
    document = json.loads(certificate.read_bytes())
    certificate.write_text(json.dumps({**document, "started_at": stamp, "feeds": []}))
    listed = keeper.retention().places
    for file in (feed, certificate):
        assert any(str(file) in place for place in keeper.retention().out.split()), listed
    assert keeper.retention("--check").code == 1
    assert keeper.retention("--purge").code == 0
    assert not feed.exists()
    assert not certificate.exists()

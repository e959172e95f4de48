"""Files on odd disks, under other names, and in the way of other processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.storage.staging import StagedFile, hidden, sweep, write_whole
from tests.conftest import ROOT, Crawl, Scrapy, limit
from tests.s3 import S3Server

UNLIMITED = limit(1_000_000, 1)
SLOW = limit(1, 100)
ODD = ROOT / "tests" / "fixtures" / "odd_disk.py"


@contextmanager
def under_way(scrapy: Scrapy, *arguments: str, **env: str) -> Iterator[None]:
    """A harvest that has begun, and goes on while the block runs."""
    scrapy.policy(SLOW)
    process = scrapy.start("crawl", "objects", *arguments, **env)
    while not list(scrapy.folder.rglob("*.ledger-wal")):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None
    yield
    process.send_signal(signal.SIGKILL)
    process.communicate()
    scrapy.policy(UNLIMITED)


def hidden_files(folder: Path) -> list[Path]:
    return [*folder.rglob(".*.part")]


def test_a_second_harvest_of_one_folder_or_file_is_refused(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.at(museum(objects=460))
    shared, target = scrapy.folder / "data", scrapy.folder / "out" / "x.csv"
    state = {name: str(scrapy.folder / name) for name in ("one", "two", "three", "four")}
    with under_way(scrapy, "-O", str(target), HARVEST_STATE_DIR=state["one"]):
        for arguments, env in (
            # The same folder with another state, other arguments, or spelled another way.
            ((), {"HARVEST_STATE_DIR": state["two"]}),
            (("-a", "limit=3"), {"HARVEST_STATE_DIR": state["two"]}),
            ((), {"HARVEST_STATE_DIR": state["two"], "HARVEST_DIR": f"{shared}/../data"}),
            # The same file from another folder.
            (("-O", str(target)), {"HARVEST_DIR": state["three"]}),
            (("-o", f"{target.parent}/../out/x.csv"), {"HARVEST_DIR": state["four"]}),
        ):
            done = scrapy.run("crawl", "objects", *arguments, **env)
            assert done.returncode == 2, done.stderr
            assert "another process is writing" in done.stderr
        other = scrapy.run("crawl", "agents", "-O", str(target), HARVEST_DIR=state["three"])
        assert other.returncode == 2, other.stderr
    assert hidden_files(scrapy.folder)
    # The next run of the folders clears what the killed one has left.
    again = scrapy.crawl("agents", "-a", "limit=1", "-O", str(target.with_name("y.csv")))
    assert again.code == 0, again.err
    assert not hidden_files(scrapy.folder)


def test_a_second_harvest_of_one_place_in_s3_is_refused(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    server = S3Server(scrapy.folder / "s3")
    (server.folder / "harvest").mkdir(parents=True)
    server.start()
    scrapy.at(museum(objects=460)).environment |= server.environment
    scrapy.environment["HARVEST_DIR"] = "s3://harvest/gent"
    with under_way(scrapy, HARVEST_STATE_DIR=str(scrapy.folder / "one")):
        two = scrapy.run("crawl", "objects", HARVEST_STATE_DIR=str(scrapy.folder / "two"))
        assert two.returncode == 2, two.stderr
        assert "another process is writing s3://harvest/gent/" in two.stderr
    server.kill()


def test_a_link_stays_one_and_a_file_keeps_mode_and_owner(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    scrapy.at(museum(objects=5, invalid=0)).policy(UNLIMITED)
    real, snapshot = scrapy.folder / "big" / "real.csv", scrapy.folder / "data" / "objects.jsonl"
    for file in (real, scrapy.folder / "big" / "snapshot.jsonl"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
        file.chmod(0o664)
        if os.getuid() == 0:
            os.chown(file, 1234, 4321)
    snapshot.parent.mkdir()
    snapshot.symlink_to("../big/snapshot.jsonl")
    (scrapy.folder / "link.csv").symlink_to(real)
    (scrapy.folder / "new.csv").symlink_to("big/new.csv")  # leads to nothing yet
    for arguments in ((), ("-O", f"{scrapy.folder}/link.csv", "-O", f"{scrapy.folder}/new.csv")):
        crawl = scrapy.crawl("objects", *arguments)
        assert crawl.code == 0, crawl.err
    assert snapshot.is_symlink()
    assert (scrapy.folder / "link.csv").is_symlink()
    assert (scrapy.folder / "new.csv").is_symlink()
    assert len((scrapy.folder / "big" / "snapshot.jsonl").read_bytes().splitlines()) == 5
    assert real.read_bytes() == (scrapy.folder / "big" / "new.csv").read_bytes() != b""
    for file in (real, scrapy.folder / "big" / "snapshot.jsonl"):
        assert oct(file.stat().st_mode & 0o777) == "0o664"
        if os.getuid() == 0:
            assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)


def appended(crawl: Crawl, file: Path, rows: int) -> None:
    assert crawl.code == 0, crawl.err
    ids = [json.loads(line)["id"] for line in file.read_bytes().splitlines()]
    assert len(ids) == rows


@pytest.mark.parametrize(
    ("call", "former"),
    [("unlink", b""), ("publish", b'{"id":"mine"}\n'), ("acknowledge", b'{"id":"mine"}\n')],
)
def test_what_is_killed_at_the_very_end_is_appended_once(
    museum: Callable[..., Sandbox], scrapy: Scrapy, call: str, former: bytes
) -> None:
    scrapy.at(museum(objects=5, invalid=0)).policy(UNLIMITED)
    file = scrapy.folder / "all.jsonl"
    if former:
        file.write_bytes(former)
    kept = len(former.splitlines())
    command = ("objects", "-o", str(file))
    dead = scrapy.crawl(*command, RUN_FIRST=str(ODD), KILL_AT=call)
    assert dead.code == -signal.SIGKILL, dead.err
    assert len(file.read_bytes().splitlines()) == kept + 5
    appended(scrapy.crawl(*command), file, kept + 5)
    assert file.read_bytes().startswith(former)
    # One that has ended is not replaced, and others' lines stay.
    appended(scrapy.crawl(*command), file, kept + 10)
    scrapy.crawl(*command, RUN_FIRST=str(ODD), KILL_AT=call)
    with file.open("ab") as end:
        end.write(b'{"id":"after"}\n')
    appended(scrapy.crawl(*command), file, kept + 21)


@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP"])
def test_a_disk_without_locks_is_reported_once_and_used(
    museum: Callable[..., Sandbox], scrapy: Scrapy, number: str
) -> None:
    scrapy.at(museum(objects=5, invalid=0)).policy(UNLIMITED)
    odd = {"RUN_FIRST": str(ODD), "NO_LOCKS": number, "NO_SYNC": "EINVAL"}
    crawl = scrapy.crawl("objects", "-O", f"{scrapy.folder}/x.csv", **odd)
    assert crawl.code == 0, crawl.err
    assert crawl.err.count("has no locks") == 1
    assert crawl.err.count("cannot sync folders") == 1
    assert not hidden_files(scrapy.folder)


def test_only_what_is_nobodys_is_swept_away(tmp_path: Path) -> None:
    mine = StagedFile(tmp_path / "mine.jsonl", lambda error: None)
    mine.write(b"{}\n")
    theirs, left = hidden(tmp_path / "theirs.jsonl"), hidden(tmp_path / "left.jsonl")
    others = [tmp_path / ".download.part", tmp_path / ".x.csv.part", tmp_path / "x.harvest.part"]
    for file in (theirs, left, *others):
        file.touch()
    with theirs.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(tmp_path)
        assert not left.exists()
        assert theirs.exists()
    assert mine.part.exists()
    assert all(file.exists() for file in others)
    mine.finish()
    mine.publish(mine.target)
    mine.discard()
    sweep(tmp_path)
    assert mine.target.read_bytes() == b"{}\n"
    assert not theirs.exists()


def test_two_writers_of_one_file_in_one_folder(tmp_path: Path) -> None:
    faults: list[OSError] = []
    first = StagedFile(tmp_path / "a.csv", faults.append)
    pid = os.fork()
    if not pid:
        os._exit(_second(tmp_path))
    assert os.waitpid(pid, 0)[1] == 0
    first.write(b"first")
    first.finish()
    first.publish(first.target)
    first.discard()
    assert not faults
    assert (tmp_path / "a.csv").read_bytes() == b"first"
    write_whole(tmp_path / "a.csv", b"whole")
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def _second(folder: Path) -> int:
    """What another process finds: 0 if it is kept out, and lets the first one be."""
    from mplus_crawler.storage import staging

    staging._claims.clear()  # a fork inherits what another process would not have
    faults: list[OSError] = []
    second = StagedFile(folder / "a.csv", faults.append)
    second.write(b"second")
    second.discard()
    return 0 if len(faults) == 1 and "another process" in str(faults[0]) else 1

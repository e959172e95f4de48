"""Whole files or none: full disks, folders that cannot be written, feeds that break."""

from __future__ import annotations

import gc
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scrapy.utils.test import get_crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.conversion import convert
from mplus_crawler.feeds.feed import Feed
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.records.tables.columns import columns_of
from mplus_crawler.records.tables.table import FORMATS, Table
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.storage.staging import (
    StagedFile,
    claim,
    hidden,
    release,
    scratch_folder,
    sweep,
)
from tests.conftest import Crawl, Scrapy, limit

UNLIMITED = limit(1_000_000, 1)


def with_files_of_at_most(size: int, scrapy: Scrapy, *arguments: str) -> Crawl:
    """A crawl for which the disk is full as soon as a file has *size* bytes."""
    process = scrapy.start("crawl", "objects", *arguments)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate(timeout=scrapy.patience)
    return Crawl(process.wait(), out, err, scrapy.folder / "data", "objects")


@pytest.mark.parametrize("size", [100_000, 300_000, 500_000])
def test_a_full_disk_costs_neither_snapshot_nor_harvest(
    museum: Callable[..., Sandbox], scrapy: Scrapy, size: int
) -> None:
    sandbox = museum(objects=184)
    scrapy.at(sandbox).policy(UNLIMITED)
    whole = scrapy.crawl("objects")
    snapshot = (whole.folder / "objects.jsonl").read_bytes()
    full = with_files_of_at_most(size, scrapy)
    assert full.code == 14, full.err
    assert "Traceback" not in full.err
    assert "File too large" in full.err or "disk" in full.err
    assert (whole.folder / "objects.jsonl").read_bytes() == snapshot
    assert not list(whole.folder.glob(".*.part"))
    again = scrapy.crawl("objects")
    assert again.code == 0, again.err
    assert again.certificate["verdict"] == "complete"


_COUNTS = """
import resource
from mplus_crawler.storage.sqlite import scratch
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
db = scratch("CREATE TABLE seen (id TEXT PRIMARY KEY, line) WITHOUT ROWID")
while True:
    {}
"""


@pytest.mark.parametrize(
    "writing",
    [
        "db.execute('INSERT INTO seen VALUES (hex(randomblob(9)), zeroblob(9999))')",
        "db.executemany('INSERT INTO seen VALUES (hex(randomblob(9)), ?)', [('a' * 9999,)] * 9)",
    ],
)
def test_a_full_folder_for_temporary_files_ends_the_process(writing: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COUNTS.format(writing)], capture_output=True, text=True
    )
    assert done.returncode == 14
    assert "the folder for temporary files cannot be written" in done.stderr
    assert "run the same command again" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# xlsxwriter leaves its files to the garbage collector when one cannot be written.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_a_disk_that_fills_while_a_table_is_made_leaves_none(tmp_path: Path, name: str) -> None:
    columns = columns_of(ITEM_CLASSES["object"].jsonschema)
    target = tmp_path / f"a.{name}"
    target.write_bytes(b"former")
    staged = StagedFile(target, lambda error: census.end(Verdict.UNDELIVERED, str(error)))
    staged.write(b'{"id": "1", "label": "a"}\n')
    staged.finish()
    feed = Feed(str(target), name, 1, str(target), staged, columns, table=Table(name, columns))
    census = Census(get_crawler())
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        convert([feed], census)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert census.verdict()[0] is Verdict.UNDELIVERED
    assert not staged.whole
    staged.discard()
    gc.collect()
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"former"


def test_a_killed_process_leaves_no_scratch(tmp_path: Path) -> None:
    part = hidden(tmp_path / "a.sqlite")
    assert claim(part)
    with scratch_folder(part) as scratch:
        (scratch / "half").write_bytes(b"x")
        sweep(tmp_path)
        assert (scratch / "half").exists()
        left = scratch.with_name(scratch.name.replace("a.", "b."))
        shutil.copytree(scratch, left)
        sweep(tmp_path)
        assert not left.exists()
    release(part)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["HARVEST_DIR", "HARVEST_STATE_DIR", "feed"])
def test_a_place_that_cannot_be_written_is_reported_before_any_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path, where: str
) -> None:
    sandbox = museum(objects=184)
    (tmp_path / "file").write_text("a file is no folder")
    place = f"{tmp_path}/file/folder"
    scrapy.at(sandbox)
    if where == "feed":
        crawl = scrapy.crawl("objects", "-O", f"{place}/objects.csv")
    else:
        crawl = scrapy.crawl("objects", **{where: place})
    assert crawl.code == 14, crawl.err
    (line,) = [line for line in crawl.err.splitlines() if line.startswith("error: ")]
    assert place in line
    assert "Traceback" not in crawl.err
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


def test_a_feed_that_breaks_is_not_complete(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=184)
    process = scrapy.at(sandbox).policy(UNLIMITED).start("crawl", "objects", "-o", "-:csv")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate()
    assert process.returncode == 14, errors


def test_a_snapshot_keeps_its_certificate_when_a_later_harvest_fails(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=184)
    whole = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects")
    certificate = (whole.folder / "objects.certificate.json").read_bytes()
    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    assert scrapy.crawl("objects").code == 10
    assert (whole.folder / "objects.certificate.json").read_bytes() == certificate
    incomplete = {file.name for file in whole.folder.glob("*.incomplete.*")}
    assert incomplete == {
        f"objects.incomplete.{ending}" for ending in ("jsonl", "certificate.json", "rejected.jsonl")
    }
    sandbox.clear()
    assert scrapy.crawl("objects").code == 0
    assert not list(whole.folder.glob("*.incomplete.*"))

"""Whole files or none: full disks, folders that cannot be written, feeds that break."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit

UNLIMITED = limit(1_000_000, 1)


def with_files_of_at_most(size: int, scrapy: Scrapy, *arguments: str) -> Crawl:
    """A crawl for which the disk is full as soon as a file has *size* bytes."""
    process = scrapy.start("crawl", "objects", *arguments)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate(timeout=scrapy.patience)
    return Crawl(process.wait(), out, err, scrapy.folder / "data", "objects")


@pytest.mark.parametrize("size", [100_000, 600_000, 1_500_000, 2_400_000])
def test_a_full_disk_costs_neither_snapshot_nor_harvest(
    museum: Callable[..., Sandbox], scrapy: Scrapy, size: int
) -> None:
    sandbox = museum(objects=460)
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


@pytest.mark.parametrize("where", ["HARVEST_DIR", "HARVEST_STATE_DIR", "feed"])
def test_a_place_that_cannot_be_written_is_told_before_any_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path, where: str
) -> None:
    sandbox = museum(objects=460)
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
    sandbox = museum(objects=460)
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
    sandbox = museum(objects=460)
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

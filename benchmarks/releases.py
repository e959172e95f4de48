"""Change feeds of the real releases of M+'s data set.

python -m benchmarks.releases FOLDER

FOLDER has the releases as archives, in the order of their names.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mplus_crawler.feeds.changes.comparison import Comparison
from mplus_crawler.feeds.changes.evidence import Evidence, Reason
from mplus_crawler.feeds.changes.snapshot import parsed, reader
from tests.conftest import Crawl, Scrapy

SPIDER = "mplus_open_objects"


def run(releases: list[Path]) -> int:
    """Harvest each release, print its changes, and replay all feeds."""
    with TemporaryDirectory() as folder:
        scrapy = Scrapy(Path(folder), patience=600, plain=True)
        former: Path | None = None
        for release in releases:
            began = _cpu()
            crawl = scrapy.crawl(SPIDER, "-a", f"source={release}")
            print(f"{release.name}: exit {crawl.code}, {_cpu() - began:.1f} CPU s")
            if crawl.code:
                print(crawl.err)
                return 1
            _report(crawl)
            snapshot = crawl.folder / f"{SPIDER}.jsonl"
            if former:
                _compare(former, snapshot, crawl.certificate["content_digest"])
            former = snapshot.rename(Path(folder) / "former.jsonl")
            snapshot.hardlink_to(former)
        done = scrapy.run("verify", str(crawl.folder))
        print(done.stdout, done.stderr, sep="")
        return done.returncode


def _report(crawl: Crawl) -> None:
    changes = crawl.certificate["changes"]
    lines = crawl.lines(changes["file"])[1:]
    updates = [line for line in lines if line["type"] == "Update"]
    renumbered = sum("object_number" in line["columns"] for line in updates)
    records = sum("record" in line["columns"] for line in updates)
    counts = {name: n for name, n in changes.items() if isinstance(n, int) and name != "bytes"}
    print(f"  {crawl.certificate['unique']:,} records; {counts}")
    print(f"  {records:,} records changed, {renumbered} of them renumbered")
    print(f"  {changes['summary']}")


def _compare(former: Path, now: Path, digest: str) -> None:
    """Print the CPU of the comparison alone."""
    began = time.process_time()
    with former.open("rb") as before, now.open("rb") as after:
        read = reader(after, digest)
        assert read is not None
        after.seek(0)
        comparison = Comparison(lambda _: Evidence(Reason.WITHDRAWN, ""))
        changes = sum(1 for _ in comparison.changes(parsed(before), read(after)))
    print(f"  comparison: {changes:,} changes, {time.process_time() - began:.2f} CPU s")


def _cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    releases = sorted(parser.parse_args().folder.glob("*.tar*"))
    return run(releases)


if __name__ == "__main__":
    raise SystemExit(main())

"""CPU and memory of comparing two snapshots: ``python -m benchmarks.comparison``.

Each size is compared in a separate process, with one record in a hundred changed, and one in a
thousand added and one removed.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from mplus_crawler.feeds.changes.comparison import Comparison
from mplus_crawler.feeds.changes.evidence import Evidence, Reason
from mplus_crawler.feeds.changes.snapshot import content_digest, parsed, reader

_RECORD = {"text": "x" * 3000, "values": list(range(300))}


def write(path: Path, records: int, *, later: bool) -> None:
    """Write a snapshot of so many *records* of 4 kB, as the exporter does."""
    with path.open("wb") as file:
        for number in range(records):
            if number % 1000 == (1 if later else 2):
                continue
            title = f"title {number}{' (new)' if later and number % 100 == 3 else ''}"
            digest = hashlib.sha256(title.encode()).hexdigest()
            row = {"id": f"id/{number:09}", "digest": digest, "title": title, "record": _RECORD}
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def compare(former: Path, now: Path) -> None:
    """Compare two snapshots as a harvest does, and print what it costs."""
    with former.open("rb") as before, now.open("rb") as after:
        digests = []
        for file in (before, after):
            digests.append(content_digest(parsed(file)))
            file.seek(0)
        began = time.process_time()
        read = [reader(file, digest) for file, digest in zip((before, after), digests, strict=True)]
        before.seek(0)
        after.seek(0)
        comparison = Comparison(lambda _: Evidence(Reason.WITHDRAWN, ""))
        assert read[0] is not None
        assert read[1] is not None
        changes = sum(1 for _ in comparison.changes(read[0](before), read[1](after)))
        seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{changes:,} changes, {seconds:.2f} CPU s, {peak:.0f} MB at most", flush=True)


def main() -> None:
    """Read the command line; without files, make them in several sizes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--records", type=int, nargs="+", default=[1000, 13_412, 200_000])
    options = parser.parse_args()
    if options.files:
        compare(*options.files)
        return
    for records in options.records:
        with TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("former.jsonl", "now.jsonl")]
            for file, later in zip(files, (False, True), strict=True):
                write(file, records, later=later)
            print(f"{records:,} records: ", end="", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.comparison", *files], check=True)


if __name__ == "__main__":
    main()

"""False alarms: ``python -m benchmarks.clean [--runs 50]``.

Harvests healthy museums repeatedly: all of Gent's objects and all of M+'s, in turns. Every
certificate must be ``complete``, without notes, problems, duplicates and failed pages.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit

SPIDERS = ("objects", "mplus_objects")
_CALLS = limit(1_000_000, 1, "calls")


def main() -> None:
    """Run the harvests; exit 1 at the first alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="of each; default: %(default)s")
    options = parser.parse_args()
    with Sandbox(objects=1_000, limits="off") as museum:
        for run in range(1, options.runs + 1):
            for spider in SPIDERS:
                if alarms := harvest(museum, spider):
                    raise SystemExit(f"run {run}, {spider}: {alarms}")
            print(f"{run} harvests of each museum, no alarm", flush=True)


def harvest(museum: Sandbox, spider: str) -> str:
    """Harvest *museum* with *spider*; return what its certificate says is wrong."""
    with TemporaryDirectory(prefix="clean") as folder:
        scrapy = Scrapy(Path(folder)).at(museum).policy(limit(1_000_000, 1)).policy(_CALLS, "mplus")
        done = scrapy.crawl(spider, MPLUS_URL=museum.mplus_url, MPLUS_API_KEY="benchmark")
        if done.code:
            return f"exit {done.code}\n{done.err}"
        certificate = done.certificate
        alarms = {name: certificate[name] for name in ("notes", "problems", "vanished")}
        alarms |= {"duplicates": certificate["duplicates"]}
        alarms |= {"failed pages": certificate["pages"]["failed"]}
        raised = [f"{name} {value}" for name, value in alarms.items() if value]
        if certificate["verdict"] != "complete":
            raised.append(certificate["verdict"])
        return ", ".join(raised)


if __name__ == "__main__":
    main()

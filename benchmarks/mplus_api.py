"""M+'s API over the whole published data set: calls, ids, and the rate at the server, by fault.

python -m benchmarks.mplus_api collection-data.tar.xz [--fault all] [--spider mplus_objects]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mplus_crawler.archive import members
from tests.conftest import Scrapy
from tests.graphql_museum import Museum, opened

FAULTS = ("none", "backend", "nested", "poison", "drift", "all")


def records(place: Path, folder: str) -> list[dict[str, Any]]:
    """All records of one folder of the data set."""
    return [json.loads(member.content or b"{}") for member in members(place, folder)]


def museum(place: Path, fault: str) -> Museum:
    """The data set behind the API, with one fault, or all of them."""

    def on(name: str) -> bool:
        return fault in (name, "all")

    objects = records(place, "objects_JSON")
    ids = sorted(row["id"] for row in objects)

    def change(changed: Museum) -> None:
        changed.objects = [row for row in changed.objects if row["id"] not in ids[:3]]
        changed.objects += [{**row, "id": 40_000 + row["id"]} for row in objects[:2]]

    return Museum(
        objects,
        records(place, "constituents_JSON"),
        failing={*range(20, 999, 20)} if on("backend") else set(),
        poor={*range(13, 999, 40)} if on("nested") else set(),
        poison={ids[len(ids) * 3 // 5]} if on("poison") else set(),
        changes={60: change} if on("drift") else {},
    )


def run(place: Path, spider: str, fault: str) -> str:
    """A harvest of it, and what the museum saw."""
    with TemporaryDirectory() as folder, opened(museum(place, fault)) as served:
        scrapy = Scrapy(Path(folder), patience=600, plain=True)
        done = scrapy.crawl(spider, MPLUS_URL=served.url, MPLUS_API_KEY="benchmark")
        here = {row["id"] for row in getattr(served, spider.removeprefix("mplus_"))}
        snapshot = done.folder / f"{spider}.jsonl"
        came = {int(row["id"]) for row in done.records} if snapshot.exists() else set()
        told = {int(line["id"]) for line in done.rejected if line["reason"] == "unreadable"}
        times = served.times
        fastest = max(sum(time <= other < time + 1 for other in times) for time in times)
        return (
            f"{spider:20} {fault:8} exit {done.code:2}  {len(times):4} calls  "
            f"{len(came):6,} records  {len(here - came - told)} missing  "
            f"{len(came - here)} too many  {len(told)} unreadable  "
            f"{served.sessions} session  {fastest} calls in a second at most  "
            f"{done.certificate['verdict']}"
        )


def arguments() -> Iterator[tuple[Path, str, str]]:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, help="the data set: a folder, tar or zip")
    parser.add_argument("--fault", choices=FAULTS, help="one only")
    parser.add_argument("--spider", default="mplus_objects")
    given = parser.parse_args()
    for fault in [given.fault] if given.fault else FAULTS:
        yield given.place, given.spider, fault


if __name__ == "__main__":
    for place, spider, fault in arguments():
        print(run(place, spider, fault), flush=True)

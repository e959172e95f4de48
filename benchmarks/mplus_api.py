"""M+'s API with the whole published data set: calls, ids and request rate, by fault.

python -m benchmarks.mplus_api collection-data.tar.xz [--fault all] [--spider mplus_objects]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy

# A search fails in every 20th call or so: two languages of one page are two searches.
_FAULTS = {
    "none": [],
    "backend": ["backend:root={root},every=40"],
    "nested": ["nested:root={root},every=40"],
    "crosstalk": ["crosstalk:root={root},every=40"],
    "poison": ["poison:row=8000"],
    "insert": ["insert:root={root},nth=30,at=700", "insert:root={root},nth=70,at=50"],
    "delete": [
        *("delete:root={root},nth=50,at=20", "delete:root={root},nth=90,at=30"),
        "delete:root={root},nth=110,at=1800",
    ],
}
FAULTS = (*_FAULTS, "all")


def run(place: Path, spider: str, faults: Sequence[str]) -> str:
    """Harvest the data set; return a line with the result and the museum's counts."""
    root = spider.removeprefix("mplus_")
    specs = [spec.format(root=root) for spec in faults]
    with TemporaryDirectory() as folder, Sandbox(mplus_data=str(place), mplus_faults=specs) as m:
        scrapy = Scrapy(Path(folder), patience=600, plain=True)
        done = scrapy.crawl(spider, MPLUS_URL=m.mplus_url, MPLUS_API_KEY="benchmark")
        truth, stats = m.truth("mplus")[root], m.stats()["mplus"]
        there = done.certificate["verdict"].startswith("complete")
        came = {int(row["id"]) for row in done.records} if there else set()
        told = {int(line["id"]) for line in done.rejected if line["reason"] == "unreadable"}
        here = {*truth["ids"]}
        return (
            f"exit {done.code:2}  {stats['calls']:4} calls  {len(came):6,} records  "
            f"{len(here - came - told)} missing  {len(came - here)} too many  "
            f"{len(told)} unreadable  {stats['peak_second']} calls in a second at most  "
            f"{stats['sessions']} session  {stats['writes']} writes  {done.certificate['verdict']}"
        )


def main() -> None:
    """Run the harvests that the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, help="the data set: a folder, tar or zip")
    parser.add_argument("--fault", choices=FAULTS, help="one only")
    parser.add_argument("--spider", default="mplus_objects")
    given = parser.parse_args()
    for name in [given.fault] if given.fault else FAULTS:
        every = [spec for specs in _FAULTS.values() for spec in specs]
        faults = every if name == "all" else _FAULTS[name]
        print(f"{given.spider:18} {name:9} {run(given.place, given.spider, faults)}", flush=True)


if __name__ == "__main__":
    main()

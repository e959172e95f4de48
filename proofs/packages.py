"""Harvests the sandbox, and makes packages and a spreadsheet: ``python -m proofs.packages FOLDER``.

It runs with the project's Python; the proofs then read FOLDER with other programs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.fixtures.mplus import PUBLISHED

FED = ("objects", "exhibitions")  # spiders whose records are also in feeds/
ENDINGS = ("jsonl", "csv", "parquet")
MUSEUMS = ("dmg", "mplus_open")
SHEET = "objects.xlsx"
PUBLISHED_SET = ("mplus_open_objects", "mplus_open_constituents")


def make(folder: Path) -> None:
    """Harvest into *folder*/data; make a package of each museum and a spreadsheet in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    scrapy = Scrapy(folder, plain=True)
    scrapy.policy(limit(5000, 1))
    sizes = {"objects": 300, "agents": 60, "exhibitions": 30, "concepts": 40}
    with Sandbox(**sizes, limits="off", invalid=0, rights=0.5) as museum:
        _run(scrapy.at(museum), "harvest", "dmg")
        for kind in FED:
            feeds = (f"{folder}/feeds/{kind}.{ending}" for ending in ENDINGS)
            _run(scrapy, "crawl", kind, *(part for feed in feeds for part in ("-O", feed)))
    for spider in PUBLISHED_SET:
        _run(scrapy, "crawl", spider, "-a", f"source={PUBLISHED}")
    sheet = ("-O", str(folder / SHEET))
    _run(scrapy, "crawl", "mplus_open_objects", "-a", f"source={PUBLISHED}", *sheet)
    for museum_ in MUSEUMS:
        _run(scrapy, "dataset", museum_, "-o", str(folder / museum_))


def _run(scrapy: Scrapy, *arguments: str) -> None:
    done = scrapy.run(*arguments)
    if done.returncode:
        raise SystemExit(f"scrapy {' '.join(arguments)}: {done.stderr}")


if __name__ == "__main__":
    make(Path(sys.argv[1]))

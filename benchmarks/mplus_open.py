"""The whole published data set of M+, and what its columns hold.

python -m benchmarks.mplus_open collection-data.tar.xz
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mplus_crawler.museum.policies.reading import load_policy
from tests.conftest import Scrapy

Row = dict[str, Any]


def run(place: Path) -> None:
    """Harvest both folders, and count."""
    with TemporaryDirectory() as folder:
        scrapy = Scrapy(Path(folder), plain=True)
        people = scrapy.crawl("mplus_open_constituents", "-a", f"source={place}")
        kinds = Counter(row["constituent_type"] for row in people.records)
        print(f"constituents: exit {people.code}, {len(people.records):,} records, {dict(kinds)}")
        done = scrapy.crawl("mplus_open_objects", "-a", f"source={place}")
        rows = done.records
        print(f"objects: exit {done.code}, {len(rows):,} records, {len(done.rejected)} rejected")
        print(f"  origin: {done.certificate['origin']}")
        for line in (*texts(rows), *credits_(rows, people.records), *values(rows)):
            print(f"  {line}")


def texts(rows: list[Row]) -> Iterator[str]:
    """Yield what is missing, and how long titles are."""
    for column in ("title_en", "title_zh", "medium_en", "medium_zh", "image_count"):
        yield f"{column} empty: {sum(row[column] is None for row in rows):,}"
    for column in ("categories_en", "archival_levels_en"):
        yield f"{column} empty: {sum(not row[column] for row in rows):,}"
    yield f"image_count 0: {sum(row['image_count'] == 0 for row in rows):,}"
    titles = [(row["title_en"] or "", row["title_zh"] or "") for row in rows]
    lengths = [max(map(len, pair)) for pair in titles]
    yield f"titles over 256 characters: {sum(n > 256 for n in lengths)}; longest: {max(lengths)}"
    yield f"alike in both languages: {sum(en == zh != '' for en, zh in titles)}"
    yield f"object numbers: {len({row['object_number'] for row in rows}):,}"


def credits_(rows: list[Row], people: list[Row]) -> Iterator[str]:
    """Yield how many credit lines name somebody who made nothing, read from the records."""
    others = {*load_policy("mplus_open").roles_of_others}
    names = {row["id"]: row["label"] for row in people}
    wrong = 0
    for row in rows:
        roles: dict[str, set[str]] = defaultdict(set)
        for link in row["record"]["constituents"] or ():
            roles[str(link["id"])].add(link["role"]["en"])
        named = {names[id_] for id_, said in roles.items() if not said <= others}
        unnamed = {names[id_] for id_, said in roles.items() if said <= others} - named
        before = (row["attribution"] or "").partition(row["title_en"] or row["object_number"])[0]
        wrong += any(name in before.rstrip(", ").split(" and ") for name in unnamed)
    yield f"credit lines that name somebody who made nothing: {wrong}"
    yield f"credit lines that are null: {sum(row['attribution'] is None for row in rows)}"
    flags = Counter(person["is_maker"] for row in rows for person in row["constituents"])
    yield f"is_maker: {dict(flags)}"


def values(rows: list[Row]) -> Iterator[str]:
    """Yield what can be computed with: years, dates as EDTF, sizes."""
    for column in ("date_begin", "date_end"):
        yield f"{column} 0: {sum(row[column] == 0 for row in rows)}"
    dated = [row for row in rows if row["display_date_en"]]
    read = sum(row["date_edtf"] is not None for row in dated)
    yield f"dates as EDTF: {read:,} of {len(dated):,} ({read / len(dated):.1%})"
    yield f"date_certainty: {dict(Counter(row['date_certainty'] for row in rows))}"
    sides = ("height_cm", "width_cm", "depth_cm", "diameter_cm")
    sized = {row["object_number"]: max(row[side] or 0 for side in sides) for row in rows}
    largest = sorted(sized.items(), key=lambda item: -item[1])[:3]
    yield f"with a size in cm: {sum(map(bool, sized.values())):,}; largest: {largest}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, help="the data set: a folder, tar or zip")
    run(parser.parse_args().place)

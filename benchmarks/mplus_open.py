"""The published data set of M+ and the contents of its columns.

python -m benchmarks.mplus_open collection-data.tar.xz
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import Scrapy


def run(place: Path) -> None:
    """Harvest both folders and print counts."""
    with TemporaryDirectory() as folder:
        scrapy = Scrapy(Path(folder), plain=True)
        done = scrapy.crawl("mplus_open_objects", "-a", f"source={place}")
        rows = done.records
        print(f"objects: exit {done.code}, {len(rows):,} records, {len(done.rejected)} rejected")
        for column in ("title_en", "title_zh", "medium_en", "medium_zh", "image_count"):
            print(f"  {column} empty: {sum(row[column] is None for row in rows):,}")
        for column in ("categories_en", "archival_levels_en"):
            print(f"  {column} empty: {sum(not row[column] for row in rows):,}")
        print(f"  image_count 0: {sum(row['image_count'] == 0 for row in rows):,}")
        print(f"  date_begin 0: {sum(row['date_begin'] == 0 for row in rows)}")
        print(f"  date_end 0: {sum(row['date_end'] == 0 for row in rows)}")
        titles = [(row["title_en"] or "", row["title_zh"] or "") for row in rows]
        lengths = [max(map(len, pair)) for pair in titles]
        print(f"  titles over 256 characters: {sum(n > 256 for n in lengths)}")
        print(f"  longest title: {max(lengths)}")
        print(f"  alike in both languages: {sum(en == zh != '' for en, zh in titles)}")
        print(f"  object numbers: {len({row['object_number'] for row in rows}):,}")
        done = scrapy.crawl("mplus_open_constituents", "-a", f"source={place}")
        kinds = Counter(row["constituent_type"] for row in done.records)
        print(f"constituents: exit {done.code}, {len(done.records):,} records, {dict(kinds)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, help="the data set: a folder, tar or zip")
    run(parser.parse_args().place)

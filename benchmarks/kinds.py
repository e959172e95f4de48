"""Every kind of feed that a harvest is killed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.s3 import S3Server
from tests.test_images import feed, host, row
from tests.wire import Server, serving

_IMAGES = 10
_PAGES = ("-a", "page_size=20")
_GZIP = {"format": "jsonlines", "postprocessing": ["scrapy.extensions.postprocessing.GzipPlugin"]}


@dataclass(frozen=True)
class Kind:
    """A kind of feed: the spider, and its options for a folder.

    *former*: whether a complete harvest was there before; *head*: what a file has before that;
    *bucket*: the bucket in S3 that it writes to; *private*: whether the feeds are their owner's
    alone.
    """

    name: str
    spider: str
    options: Callable[[Path], tuple[str, ...]] = lambda _: ()
    former: bool = False
    head: tuple[str, bytes] | None = None
    private: bool = False
    server: S3Server | Server | None = None
    bucket: str = ""

    def arguments(self, folder: Path) -> tuple[str, ...]:
        """The command's arguments."""
        return ("crawl", self.spider, *_PAGES[: 2 * (self.spider in _PAGED)], *self.options(folder))


_PAGED = ("objects", "private_objects")


def kinds(stack: ExitStack) -> list[Kind]:
    """All kinds of feed; *stack* stops the servers that they need."""
    s3 = stack.enter_context(ExitStack())
    store = S3Server(Path(s3.enter_context(TemporaryDirectory(prefix="s3"))))
    for bucket in ("harvest", "feeds"):
        (store.folder / bucket).mkdir()
    store.start()
    s3.callback(store.kill)
    images = stack.enter_context(serving(host))
    return [
        Kind("snapshot", "objects"),
        Kind("replaced", "objects", former=True),
        Kind("new", "objects", partial(_files, "-O", "a.jsonl", "b.csv", "c.json")),
        Kind("overwritten", "objects", partial(_files, "-O", "a.jsonl", "b.csv"), former=True),
        Kind("appended", "objects", partial(_files, "-o", "a.jsonl"), head=("a.jsonl", b"{}\n")),
        Kind("appended csv", "objects", partial(_files, "-o", "a.csv"), former=True),
        Kind("compressed", "objects", _packed),
        Kind(
            "tables",
            "objects",
            partial(_files, "-O", "a.parquet", "b.xlsx", "c.sqlite"),
            former=True,
        ),
        Kind("s3", "objects", partial(_s3_folder, "harvest"), server=store, bucket="harvest"),
        Kind("s3 feed", "objects", _s3_feed, former=True, server=store, bucket="feeds"),
        Kind("private", "private_objects", private=True),
        Kind("images", "images", partial(_images, images.base_url), server=images),
        Kind("mplus", "mplus_objects", former=True),
    ]


def _files(flag: str, *names_and_folder: str | Path) -> tuple[str, ...]:
    *names, folder = names_and_folder
    return tuple(part for name in names for part in (flag, f"{folder}/{name}"))


def _packed(folder: Path) -> tuple[str, ...]:
    return ("-s", f"FEEDS={json.dumps({f'{folder}/a.jsonl.gz': _GZIP})}")


def _s3_folder(bucket: str, _: Path) -> tuple[str, ...]:
    return ("-s", f"HARVEST_DIR=s3://{bucket}/gent")


def _s3_feed(folder: Path) -> tuple[str, ...]:
    return ("-O", "s3://feeds/a.jsonl", "-O", f"{folder}/b.csv")


def _images(base_url: str, folder: Path) -> tuple[str, ...]:
    rows = (row(number, f"{base_url}{number}.png") for number in range(_IMAGES))
    return ("-a", f"feed={feed(folder / 'list.jsonl', rows)}")

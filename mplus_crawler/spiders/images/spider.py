"""Images of the objects in a feed, as far as their licences allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.census import Census
from mplus_crawler.errors import UsageError
from mplus_crawler.policies.policy import ImageLicence, Images, Tier
from mplus_crawler.protocols.iiif import read_size, resized
from mplus_crawler.records.batch import Loss
from mplus_crawler.records.reader import check_feed, read_feed
from mplus_crawler.records.rights import UNKNOWN, Rights
from mplus_crawler.spiders.arguments import Parser, some_of, text
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.images.permission import statements
from mplus_crawler.spiders.images.queue import ImageQueue, Picture, Shard
from mplus_crawler.spiders.images.store import Kept
from mplus_crawler.storage.folders import in_s3

_FOLDER = "images"
_FEED = "mplus_crawler.spiders.images.spider.FeedMiddleware"
_PIPELINE = "mplus_crawler.spiders.images.pipeline.ImagesPipeline"
# Images at all hosts together; each host has a limit of its own.
_SIDE_BY_SIDE = 64
# So many records of the feed are read before others have their turn.
_AT_ONCE = 500


def _shard(text: str) -> str:
    return str(Shard.read(text))


class FeedMiddleware:
    """Answers the request for the feed: a file of the user's, which no handler reads for us."""

    def process_request(self, request: Request) -> Response | None:
        """An empty answer; the spider reads the feed itself, a record at a time."""
        return Response(request.url, request=request) if request.meta.get("local_feed") else None


class ImagesSpider(GentSpider):
    """Images of the objects in a feed, as far as their licences allow.

    ``feed`` is a file of ours, ``licences`` the terms under which images are wanted, ``size`` a
    size of the IIIF Image API, ``shard`` one part of several.
    """

    name = "images"
    kind = "image"

    feed: Path
    queue: ImageQueue
    _terms: Mapping[str, ImageLicence]
    _busy: Counter[str]
    _freed: asyncio.Event

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Images are kept under ``HARVEST_DIR``, by a pipeline that comes before the others."""
        super().update_settings(settings)
        settings.set("FILES_STORE", f"{settings['HARVEST_DIR']}/{_FOLDER}", priority="spider")
        pipelines = {**settings.getdict("ITEM_PIPELINES"), _PIPELINE: 50}
        settings.set("ITEM_PIPELINES", pipelines, priority="spider")
        middlewares = {**settings.getdict("DOWNLOADER_MIDDLEWARES"), _FEED: 10}
        settings.set("DOWNLOADER_MIDDLEWARES", middlewares, priority="spider")
        for name in ("CONCURRENT_REQUESTS", "CONCURRENT_ITEMS"):
            settings.set(name, _SIDE_BY_SIDE, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, its queue still empty."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        named = spider.arguments.get("licences")
        wanted = named.split(",") if named else spider.images.licences
        spider.queue = ImageQueue(Shard.read(spider.arguments.get("shard", "1/1")), wanted)
        spider.feed = Path(spider.arguments["feed"]).absolute()
        spider._terms = {term.slug: term for term in spider.policy.licences}
        spider._busy, spider._freed = Counter(), asyncio.Event()
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """What to read, and what of it to fetch."""
        terms = cls.load_policy(settings).licences
        licences = some_of(*(term.slug for term in terms if term.download))
        return {"feed": text, "licences": licences, "size": read_size, "shard": _shard}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """As everywhere; and there must be a feed to read, and a folder to write to."""
        arguments = super().check(settings, given)
        if in_s3(settings["HARVEST_DIR"]):
            raise UsageError("images are kept in a folder: name one with HARVEST_DIR")
        if "feed" not in arguments:
            raise UsageError(f"{cls.name} needs a feed to read: -a feed=data/objects.jsonl")
        if in_s3(arguments["feed"]):
            raise UsageError(f"{arguments['feed']} is in S3: copy it here, and name that")
        check_feed(Path(arguments["feed"]))
        return arguments

    @classmethod
    def is_private(cls, arguments: Mapping[str, str]) -> bool:
        """Images, with what is said of them, are for whoever may read the feed."""
        return not Path(arguments["feed"]).stat().st_mode & 0o077

    @property
    def images(self) -> Images:
        """What the policy says of images."""
        assert self.policy.images is not None, "the policy says nothing of images"
        return self.policy.images

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the feed, which :class:`FeedMiddleware` answers."""
        meta = {"local_feed": True, "skip_ledger": True}
        yield Request(self.feed.as_uri(), meta=meta, dont_filter=True)

    async def parse(self, response: Response) -> AsyncIterator[Picture | Loss]:
        """Read the feed; then the images, host by host in turn, as places come free."""
        await self._read()
        census = Census.of(self.crawler)
        census.total(self.queue.allowed())
        hosts = self.queue.hosts()
        while hosts and self.crawler.crawling and not census.ended:
            host = min(hosts, key=self._busy.__getitem__)
            if self._busy[host] >= self.policy.in_flight:
                self._freed.clear()
                await self._freed.wait()
            elif (picture := self.queue.take(host)) is None:
                hosts.remove(host)
            elif self.allows(self.address(picture)):
                self._busy[host] += 1
                yield picture
            else:
                yield self.loss(picture, "its address is none that may be asked")

    async def _read(self) -> None:
        """Put the feed's images on the queue."""
        census, rights = Census.of(self.crawler), Rights(self.policy)
        for number, record in enumerate(read_feed(self.feed)):
            if isinstance(record, str):
                census.problem(f"{self.feed}: {record}")
                continue
            for said in statements(record, rights):
                self.queue.add(said)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        if not self.queue.named:
            census.note(f"{self.feed} names no image: is it a feed of objects?")
        if denied := self.queue.denied():
            parts = ", ".join(f"{n:,} {self._named(term)}" for term, n in sorted(denied.items()))
            census.note(f"images that may not be fetched, or are not wanted: {parts}")

    def done(self, picture: Picture) -> None:
        """An image is in hand or lost: its host has a place free."""
        self._busy[picture.host] -= 1
        self._freed.set()

    def address(self, picture: Picture) -> str:
        """Where *picture* is to be had in the size that is wanted."""
        return resized(picture.image, self.arguments.get("size"))

    def uses(self, picture: Picture, url: str, retrieved_at: str) -> list[dict[str, Any]]:
        """For the file beside the image: each object that shows it, and on which terms."""
        return [
            {
                "object": use["object"],
                "label": use["label"],
                "licence": self._named(picture.term),
                "licence_uri": use["licence_uri"],
                "attribution": use["attribution"],
                "note": use["note"],
                "source": use["image"],
                "url": url,
                "retrieved_at": retrieved_at,
            }
            for use in picture.uses
        ]

    def loss(self, picture: Picture, why: str) -> Loss:
        """*picture* cannot be had."""
        return Loss(picture.image, "unreadable", f"{why} (of {picture.uses[0]['object']})")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of an image: its licence and attribution are those of its first use."""
        kept, uses = Kept(**record["content"]), record["uses"]
        first = uses[0]
        return {
            "id": known_id,
            "url": first["url"],
            "label": first["label"] or known_id,
            "licence": first["licence"],
            "licence_uri": first["licence_uri"],
            "attribution": first["attribution"],
            "object": first["object"],
            "objects": list(dict.fromkeys(use["object"] for use in uses)),
            "file": f"{_FOLDER}/{kept.path}",
            "sha256": kept.sha256,
            "bytes": kept.bytes,
            "content_type": kept.content_type,
        }

    def rate_limit_of(self, request: Request) -> tuple[str, Tier]:
        """The host of the image."""
        return self.rate_limit_elsewhere(request.url)

    def allows(self, url: str) -> bool:
        """Whether *url* may be requested; no redirect leads to an image that is denied."""
        return self.allows_elsewhere(url) and not self.queue.denies(url)

    def certified(self) -> dict[str, Any]:
        """How many images there are under each licence, and which were wanted."""
        counts = {self._named(term): number for term, number in self.queue.counts().items()}
        wanted = [self._named(term) for term in self.queue.terms]
        return {"images": {"by_licence": counts, "wanted": wanted}}

    def _named(self, term: str) -> str:
        return UNKNOWN if term == UNKNOWN else self._terms[term].name

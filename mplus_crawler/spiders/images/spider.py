"""The ``images`` spider: reads a feed and queues the images that may be downloaded."""

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

from mplus_crawler.errors import UsageError, counted
from mplus_crawler.museum.policies.policy import ImageLicence, Images, Tier
from mplus_crawler.protocols.iiif import read_size, resized
from mplus_crawler.records.batch import Loss
from mplus_crawler.records.permission import statements
from mplus_crawler.records.reader import check_feed, read_feed
from mplus_crawler.records.rights import INVENTED, UNKNOWN, Rights
from mplus_crawler.responses.sandboxed import SandboxWatch
from mplus_crawler.spiders.arguments import Parser, some_of, text
from mplus_crawler.spiders.dmg.base import GentSpider
from mplus_crawler.spiders.images.queue import ImageQueue, QueuedImage, Shard
from mplus_crawler.spiders.images.store import StoredImage
from mplus_crawler.storage.folders import in_s3

_FOLDER = "images"
_FEED = "mplus_crawler.spiders.images.spider.FeedMiddleware"
_PIPELINE = "mplus_crawler.spiders.images.pipeline.ImagesPipeline"
# Requests at all hosts together; each host has its own limit.
_CONCURRENT = 64
# Records of the feed that are read before other tasks may run.
_CHUNK = 500
# Lines of the feed that are reported one by one if they cannot be read; the others are counted.
_FAULTS = 20


def _shard(text: str) -> str:
    return str(Shard.read(text))


class FeedMiddleware:
    """Responds to the request for the feed, a local file for which no handler is enabled."""

    def process_request(self, request: Request) -> Response | None:
        """Return an empty response; the spider reads the feed itself, record by record."""
        return Response(request.url, request=request) if request.meta.get("local_feed") else None


class ImagesSpider(GentSpider):
    """Images of the objects in a feed, if their licences permit the download.

    ``feed`` is a feed of this project, ``licences`` selects terms, ``size`` is a size of the IIIF
    Image API, ``shard`` one of several parts.
    """

    name = "images"
    kind = "image"
    has_snapshot = False

    feed: Path
    queue: ImageQueue
    _terms: Mapping[str, ImageLicence]
    _busy: Counter[str]
    _freed: asyncio.Event

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Store images under ``HARVEST_DIR``, in a pipeline before the others."""
        super().update_settings(settings)
        settings.set("FILES_STORE", f"{settings['HARVEST_DIR']}/{_FOLDER}", priority="spider")
        pipelines = {**settings.getdict("ITEM_PIPELINES_BASE"), _PIPELINE: 50}
        settings.set("ITEM_PIPELINES_BASE", pipelines, priority="spider")
        middlewares = {**settings.getdict("DOWNLOADER_MIDDLEWARES_BASE"), _FEED: 10}
        settings.set("DOWNLOADER_MIDDLEWARES_BASE", middlewares, priority="spider")
        for name in ("CONCURRENT_REQUESTS", "CONCURRENT_ITEMS"):
            settings.set(name, _CONCURRENT, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider with an empty queue."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        given = spider.arguments.get("licences")
        terms = given.split(",") if given else spider.images.licences
        spider.queue = ImageQueue(Shard.read(spider.arguments.get("shard", "1/1")), terms)
        spider.feed = Path(spider.arguments["feed"]).absolute()
        spider._terms = {term.slug: term for term in spider.policy.licences}
        spider._busy, spider._freed = Counter(), asyncio.Event()
        return spider

    @classmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return the parsers of the arguments."""
        terms = cls.load_policy(settings).licences
        licences = some_of(*(term.slug for term in terms if term.download))
        return {"feed": text, "licences": licences, "size": read_size, "shard": _shard}

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """Check the arguments, the feed and the output folder."""
        arguments = super().check(settings, given)
        if in_s3(settings["HARVEST_DIR"]):
            raise UsageError("images need a local folder; set HARVEST_DIR to one")
        if "feed" not in arguments:
            raise UsageError(f"{cls.name} needs a feed: -a feed=data/objects.jsonl")
        if in_s3(arguments["feed"]):
            raise UsageError(
                f"{arguments['feed']} is in S3: copy it to a local file, and pass that"
            )
        check_feed(Path(arguments["feed"]))
        return arguments

    @classmethod
    def is_private(cls, arguments: Mapping[str, str]) -> bool:
        """Whether only the owner may read the feed, and so the images."""
        return not Path(arguments["feed"]).stat().st_mode & 0o077

    @property
    def images(self) -> Images:
        """The policy's settings for images."""
        assert self.policy.images is not None, "the policy has no settings for images"
        return self.policy.images

    async def start(self) -> AsyncIterator[Request]:
        """Request the feed; :class:`FeedMiddleware` responds."""
        yield Request(
            self.feed.as_uri(), meta={"local_feed": True, "skip_ledger": True}, dont_filter=True
        )

    async def parse(self, response: Response) -> AsyncIterator[QueuedImage | Loss]:
        """Read the feed, then yield an image whenever its host has a free slot."""
        await self._read()
        self.census.total(self.queue.allowed())
        hosts = self.queue.hosts()
        while hosts and self.crawler.crawling and not self.census.ended:
            host = min(hosts, key=self._busy.__getitem__)
            if self._busy[host] >= self.policy.in_flight:
                self._freed.clear()
                await self._freed.wait()
            elif (image := self.queue.take(host)) is None:
                hosts.remove(host)
            elif self.allows(self.address(image)):
                self._busy[host] += 1
                yield image
            else:
                yield self.loss(image, "its address may not be requested")

    async def _read(self) -> None:
        """Add the feed's images to the queue."""
        rights, watch = Rights(self.policy), SandboxWatch.of(self.crawler)
        faults = 0
        for number, record in enumerate(read_feed(self.feed)):
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
            if isinstance(record, str):
                faults += 1
                if faults <= _FAULTS:
                    self.census.problem(f"{self.feed}: {record}")
                continue
            if not watch.invented and str(record.get("source")).endswith(INVENTED):
                watch.learn()
            for statement in statements(record, rights):
                self.queue.add(statement)
        if faults > _FAULTS:
            more = counted(faults - _FAULTS, "more line")
            self.census.problem(f"{self.feed}: {more} cannot be read")
        if not self.queue.named:
            self.census.note(f"{self.feed} contains no image URLs: is it a feed of objects?")
        if denied := self.queue.denied():
            parts = ", ".join(f"{n:,} {self._named(term)}" for term, n in sorted(denied.items()))
            self.census.note(f"images not selected or not permitted: {parts}")

    def done(self, image: QueuedImage) -> None:
        """Free the host's slot of *image*, which is stored or lost."""
        self._busy[image.host] -= 1
        self._freed.set()

    def address(self, image: QueuedImage) -> str:
        """Return the URL of *image* in the requested size."""
        return resized(image.url, self.arguments.get("size"))

    def uses(self, image: QueuedImage, url: str) -> list[dict[str, Any]]:
        """Return the uses of the image: each object that shows it, and the terms."""
        return [
            {
                "object": use["object"],
                "label": use["label"],
                "licence": self._named(image.term),
                "licence_uri": use["licence_uri"],
                "attribution": use["attribution"],
                "note": use["note"],
                "source": use["image"],
                "url": url,
            }
            for use in image.uses
        ]

    def loss(self, image: QueuedImage, why: str) -> Loss:
        """Return the loss of *image*."""
        return Loss(image.url, "unreadable", f"{why} (of {image.uses[0]['object']})")

    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """Return the columns of an image; licence and attribution are those of its first use."""
        stored, uses = StoredImage(**record["content"]), record["uses"]
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
            "file": f"{_FOLDER}/{stored.path}",
            "sha256": stored.sha256,
            "bytes": stored.bytes,
            "content_type": stored.content_type,
        }

    def rate_limit_of(self, request: Request) -> tuple[str, Tier]:
        """Return the rate limit of the image's host."""
        return self.rate_limit_elsewhere(request.url)

    def allows(self, url: str) -> bool:
        """Whether *url* may be requested; a redirect to a denied image may not."""
        return self.allows_elsewhere(url) and not self.queue.denies(url)

    def certified(self) -> dict[str, Any]:
        """Return the number of images by licence, and the licences selected."""
        counts = {self._named(term): number for term, number in self.queue.counts().items()}
        selected = [self._named(term) for term in self.queue.terms]
        return {"images": {"by_licence": counts, "wanted": selected}}

    def _named(self, term: str) -> str:
        return UNKNOWN if term == UNKNOWN else self._terms[term].name

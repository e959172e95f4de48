"""Images, through Scrapy's own media pipeline: fetched, judged, and put on the shelf."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, cast

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.pipelines.files import FilesPipeline
from scrapy.pipelines.media import FileInfo, FileInfoOrError, MediaPipeline
from twisted.python.failure import Failure

from mplus_crawler.census import Census, Verdict
from mplus_crawler.records.batch import Loss, Records, stamp
from mplus_crawler.spiders.images.formats import NotAnImageError, read_format
from mplus_crawler.spiders.images.queue import Picture
from mplus_crawler.spiders.images.spider import ImagesSpider
from mplus_crawler.spiders.images.store import ImageStore, Kept

# Asking again brings no other answer; 408 and 429 are the retry middleware's concern.
_FINAL = [status for status in range(400, 500) if status not in (408, 429)]


class ImageInfo(FileInfo):
    """Scrapy's account of a file, and what else is known of an image."""

    kept: Kept
    retrieved_at: str


class ImagesPipeline(FilesPipeline):
    """Makes a record of each :class:`Picture`, or a loss; other items pass.

    An image that is on the shelf whole is not asked for again.
    """

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self.handle_httpstatus_list = _FINAL  # type: ignore[assignment]  # any container will do
        self._census = Census.of(crawler)
        self._shelf = ImageStore(Path(store_uri))

    def open_spider(self) -> None:  # type: ignore[override]  # Scrapy passes no spider any more
        """See what is on the shelf."""
        super().open_spider()
        self._spider = ImagesSpider.of(self.crawler)
        if not self._spider.fresh:
            self._shelf.look()

    async def process_item(  # type: ignore[override]  # as above
        self, item: Picture | Loss
    ) -> Records | Loss:
        """The record of a picture, or its loss; then its host has a place free."""
        if isinstance(item, Loss):
            return item
        try:
            return cast("Records | Loss", await super().process_item(item))
        finally:
            self._spider.done(item)

    def get_media_requests(self, item: Picture, info: MediaPipeline.SpiderInfo) -> list[Request]:
        """A request for the picture, in the size that is wanted."""
        return [
            Request(
                self._spider.address(item),
                callback=NO_CALLBACK,
                headers={"Accept": "image/*"},
                meta={"skip_ledger": True, "loss_reported": True},
            )
        ]

    async def media_to_download(  # type: ignore[override]  # Scrapy awaits what it gets
        self, request: Request, info: MediaPipeline.SpiderInfo, *, item: Any = None
    ) -> FileInfo | None:
        """What is on the shelf already; ``None`` where the image has to be fetched."""
        try:
            if (found := self._shelf.find(request.url)) is None:
                return None
            kept, retrieved_at = found
            self._shelf.note(kept, self._spider.uses(item, request.url, retrieved_at))
        except OSError as error:
            self._undelivered(error)
        return _info(request, kept, retrieved_at, "uptodate")

    async def media_downloaded(
        self,
        response: Response,
        request: Request,
        info: MediaPipeline.SpiderInfo,
        *,
        item: Any = None,
    ) -> FileInfo:
        """Put what came on the shelf; raises IgnoreRequest where it is no image."""
        if response.status != 200:
            raise IgnoreRequest(f"its host answered {response.status}")
        content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
        retrieved_at = stamp(datetime.now(UTC))
        try:
            form = read_format(content_type, response.body)
            uses = self._spider.uses(item, request.url, retrieved_at)
            kept = self._shelf.put(response.body, form, uses)
        except NotAnImageError as refusal:
            raise IgnoreRequest(str(refusal)) from None
        except OSError as error:
            self._undelivered(error)
        return _info(request, kept, retrieved_at, "downloaded")

    def media_failed(
        self, failure: Failure, request: Request, info: MediaPipeline.SpiderInfo
    ) -> NoReturn:
        """As Scrapy does when a request was dropped: without a traceback."""
        error = failure.value
        if not isinstance(error, IgnoreRequest):
            error = IgnoreRequest(str(error).rstrip(".") or type(error).__name__)
        super().media_failed(Failure(error), request, info)  # type: ignore[no-untyped-call]

    def item_completed(
        self, results: list[FileInfoOrError], item: Picture, info: MediaPipeline.SpiderInfo
    ) -> Records | Loss:
        """The picture's record; a loss unless the crawl is ending, and will go on with it."""
        info.downloaded.clear()  # no image comes twice, and what is held here is never let go
        ((_, result),) = results
        if not isinstance(result, Failure):
            found = cast("ImageInfo", result)
            uses = self._spider.uses(item, found["url"], found["retrieved_at"])
            record = {"content": asdict(found["kept"]), "uses": uses}
            return Records(found["retrieved_at"], [(item.image, record)])
        if self._census.ended or not self.crawler.crawling:
            raise DropItem("the crawl is ending", log_level="DEBUG")
        return self._spider.loss(item, str(result.value))

    def _undelivered(self, error: OSError) -> NoReturn:
        reason = f"an image cannot be stored: {error.strerror or error}"
        self._census.stop(Verdict.UNDELIVERED, reason)
        raise IgnoreRequest(reason)


def _info(request: Request, kept: Kept, retrieved_at: str, status: str) -> ImageInfo:
    return {
        "url": request.url,
        "path": kept.path,
        "checksum": kept.sha256,
        "status": status,
        "kept": kept,
        "retrieved_at": retrieved_at,
    }

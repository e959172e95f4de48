"""The images pipeline: downloads images with Scrapy's media pipeline, checks and stores them."""

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
from mplus_crawler.spiders.images.queue import QueuedImage
from mplus_crawler.spiders.images.spider import ImagesSpider
from mplus_crawler.spiders.images.store import ImageStore, StoredImage

# Not retryable; 408 and 429 belong to the retry middleware.
_FINAL = [status for status in range(400, 500) if status not in (408, 429)]


class ImageInfo(FileInfo):
    """Scrapy's description of a file, with the stored image and its time."""

    stored: StoredImage
    retrieved_at: str


class ImagesPipeline(FilesPipeline):
    """Turns each :class:`QueuedImage` into a record or a loss; passes losses on.

    An image that is in the store is not requested again.
    """

    def __init__(self, store_uri: str, *, crawler: Crawler) -> None:
        super().__init__(store_uri, crawler=crawler)
        self.handle_httpstatus_list = _FINAL  # type: ignore[assignment]  # any container will do
        self._census = Census.of(crawler)
        self._store = ImageStore(Path(store_uri))

    def open_spider(self) -> None:  # type: ignore[override]  # Scrapy passes no spider any more
        """Find the images of former crawls."""
        super().open_spider()
        self._spider = ImagesSpider.of(self.crawler)
        if not self._spider.fresh:
            self._store.load()

    async def process_item(  # type: ignore[override]  # as above
        self, item: QueuedImage | Loss
    ) -> Records | Loss:
        """Return the record or the loss of an image, and free the slot of its host."""
        if isinstance(item, Loss):
            return item
        try:
            return cast("Records | Loss", await super().process_item(item))
        finally:
            self._spider.done(item)

    def get_media_requests(
        self, item: QueuedImage, info: MediaPipeline.SpiderInfo
    ) -> list[Request]:
        """Return the request for the image, in the requested size."""
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
        """Return the image if it is in the store; ``None`` if it must be downloaded."""
        try:
            if (found := self._store.find(request.url)) is None:
                return None
            stored, retrieved_at = found
            self._store.add_uses(stored, self._dated_uses(item, request.url, retrieved_at))
        except OSError as error:
            self._undelivered(error)
        return _info(request, stored, retrieved_at, "uptodate")

    async def media_downloaded(
        self,
        response: Response,
        request: Request,
        info: MediaPipeline.SpiderInfo,
        *,
        item: Any = None,
    ) -> FileInfo:
        """Store the image; raise IgnoreRequest if the response is not one."""
        if response.status != 200:
            raise IgnoreRequest(f"its host responded with {response.status}")
        content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
        retrieved_at = stamp(datetime.now(UTC))
        try:
            form = read_format(content_type, response.body)
            uses = self._dated_uses(item, request.url, retrieved_at)
            stored = self._store.put(response.body, form, uses)
        except NotAnImageError as error:
            raise IgnoreRequest(str(error)) from None
        except OSError as error:
            self._undelivered(error)
        return _info(request, stored, retrieved_at, "downloaded")

    def media_failed(
        self, failure: Failure, request: Request, info: MediaPipeline.SpiderInfo
    ) -> NoReturn:
        """Treat a failure as a dropped request, which Scrapy logs without a traceback."""
        error = failure.value
        if not isinstance(error, IgnoreRequest):
            error = IgnoreRequest(str(error).rstrip(".") or type(error).__name__)
        super().media_failed(Failure(error), request, info)  # type: ignore[no-untyped-call]  # of Twisted

    def item_completed(
        self, results: list[FileInfoOrError], item: QueuedImage, info: MediaPipeline.SpiderInfo
    ) -> Records | Loss:
        """Return the image's record, or its loss unless the crawl is ending and can be resumed."""
        info.downloaded.clear()  # no image is requested twice, and this would grow
        ((_, result),) = results
        if not isinstance(result, Failure):
            found = cast("ImageInfo", result)
            uses = self._spider.uses(item, found["url"])  # without times, so equal in each run
            record = {"content": asdict(found["stored"]), "uses": uses}
            return Records(found["retrieved_at"], [(item.url, record)])
        if self._census.ended or not self.crawler.crawling:
            raise DropItem("the crawl is ending", log_level="DEBUG")
        return self._spider.loss(item, str(result.value))

    def _dated_uses(self, item: QueuedImage, url: str, retrieved_at: str) -> list[dict[str, Any]]:
        """Return the uses for the image's sidecar."""
        return [{**use, "retrieved_at": retrieved_at} for use in self._spider.uses(item, url)]

    def _undelivered(self, error: OSError) -> NoReturn:
        reason = f"an image cannot be stored: {error.strerror or error}"
        self._census.stop(Verdict.UNDELIVERED, reason)
        raise IgnoreRequest(reason)


def _info(request: Request, stored: StoredImage, retrieved_at: str, status: str) -> ImageInfo:
    return {
        "url": request.url,
        "path": stored.path,
        "checksum": stored.sha256,
        "status": status,
        "stored": stored,
        "retrieved_at": retrieved_at,
    }

"""Scrapy's feed storages, which write through the publication."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Self, cast

from scrapy import Spider
from scrapy.crawler import Crawler

from mplus_crawler.feeds.publication import Publication
from mplus_crawler.storage.folders import in_s3, local_path
from mplus_crawler.storage.staging import StagedFile


class StagedFeedStorage:
    """A local feed, published with the harvest's verdict (``file`` URIs and paths)."""

    def __init__(self, crawler: Crawler, uri: str, feed_options: dict[str, Any]) -> None:
        self._crawler = crawler
        self._path = Path() if in_s3(uri) else local_path(uri)
        self._append = not feed_options.get("overwrite", False)

    @classmethod
    def from_crawler(
        cls, crawler: Crawler, uri: str, *, feed_options: dict[str, Any] | None = None
    ) -> Self:
        """The storage of the feed *uri*."""
        return cls(crawler, uri, feed_options or {})

    def open(self, spider: Spider) -> IO[bytes]:
        """A file to write the feed to."""
        staged = Publication.of(self._crawler).stage(self._path, append=self._append)
        return cast("IO[bytes]", staged)

    def store(self, file: IO[bytes]) -> None:
        """Put the file on the disk; the publication gives it its name."""
        cast("StagedFile", file).finish()


class S3FeedStorage(StagedFeedStorage):
    """A feed in S3; endpoint and credentials are where boto3 looks for them."""

    def __init__(self, crawler: Crawler, uri: str, feed_options: dict[str, Any]) -> None:
        super().__init__(crawler, uri, feed_options)
        self._uri = uri

    def open(self, spider: Spider) -> IO[bytes]:
        """A file to write the feed to."""
        return cast("IO[bytes]", Publication.of(self._crawler).stage_object(self._uri))

"""Standard output as a feed (``-o -``): records go out as they come, and cannot be replaced."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Self, cast

from scrapy import Spider
from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import DeliveryError
from mplus_crawler.storage.streams import write_output

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputStorage:
    """The storage of the feed ``stdout:``."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(
        cls, crawler: Crawler, uri: str, *, feed_options: dict[str, Any] | None = None
    ) -> Self:
        """Return the storage; *uri* and *feed_options* have nothing to choose."""
        return cls(crawler)

    def open(self, spider: Spider) -> IO[bytes]:
        """Return the file to write to."""
        return cast("IO[bytes]", OutputFile(Census.of(self._crawler)))

    def store(self, file: IO[bytes]) -> None:
        """Write what is still buffered."""
        file.flush()


class OutputFile(io.BufferedIOBase):
    """Standard output. The first write that fails stops the harvest; later ones do nothing."""

    def __init__(self, census: Census) -> None:
        self._census = census
        self._lost = False

    def writable(self) -> bool:
        """Return True, as io requires."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write *data* and return its length in bytes."""
        self._send(bytes(data))
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Write what is still buffered."""
        self._send(b"", flush=True)

    def _send(self, data: bytes, *, flush: bool = False) -> None:
        if self._lost:
            return
        try:
            write_output(data, flush=flush)
        except DeliveryError as error:
            self._lost = True
            self._census.stop(Verdict.UNDELIVERED, str(error))

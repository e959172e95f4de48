"""The files of a run until they are published, or kept beside their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from scrapy.crawler import Crawler

from mplus_crawler.census import Census, Verdict
from mplus_crawler.feeds.retention.booking import Booking
from mplus_crawler.museum.contract import Museum
from mplus_crawler.storage.destination import Destination
from mplus_crawler.storage.staging import StagedFile


class StagedFiles:
    """The staged files of *crawler*'s run: those with the museum's content, and others.

    The former are registered in *booking*; only they are iterated over and kept.
    """

    def __init__(self, crawler: Crawler, booking: Booking) -> None:
        self._crawler = crawler
        self._booking = booking
        self._files: list[StagedFile] = []
        self._written: list[StagedFile] = []

    def __iter__(self) -> Iterator[StagedFile]:
        """Yield those that are whole."""
        return (file for file in self._files if file.whole)

    def add(self, make: Callable[..., StagedFile], name: str) -> StagedFile:
        """Return the file that *make* makes; if it cannot be written, the harvest stops."""

        def failed(error: OSError) -> None:
            Census.of(self._crawler).stop(
                Verdict.UNDELIVERED, f"{name} cannot be written: {error.strerror or error}"
            )

        file = make(failed=failed)
        file.private = Museum.of(self._crawler).private
        self._files.append(file)
        try:
            self._booking.staged(file)
        except OSError as error:
            failed(error)
        return file

    def write(self, folder: Destination, name: str, content: bytes) -> StagedFile:
        """Stage *content* of our own, whole, as *name* in *folder*; raises OSError."""
        errors: list[OSError] = []
        file = folder.stage(name, errors.append)
        file.private = True  # the process decides who may read it
        self._written.append(file)
        file.write(content)
        file.finish()
        if errors:
            raise errors[0]
        file.prepare()
        return file

    def keep(self) -> list[str]:
        """Keep what was not published; return where it is."""
        left = [file for file in self if file.part.exists()]
        for file in left:
            with suppress(OSError):
                file.keep()
                self._booking.kept(file)
        return [file.place for file in left]

    def discard(self) -> None:
        """Release all files."""
        for file in (*self._files, *self._written):
            file.discard()
        self._files.clear()

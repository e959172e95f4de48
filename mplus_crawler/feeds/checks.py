"""Checks of feeds before the first request: format, encoding, name, place."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy.settings import BaseSettings

from mplus_crawler.errors import DeliveryError, UsageError, counted
from mplus_crawler.feeds.appending import ONLY_LINES, check_append
from mplus_crawler.feeds.columns import chosen
from mplus_crawler.feeds.names import CERTIFICATE, INCOMPLETE, in_state
from mplus_crawler.records.tables.columns import KEY
from mplus_crawler.records.tables.table import FORMATS as TABLES
from mplus_crawler.records.tables.table import SPREADSHEET, SQLITE, check_installed
from mplus_crawler.storage.destination import check_s3, destination, locate
from mplus_crawler.storage.folders import in_s3, local_path, state_folder, try_folder
from mplus_crawler.storage.staging import BUFFER, hidden

ENDINGS = ", ".join(f".{name}" for name in ("jsonl", "csv", "json", *TABLES))
_ENCODINGS = ("utf-8", "utf-8-sig")
# The longest suffix that is added to a name: an incomplete harvest's certificate.
_LONGEST_ENDING = in_state(CERTIFICATE, INCOMPLETE)
_NAME_MAX = 255  # bytes, where the file system does not say


# What Scrapy fills in when a feed is opened, besides the spider's name.
_PLACEHOLDERS = ("time", "batch_time", "batch_id")


@dataclass(frozen=True, slots=True)
class FeedTarget:
    """A feed of ``-o``, ``-O`` or ``FEEDS``: its *uri*, and its *path* if it is local."""

    uri: str
    options: Mapping[str, Any]
    path: Path | None

    @property
    def appends(self) -> bool:
        """Whether the feed is appended to existing content; in S3 only on request."""
        return not self.options.get("overwrite", self.path is None)


def feed_targets(settings: BaseSettings, spider: str) -> Iterator[FeedTarget]:
    """The feeds of *spider*; those with a time in the name have no path yet.

    Raises :class:`UsageError` for an unsupported URI.
    """
    schemes = {n for n, storage in settings.getwithbase("FEED_STORAGES").items() if storage}
    for template, options in settings.getdict("FEEDS").items():
        check_text("the feed", str(template))
        uri = _with_name(str(template), spider)
        if (scheme := urlsplit(uri).scheme) not in schemes:
            raise UsageError(f"the feed {uri} has the unknown scheme {scheme!r}")
        try:
            path = local_path(uri) if scheme in ("", "file") and "%(" not in uri else None
        except RuntimeError as error:
            raise UsageError(f"the feed {uri} cannot be used: {error}") from None
        yield FeedTarget(uri, options, path)


def _with_name(template: str, spider: str) -> str:
    uri = template.replace("%(name)s", spider)
    if "%(" in uri:
        try:
            _ = uri % dict.fromkeys(_PLACEHOLDERS, 0)
        except (KeyError, TypeError, ValueError):
            known = ", ".join(f"%({name})s" for name in ("name", *_PLACEHOLDERS))
            raise UsageError(f"the feed {template} has other placeholders than {known}") from None
    return uri


def check_feeds(settings: BaseSettings, spider: str, columns: Sequence[str]) -> None:
    """Raise :class:`UsageError` for a feed of *spider* that cannot be written as it should.

    *columns* are those of the spider's records.
    """
    files: set[Path] = set()
    if settings.get("FEED_URI"):
        raise UsageError("FEED_URI and FEED_FORMAT are not supported; use -O FILE or FEEDS")
    for feed in feed_targets(settings, spider):
        _check_format(feed, settings)
        if feed.options["format"] in TABLES:
            _check_table(feed, settings, columns)
        if in_s3(feed.uri):
            check_s3(feed.uri)
            if feed.uri.endswith("/"):
                raise UsageError(f"the feed {feed.uri} names a folder; write s3://bucket/x.jsonl")
        if feed.path is None:
            continue
        try:
            file = _check_file(feed.path)
            if feed.appends and file.is_file() and file.stat().st_size:
                with file.open("rb", BUFFER) as content:
                    heads = _columns(feed, settings, columns)
                    check_append(feed.path, feed.options, content, heads)
        except (OSError, RuntimeError) as error:  # a loop of links
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"the feed {feed.uri} cannot be used: {reason}") from None
        if file in files:
            raise UsageError(f"the feed {feed.uri} is the same file as another")
        files.add(file)


def check_output(output: str, settings: BaseSettings, *, append: bool) -> None:
    """Raise :class:`UsageError` if *output*, given by ``-o`` or ``-O``, has no supported format.

    A table is refused with *append* even if there is no file yet: the next run could not append.
    """
    formats = _formats(settings)
    before, _, named = output.rpartition(":")
    format_ = named if before and named in formats else Path(output).suffix[1:]
    if output == "-":
        raise UsageError("standard output needs a format; write -o -:jsonl")
    if format_ not in formats:
        raise UsageError(
            f"{output} has an unsupported format; its name must end in one of {ENDINGS}"
        )
    if append and format_ in TABLES:
        raise UsageError(f"cannot append to {output}: {ONLY_LINES}, not {format_}; use -O")


def check_places(settings: BaseSettings, spider: str) -> None:
    """Raise :class:`DeliveryError` for a folder or a place in S3 that cannot be written to."""
    feeds = list(feed_targets(settings, spider))
    place = settings["HARVEST_DIR"]
    folders = {feed.path.parent for feed in feeds if feed.path is not None}
    folders |= {state_folder(settings)} if in_s3(place) else {Path(place)}
    for folder in folders:
        try:
            try_folder(folder)
        except OSError as error:
            raise DeliveryError(
                f"the folder {folder} cannot be written ({error.strerror}); "
                "change its permissions or choose another"
            ) from None
    prefixes = {feed.uri.rpartition("/")[0]: feed.uri for feed in feeds if in_s3(feed.uri)}
    try:
        if in_s3(place):
            destination(settings).probe()
        for uri in prefixes.values():
            locate(uri, state_folder(settings))[0].probe()
        for feed in feeds:
            _check_object(feed, settings)
    except OSError as error:
        raise DeliveryError(
            f"cannot write to S3: {error}; check bucket, endpoint and credentials"
        ) from None


def check_text(what: str, text: str) -> None:
    """Raise :class:`UsageError` if *text* contains a NUL, or bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(text).decode(errors="backslashreplace")
        raise UsageError(f"{what} {shown} is not UTF-8; use another name") from None
    if "\0" in text:
        raise UsageError(f"{what} {text!r} contains a NUL character")


def _formats(settings: BaseSettings) -> set[str]:
    return {name for name, used in settings.getwithbase("FEED_EXPORTERS").items() if used}


def _check_format(feed: FeedTarget, settings: BaseSettings) -> None:
    if feed.options.get("format") not in _formats(settings):
        raise UsageError(
            f"the feed {feed.uri} has an unsupported format; its name must end in one of {ENDINGS}"
        )
    encoding = feed.options.get("encoding") or settings.get("FEED_EXPORT_ENCODING") or "utf-8"
    try:
        known = codecs.lookup(encoding).name in _ENCODINGS
    except (LookupError, TypeError):
        known = False
    if not known:
        raise UsageError(
            f"the encoding {encoding} cannot represent every text; use utf-8, "
            "or utf-8-sig (CSV for Excel)"
        )


def _check_table(feed: FeedTarget, settings: BaseSettings, columns: Sequence[str]) -> None:
    """Raise :class:`UsageError` if *feed*, a table, cannot be written."""
    format_ = feed.options["format"]
    check_installed(format_)
    if feed.uri.startswith("stdout:"):
        raise UsageError(f"{format_} cannot go to standard output; write it to a file with -O")
    if feed.options.get("postprocessing"):
        raise UsageError(
            f"the feed {feed.uri} cannot be compressed: {format_} files do not consist of lines"
        )
    heads = _columns(feed, settings, columns)
    if format_ == SQLITE and KEY not in heads:
        raise UsageError(f"the feed {feed.uri} needs the column {KEY}, the key of its tables")
    if len({head.lower() for head in heads}) < len(heads):
        raise UsageError(f"two columns of the feed {feed.uri} have the same name")


def _check_file(path: Path) -> Path:
    """Return the file at *path*, links followed. Raises OSError, RuntimeError, UsageError."""
    file = path.resolve()
    if file.exists() and not file.is_file():
        raise UsageError(f"the feed {path} is not a file; for standard output, use -o -:jsonl")
    for name in {path.name, file.name}:
        # The ending may be given up for a longer one; the name itself is hidden at first.
        stem = Path(name).stem
        longest = max(
            f"{stem}{_LONGEST_ENDING}",
            hidden(Path(f"{stem}{CERTIFICATE}")).name,
            hidden(Path(name), "-rewrite").name,
            key=len,
        )
        if len(os.fsencode(longest)) > _longest_name(file):
            raise UsageError(
                f"the feed's name {name[:40]}… is too long by "
                f"{counted(len(os.fsencode(longest)) - _longest_name(file), 'byte')}: "
                f"endings such as {_LONGEST_ENDING} must fit"
            )
    return file


def _longest_name(file: Path) -> int:
    folder = next(parent for parent in file.parents if parent.is_dir())
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _NAME_MAX


def _columns(feed: FeedTarget, settings: BaseSettings, columns: Sequence[str]) -> list[str]:
    """Return the names of the columns of *feed*."""
    fields = feed.options.get("fields") or settings.getdictorlist("FEED_EXPORT_FIELDS")
    record = feed.options["format"] != SPREADSHEET
    return list(chosen(settings, fields, columns, record=record).values())


def _check_object(feed: FeedTarget, settings: BaseSettings) -> None:
    """Raise :class:`UsageError` if the feed would append to an object."""
    if in_s3(feed.uri) and feed.appends:
        place, name = locate(feed.uri, state_folder(settings))
        if place.look(name):
            raise UsageError(f"cannot append to {feed.uri}: S3 replaces objects whole; use -O")

"""``scrapy changes``: what has changed in a museum since a harvest."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import print_line
from mplus_crawler.errors import (
    DeliveryError,
    ExitCode,
    StoppedError,
    UsageError,
    counted,
    printable,
)

if TYPE_CHECKING:
    from mplus_crawler.feeds.changes.change import Change
    from mplus_crawler.feeds.changes.history import ChangeFeed
    from mplus_crawler.museum.contract import Museum

FORMATS = ("summary", "jsonl", "iiif", "csv")
_COLUMNS = ("type", "id", "to", "columns", "reason", "before", "after")


class Command(ProjectCommand):
    """Print what has changed between two snapshots, by the change feeds of their harvests."""

    summary = "Print what has changed since an earlier harvest"
    usage = "[options] SPIDER"
    interrupted = StoppedError("interrupted; run the same command again")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        super().add_options(parser)
        parser.add_argument(
            "--since",
            metavar="RUN|DATE",
            help="the changes since this run or this time, YYYY-MM-DD[THH:MM:SS] in UTC; first: "
            "all changes (default: those of the last harvest)",
        )
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default="summary",
            help="form of the output (default summary)",
        )
        parser.add_argument(
            "-o",
            dest="folder",
            metavar="FOLDER",
            help="with --format iiif: write the collection and a page for each harvest here, to be "
            "published at --url",
        )
        parser.add_argument(
            "--url", metavar="URL", help="with -o: the address where FOLDER is published"
        )
        parser.add_argument(
            "--exit-code", action="store_true", help="exit 1 if there are changes, else 0"
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the changes; return 0, or 1 for changes with ``--exit-code``."""
        from mplus_crawler.feeds.changes.change import ChangeFeedError

        if len(args) != 1:
            raise UsageError(f"name one spider: {program()} changes SPIDER")
        _check_folder(opts)
        spider = _spider(args[0], self.current_settings)
        try:
            before, since = _feeds(spider.name, opts.since, self.current_settings)
            changes = _net(before, since)
            if opts.folder:
                print_line(_publish(since, spider, Path(opts.folder), opts.url))
        except ChangeFeedError as error:
            hint = f"{program()} verify {self.current_settings['HARVEST_DIR']}"
            raise ChangeFeedError(f"{error}; see {hint}") from None
        except OSError as error:
            what = opts.folder or "the change feeds"
            raise DeliveryError(f"{what} cannot be read or written: {error}") from None
        for line in () if opts.folder else _lines(opts, changes, since, spider):
            print_line(line)
        return ExitCode.FAILED if opts.exit_code and changes else ExitCode.COMPLETE


def _check_folder(opts: argparse.Namespace) -> None:
    """Raise :class:`UsageError` unless ``-o``, ``--url`` and the format go together."""
    if not (opts.folder or opts.url):
        return
    if opts.format != "iiif" or not (opts.folder and opts.url):
        raise UsageError("write --format iiif -o FOLDER --url URL")
    if not opts.url.startswith(("http://", "https://")):
        raise UsageError(f"--url {printable(opts.url)} must begin with http:// or https://")


def _publish(feeds: Sequence[ChangeFeed], spider: Museum, folder: Path, url: str) -> str:
    """Write *feeds* as IIIF documents to *folder*, the collection last; raise OSError.

    Returns what was written, in words.
    """
    from mplus_crawler.feeds.changes.iiif import documents
    from mplus_crawler.records.batch import json_line
    from mplus_crawler.storage.staging import write_whole

    written = 0
    for name, document in documents(feeds, f"{url.rstrip('/')}/", spider.uri):
        write_whole(folder / name, json_line(document))
        written += 1
    if not written:
        return "no change: nothing was written"
    return f"{counted(written, 'document is', 'documents are')} in {folder}"


def _spider(name: str, settings: BaseSettings) -> Museum:
    from mplus_crawler.museum.contract import Museum

    loader = SpiderLoader.from_settings(settings)
    known = [each for each in loader.list() if getattr(loader.load(each), "has_snapshot", False)]
    if name not in known:
        raise UsageError(f"{name} has no change feeds; known are {', '.join(known)}")
    cls = loader.load(name)
    assert issubclass(cls, Museum)
    spider = cls()
    spider.policy = cls.load_policy(settings)
    return spider


def _feeds(
    spider: str, since: str | None, settings: BaseSettings
) -> tuple[Sequence[ChangeFeed], Sequence[ChangeFeed]]:
    """Return the feeds of *spider* before and after *since*; raise :class:`UsageError`, OSError."""
    from mplus_crawler.feeds.changes.history import FOLDER, chain
    from mplus_crawler.storage.destination import destination

    feeds = chain(destination(settings).below(FOLDER).below(spider), strict=True)
    if not feeds:
        raise UsageError(
            f"{spider} has no change feeds in {settings['HARVEST_DIR']}; to write one, run "
            f"{program()} crawl {spider} without -o and -O"
        )
    if since is None:
        return feeds[:-1], feeds[-1:]
    if since == "first":
        return [], feeds
    runs = [feed.header.now["run"] for feed in feeds]
    if since in runs:
        return feeds[: runs.index(since) + 1], feeds[runs.index(since) + 1 :]
    moment = _moment(since, runs)
    after = [datetime.fromisoformat(feed.header.between[1]) > moment for feed in feeds]
    return feeds[: after.count(False)], feeds[after.count(False) :]


def _net(before: Sequence[ChangeFeed], since: Sequence[ChangeFeed]) -> list[Change]:
    """Return the net result of the feeds *since*, which follow those *before*."""
    from mplus_crawler.feeds.changes.change import ChangeFeedError
    from mplus_crawler.feeds.changes.replay import Net

    if len(since) == 1:  # it has one line for each id
        return [*since[0].changes()]
    if since and (former := [*before, *since][0].header.former):
        raise ChangeFeedError(f"the change feed of run {former['run']} is missing")
    net = Net()
    for feed in before:
        net.know(feed.changes())
    for feed in since:
        net.add(feed.changes())
    return net.changes()


def _moment(text: str, runs: Sequence[str]) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text} is neither a run nor a date; write YYYY-MM-DD, or one of the runs "
            f"{', '.join(runs[-3:])}"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _lines(
    opts: argparse.Namespace,
    changes: Sequence[Change],
    feeds: Sequence[ChangeFeed],
    spider: Museum,
) -> Iterator[str]:
    """Yield *changes*, those of *feeds*, in the format that was chosen."""
    from mplus_crawler.feeds.changes.iiif import collection
    from mplus_crawler.feeds.changes.summary import Summary
    from mplus_crawler.records.batch import json_line, stamp

    now = datetime.now(UTC)
    ended = feeds[-1].header.between[1] if feeds else stamp(now)
    if opts.format == "summary":
        yield Summary.of(changes).sentence(_beginning(opts.since, feeds, now))
    elif opts.format == "csv":
        yield from _csv(changes)
    elif opts.format == "iiif":
        base = f"{spider.policy.uri_base}changes/{spider.name}"
        yield json_line(collection(changes, base, ended, spider.uri)).decode().rstrip()
    else:
        for seq, change in enumerate(changes, 1):
            yield change.line(seq).decode().rstrip()


def _beginning(given: str | None, feeds: Sequence[ChangeFeed], now: datetime) -> str:
    """Return how the sentence begins: with the date *given*, or with that of the first feed."""
    from mplus_crawler.feeds.changes.summary import since

    if given and "T" not in given and given != "first":
        return since(given, now)
    if not feeds:
        return "since the last harvest"
    first = feeds[0].header
    return "first snapshot" if first.former is None else since(first.between[0], now)


def _csv(changes: Iterable[Change]) -> Iterator[str]:
    from mplus_crawler.records.batch import SEVERAL
    from mplus_crawler.records.tables.csv_cells import harmless

    def row(cells: Iterable[str]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(map(harmless, cells))
        return text.getvalue()

    yield row(_COLUMNS)
    for change in changes:
        columns = SEVERAL.join(change.columns)
        reason = str(change.evidence.get("reason", ""))
        ends = (change.before or "", change.after or "")
        yield row((change.type, change.id, change.to or "", columns, reason, *ends))

"""``scrapy contract``: the shape of a spider's records, and how it changed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from scrapy.spiderloader import get_spider_loader

from mplus_crawler import program
from mplus_crawler.cli.command import ProjectCommand
from mplus_crawler.cli.console import TextTable, print_line, print_table
from mplus_crawler.errors import ExitCode, UsageError, counted, printable

if TYPE_CHECKING:
    from mplus_crawler.museum.contract import Museum

Certificate = Mapping[str, Any]


class Command(ProjectCommand):
    """Print the fields of the records, and compare them with those of a former run."""

    summary = "Show the fields of a spider's records, and how they changed since an earlier run"
    usage = "[options] SPIDER"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--since``."""
        super().add_options(parser)
        parser.add_argument(
            "--since",
            metavar="RUN",
            help="the run to compare with: `run` in its certificate (default: the one before)",
        )

    def execute(self, args: list[str], opts: argparse.Namespace) -> int:
        """Print the shape and its changes; return 13 if one breaks the museum's promise."""
        from mplus_crawler.feeds.runs import certificates

        if len(args) != 1:
            raise UsageError(f"name one spider: {program()} contract SPIDER")
        loader = get_spider_loader(self.current_settings)
        if args[0] not in loader.list():
            raise UsageError(f"there is no spider {args[0]!r}; `{program()} spiders` lists them")
        spider = cast("type[Museum]", loader.load(args[0]))
        whole = (
            one
            for one in certificates(self.current_settings, spider.name)
            if _is_whole(one) and not one["arguments"].keys() - spider.selects_nothing
        )
        now = next(whole, None)
        if now is None:
            raise UsageError(
                f"no whole harvest of {spider.name} with records is in runs/; run "
                f"{program()} crawl {spider.name}"
            )
        former = _former(whole, opts.since)
        _print_shape(now)
        return self._compare(spider, former, now)

    def _compare(
        self, spider: type[Museum], former: Certificate | None, now: Certificate
    ) -> ExitCode:
        from mplus_crawler.records.shape_changes import Promise, shape_changes

        if former is None:
            print_line(f"run {now['run']}: no former run to compare with")
            return ExitCode.COMPLETE
        policy = spider.load_policy(self.current_settings)
        promise = Promise.of(spider, policy)
        changes = shape_changes(former["shape"], now["shape"])
        print_line(f"run {now['run']}, compared with run {former['run']}:")
        for change in changes:
            print_line(printable(promise.message(change)))
        if not changes:
            print_line("the shape is unchanged")
        print_line(promise.words)
        broken = any(change.breaking for change in changes)
        return ExitCode.CONTRACT_BROKEN if broken else ExitCode.COMPLETE


def _is_whole(certificate: Certificate) -> bool:
    """Whether no record is missing, and the certificate has a shape."""
    ended = certificate["exit_code"] in (ExitCode.COMPLETE, ExitCode.CONTRACT_BROKEN)
    return ended and bool(certificate.get("shape", {}).get("records"))


def _former(runs: Iterator[Certificate], since: str | None) -> Certificate | None:
    """Return the run *since*, or else the last one that made a snapshot, out of earlier *runs*."""
    known = []
    for one in runs:
        known.append(one["run"])
        if one["run"] == since or (since is None and one["snapshot"]):
            return one
    if since is not None:
        names = f"use one of {', '.join(known[:5])}" if known else "there is none"
        raise UsageError(f"{since} is not an earlier whole harvest; {names}")
    return None


def _print_shape(certificate: Certificate) -> None:
    shape = certificate["shape"]
    table = TextTable(("field", "types"), ("records",))
    for path, entry in shape["paths"].items():
        types = ", ".join(f"{name} {count:,}" for name, count in entry["types"].items())
        table.add_row(printable(path), types, f"{entry['records']:,}")
        for uri, count in entry.get("uris", {}).items():
            table.add_row("", printable(uri), f"{count:,}")
    print_table(table)
    print_line(
        f"{counted(shape['records'], 'record')}; "
        f"nested fields were read in {shape['read']:,} of them"
        + ("; some fields are left out" if shape["bounded"] else "")
    )

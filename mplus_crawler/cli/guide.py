"""Descriptions of spiders and arguments: ``scrapy spiders`` and ``crawl SPIDER --help``."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from scrapy import Spider
from scrapy.settings import BaseSettings

from mplus_crawler import program
from mplus_crawler.cli.console import print_line
from mplus_crawler.spiders.base import ALWAYS, MuseumSpider
from mplus_crawler.spiders.meanings import MEANINGS, Meaning

_ALIASES = ("jl", "jsonlines")  # of jsonl
_NAMES = 28  # columns of an argument with its value


def overview(classes: Sequence[type[Spider]], settings: BaseSettings) -> Iterator[str]:
    """Yield lines about the spiders *classes* by museum: what each harvests, and its arguments."""
    museums: dict[str, list[type[MuseumSpider]]] = {}
    for cls in classes:
        if issubclass(cls, MuseumSpider):
            museums.setdefault(cls.museum, []).append(cls)
    for museum, own in museums.items():
        name = own[0].load_policy(settings).name
        yield f"{name} ({program()} harvest {museum})"
        for cls in own:
            yield from _row(cls.name, cls.summary())
            if names := _own(cls, settings):
                yield from _wrapped("takes " + ", ".join(names), _NAMES)
    yield f"All spiders take {' and '.join(ALWAYS)}."
    yield f"`{program()} crawl SPIDER --help` explains the arguments."


def arguments(cls: type[Spider], settings: BaseSettings) -> Iterator[str]:
    """Yield what ``crawl SPIDER --help`` prints: the spider, its arguments, where records go."""
    yield f"usage: {program()} crawl {cls.name} [-a NAME=VALUE]... [options]"
    if issubclass(cls, MuseumSpider):
        yield ""
        yield from _wrapped(f"{cls.summary()}. Museum: {cls.load_policy(settings).name}.", 0)
        yield ""
        yield "Arguments, each after -a:"
        for name in (*_own(cls, settings), *ALWAYS):
            yield from _argument(name)
    yield ""
    yield "Output:"
    yield from _row("without -o and -O", f"{settings['HARVEST_DIR']}/{cls.name}.jsonl")
    formats = " ".join(f".{name}" for name in endings(settings))
    yield from _row("-O FILE", f"write the records to FILE instead: {formats}")
    yield from _row("-o FILE", "append the records to FILE: .jsonl .csv")
    yield ""
    yield f"`{program()} crawl --help` lists all options, docs/columns.md the columns."


def endings(settings: BaseSettings) -> list[str]:
    """Return the endings of file names that stand for a format."""
    formats = settings.getwithbase("FEED_EXPORTERS")
    return sorted(name for name, used in formats.items() if used and name not in _ALIASES)


class SpiderHelp(argparse.Action):
    """``--help`` of ``crawl``: about the spider that is named, or about the command."""

    def __init__(self, settings: BaseSettings, **more: Any):
        super().__init__(nargs=0, help="show this help message and exit", **more)
        self._settings = settings

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the help and exit."""
        from scrapy.spiderloader import get_spider_loader

        loader = get_spider_loader(self._settings)
        if named := next((word for word in sys.argv[1:] if word in loader.list()), None):
            print_line("\n".join(arguments(loader.load(named), self._settings)))
        else:
            parser.print_help()
        parser.exit()


def _own(cls: type[MuseumSpider], settings: BaseSettings) -> list[str]:
    return [name for name in cls.allowed_arguments(settings) if name not in ALWAYS]


def _argument(name: str) -> Iterator[str]:
    value, text = MEANINGS.get(name, Meaning("VALUE", ""))
    yield from _row(f"{name}={value}", text.replace("`", ""))


def _row(name: str, text: str) -> Iterator[str]:
    first, *others = _wrapped(text, _NAMES) or [""]
    yield f"  {name:<{_NAMES - 2}}{first.lstrip()}" if len(name) < _NAMES - 2 else f"  {name}"
    if len(name) >= _NAMES - 2:
        yield first
    yield from others


def _wrapped(text: str, indent: int) -> list[str]:
    """Return *text* in lines that fit the terminal, or 80 columns."""
    blank = " " * indent
    width = max(60, min(100, shutil.get_terminal_size().columns))
    return textwrap.wrap(text, width, initial_indent=blank, subsequent_indent=blank)

"""Words of the command line that are in the wrong place, and what to type instead."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from scrapy.spiderloader import SpiderLoaderProtocol

from mplus_crawler import program
from mplus_crawler.cli.command import check_options
from mplus_crawler.cli.spelling import closest
from mplus_crawler.errors import UsageError
from mplus_crawler.spiders.base import MuseumSpider


def museums(loader: SpiderLoaderProtocol) -> dict[str, list[str]]:
    """Return the museums that ``scrapy harvest`` knows, each with its spiders."""
    found: dict[str, list[str]] = {}
    for name in loader.list():
        cls = loader.load(name)
        if issubclass(cls, MuseumSpider) and cls.in_harvest:
            found.setdefault(cls.museum, []).append(name)
    return found


def the_spider(words: Sequence[str], loader: SpiderLoaderProtocol) -> str:
    """Return the spider that the *words* after ``crawl`` name; raise :class:`UsageError`."""
    if not words:
        raise UsageError(
            f"name one spider: {program()} crawl SPIDER; `{program()} spiders` lists them"
        )
    name, *others = words
    if arguments := [word.lstrip("-") for word in words if "=" in word]:
        spider = next((word for word in words if word in loader.list()), "SPIDER")
        given = " ".join(f"-a {shlex.quote(pair)}" for pair in arguments)
        raise UsageError(f"spider arguments need -a: {program()} crawl {spider} {given}")
    check_options(words, "crawl")
    if others:
        raise UsageError(f"name one spider, not also {others[0]!r}; {program()} crawl {name}")
    if name not in loader.list():
        raise UsageError(unknown_spider(name, loader))
    return name


def unknown_spider(name: str, loader: SpiderLoaderProtocol) -> str:
    """Return the message about *name*, which is no spider."""
    if name in (*museums(loader), "all"):
        return f"{name} names a whole museum: {program()} harvest {name}"
    if near := closest(name, loader.list()):
        return f"unknown spider {name!r}; did you mean {near}?"
    return f"unknown spider {name!r}; known are {', '.join(loader.list())}"


def the_museums(words: Sequence[str], loader: SpiderLoaderProtocol) -> list[str]:
    """Return the spiders that the *words* after ``harvest`` name; raise :class:`UsageError`."""
    known = museums(loader)
    for word in words:
        if word in loader.list():
            raise UsageError(f"{word} is a spider: {program()} crawl {word}")
        if word == "-a" or "=" in word:
            raise UsageError(
                f"harvest takes no spider arguments; use {program()} crawl SPIDER -a NAME=VALUE"
            )
    check_options(words, "harvest")
    unknown = [word for word in words if word not in (*known, "all")]
    if unknown or not words:
        names = ", ".join([*sorted(known), "all"])
        raise UsageError(f"name a museum to harvest: {', not '.join([names, *unknown[:1]])}")
    requested = known if "all" in words else words
    return [name for museum in dict.fromkeys(requested) for name in known[museum]]

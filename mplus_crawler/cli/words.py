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
    """Return the words that ``scrapy harvest`` takes, each with its spiders.

    ``all`` stands for the spiders that are :attr:`~MuseumSpider.in_harvest`. A source without such
    spiders, such as M+'s published data set, is harvested with all its spiders, but only if it is
    named.
    """
    own: dict[str, list[type[MuseumSpider]]] = {}
    for cls in map(loader.load, loader.list()):
        if issubclass(cls, MuseumSpider):
            own.setdefault(cls.museum, []).append(cls)
    usual = {museum: [cls for cls in own[museum] if cls.in_harvest] for museum in own}
    found = {museum: usual[museum] or own[museum] for museum in own}
    found["all"] = [cls for classes in usual.values() for cls in classes]
    return {word: [cls.name for cls in classes] for word, classes in found.items()}


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
        raise UsageError(f"name one spider only, without {others[0]!r}; {program()} crawl {name}")
    if name not in loader.list():
        raise UsageError(unknown_spider(name, loader))
    return name


def unknown_spider(name: str, loader: SpiderLoaderProtocol) -> str:
    """Return the message about *name*, which is not a spider."""
    if name in museums(loader):
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
    unknown = [word for word in words if word not in known]
    if unknown and (near := closest(unknown[0], known)):
        raise UsageError(f"unknown museum {unknown[0]!r}; did you mean {near}?")
    if unknown or not words:
        names = ", ".join(known)
        raise UsageError(f"name a museum to harvest: {', not '.join([names, *unknown[:1]])}")
    return list(dict.fromkeys(name for word in words for name in known[word]))

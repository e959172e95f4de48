"""A collection's chain of pages: which page may be asked for next.

It starts with one page, follows ``rel="next"`` and, where the museum has named the last
page, asks a few pages ahead along the chain that it predicts. What it is told and what it
predicts must agree; the first surprise ends the looking ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from mplus_crawler.protocols.hydra.collections import Page, page_number


class NextLinkError(Exception):
    """A next link that may not be followed; the message says why."""


@dataclass(frozen=True, slots=True)
class ApiBase:
    """Where an API is (*base_url*), and the canonical place that its links may name instead."""

    base_url: str
    canonical: str

    def carry(self, url: str) -> str:
        """*url* with the canonical base, in any case of scheme and host, put in the real place."""
        split, canonical = urlsplit(url), urlsplit(self.canonical)
        same_host = split.netloc.lower() == canonical.netloc.lower()
        if (
            same_host
            and split.scheme in ("http", "https")
            and split.path.startswith(canonical.path)
        ):
            rest = split.path[len(canonical.path) :]
            return urljoin(self.base_url, rest.lstrip("/")) + (
                f"?{split.query}" if split.query else ""
            )
        return url


@dataclass
class Chain:
    """The pages of one collection from *first* on, *lookahead* of them in flight at most.

    It ends early once *rows* rows are covered, where that is given.
    """

    first: str
    place: ApiBase
    lookahead: int
    note: Callable[[str], None]
    rows: int | None = None
    _asked: set[int] = field(default_factory=set)
    _arrived: set[int] = field(default_factory=set)
    _lost: set[int] = field(default_factory=set)
    _end: int | None = None
    _template: str | None = None
    _predicting: bool = True

    def start(self) -> str:
        """The first page's URL."""
        self._asked.add(1)
        return self.first

    def arrived(self, page: Page) -> list[str]:
        """The pages to ask for now that *page* is in.

        Raises :class:`NextLinkError` when the page names a next one that may not be followed.
        """
        self._arrived.add(page.number)
        if page.is_last or page.is_beyond:  # else links that never end would be followed for ever
            return []
        if self.rows is not None and page.number * page.size >= self.rows:
            return []
        try:
            following = self._next(page)
        except ValueError as error:
            raise NextLinkError(
                f"page {page.number} names a next page that is no URL: {error}"
            ) from None
        if self._template is None:
            self._template, self._end = following, self._known_end(page)
        elif self._predicting and not _same_query(following, self._predicted(page.number + 1)):
            self.note("a next link was not the predicted one: from there one page at a time")
            self._predicting = False
        return self._ask(following)

    def begin(self, second: str, total: int, size: int) -> list[str]:
        """The pages to ask for when the first cannot be had whole, but its rows have told *total*.

        *second* is the second page's URL; nothing once the chain has begun by itself.
        """
        if self._template is not None or 1 not in self._lost or self.expected is not None:
            return []
        rows = total if self.rows is None else min(total, self.rows)
        self._template, self._end = second, -(-rows // size)
        return self._ask(second) if self._end > 1 else []

    def lost(self, number: int) -> list[str]:
        """The pages to ask for although page *number* could not be had."""
        self._arrived.add(number)
        self._lost.add(number)
        if self._template is None or self._end is None or number >= self._end:
            return []
        return self._ask(self._predicted(number + 1))

    @property
    def expected(self) -> int | None:
        """How many pages there are, once the museum has named its last."""
        return self._end

    def _ask(self, following: str) -> list[str]:
        urls = [following] if self._fresh(page_number(following)) else []
        while self._predicting and self._end and len(self._asked - self._arrived) < self.lookahead:
            ahead = max(self._asked) + 1
            if ahead > self._end:
                break
            self._asked.add(ahead)
            urls.append(self._predicted(ahead))
        return urls

    def _fresh(self, number: int | None) -> bool:
        fresh = number not in self._asked
        self._asked.add(number or 0)
        return fresh

    def _known_end(self, page: Page) -> int | None:
        end = page.last
        if end is not None and self.rows is not None:
            end = min(end, -(-self.rows // page.size))
        return end

    def _next(self, page: Page) -> str:
        """The next page's URL: what header and body agree on, or the earlier of the two."""
        told = [
            self._complete(self.place.carry(urljoin(self.first, link)))
            for link in (page.header_next, page.body_next)
            if link
        ]
        if len(told) == 1:
            self.note("a next link stood only in the header or only in the body")
        elif not _same_query(*told):
            self.note("the next links of header and body disagreed")
        faults = [self._fault(url, page) for url in told]
        good = [url for url, fault in zip(told, faults, strict=True) if not fault]
        if not good or faults[0]:
            raise NextLinkError(faults[0])
        return min(good, key=lambda url: page_number(url) or 0)

    def _fault(self, url: str, page: Page) -> str:
        number = page_number(url)
        if not _same_collection(url, self.first):
            return f"page {page.number} names a next page elsewhere: {url}"
        if number is None or number <= page.number:
            return f"page {page.number} names a next page that is not further on: {url}"
        return ""

    def _complete(self, url: str) -> str:
        """*url* with what was asked for and a link has forgotten: a filter, the page size."""
        asked, named = _query(self.first), _query(url)
        if lacking := asked.keys() - named.keys() - {"page"}:
            self.note(f"a next link forgot {', '.join(sorted(lacking))}: asked for all the same")
            query = {**{name: asked[name] for name in asked if name in lacking}, **named}
            return urlunsplit(urlsplit(url)._replace(query=urlencode(query)))
        return url

    def _predicted(self, number: int) -> str:
        assert self._template is not None
        split = urlsplit(self._template)
        query = [(k, str(number) if k == "page" else v) for k, v in parse_qsl(split.query, True)]
        return urlunsplit(split._replace(query=urlencode(query)))


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _same_query(one: str, other: str) -> bool:
    return _query(one) == _query(other)


def _same_collection(one: str, other: str) -> bool:
    return _collection(one) == _collection(other)


def _collection(url: str) -> tuple[str, str, str]:
    """Origin and path of *url*, as far as they count."""
    split = urlsplit(url)
    path = "/".join(part for part in split.path.lower().split("/") if part)
    return split.scheme, split.netloc.lower(), path

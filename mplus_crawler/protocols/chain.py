"""A collection's chain of pages: which page may be requested next.

It starts with one page and follows the links to the next. Where pages are numbered and the
last one is known, it requests a few pages ahead, along URLs that it predicts. Links and
predictions must agree; after the first difference it requests one page at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from mplus_crawler.protocols.pagers import Page, whole_parameter, with_parameter
from mplus_crawler.protocols.uris import normalized

NumberedPage = tuple[int, str]


class NextLinkError(Exception):
    """A next link that may not be followed; the message says why."""


@dataclass(frozen=True, slots=True)
class ApiBase:
    """The base URL of an API, and the canonical one that its links may use instead."""

    base_url: str
    canonical: str

    def carry(self, url: str) -> str:
        """Return *url* in one spelling, moved to *base_url* if it is below either base."""
        spelled = normalized(url)
        for base in _spellings(self.base_url, self.canonical):
            if spelled.startswith(base):
                return self.base_url + spelled[len(base) :].lstrip("/")
        return spelled


@dataclass
class Chain:
    """The pages of one collection from *first* on, *lookahead* of them in flight at most.

    *parameter* is the query parameter for the page number, ``None`` if there is none; *carry*
    turns a link into the URL to request. The chain ends after *rows* rows, if given. Methods
    return pages as (number, URL).
    """

    first: str
    parameter: str | None
    carry: Callable[[str], str]
    lookahead: int
    note: Callable[[str], None]
    rows: int | None = None
    _requested: set[int] = field(default_factory=set)
    _arrived: set[int] = field(default_factory=set)
    _lost: set[int] = field(default_factory=set)
    _visited: set[str] = field(default_factory=set)
    _end: int | None = None
    _template: str | None = None
    _predicting: bool = True
    _ended: bool = False

    def start(self) -> NumberedPage:
        """The first page."""
        self._requested.add(1)
        self._visited.add(self.first)
        return 1, self.first

    def arrived(self, page: Page) -> list[NumberedPage]:
        """Return the pages to request now that *page* has arrived.

        Raise :class:`NextLinkError` if its link to the next page may not be followed.
        """
        self._arrived.add(page.number)
        if page.is_beyond or self._ended:  # links may never end
            return []
        if self.rows is not None and page.number * page.size >= self.rows:
            return []
        if page.is_last:
            return self._after_last(page)
        for remark in page.remarks:
            self.note(remark)
        try:
            following = self._next(page)
        except ValueError as error:
            raise NextLinkError(
                f"page {page.number} links to a next page with an invalid URL: {error}"
            ) from None
        if self.parameter is None:
            self._visited.add(following)
            return [(page.number + 1, following)]
        if self._template is None:
            self._template, self._end = following, self._known_end(page)
        elif self._predicting and not _same_query(following, self._predicted(page.number + 1)):
            self.note(
                "a next link differed from the prediction: the next pages are requested singly"
            )
            self._predicting = False
        return self._request(following)

    def fault(self, page: Page) -> str:
        """Return why *page* links to a page that is not the next one; empty if it does not."""
        if self.parameter is None or page.is_last or page.is_beyond:
            return ""
        try:
            return self._fault(self.carry(urljoin(self.first, page.links[0])), page)
        except ValueError:
            return ""  # arrived() reports it

    def begin(self, second: str, total: int, size: int) -> list[NumberedPage]:
        """Return the pages to request if the first one is lost, but parts of it report *total*.

        *second* is the second page's URL. The list is empty once the chain has begun.
        """
        if self._template is not None or 1 not in self._lost or self.expected is not None:
            return []
        rows = total if self.rows is None else min(total, self.rows)
        self._template, self._end = second, -(-rows // size)
        return self._request(second) if self._end > 1 else []

    def lost(self, number: int) -> list[NumberedPage]:
        """Return the pages to request although page *number* could not be fetched."""
        self._arrived.add(number)
        self._lost.add(number)
        if self._template is None or self._end is None or number >= self._end:
            return []
        return self._request(self._predicted(number + 1))

    def end_before(self, number: int) -> None:
        """End the chain before page *number*, which does not exist."""
        self._arrived.add(number)
        self._end, self._ended = number - 1, True

    @property
    def expected(self) -> int | None:
        """The number of pages, once the last one is known."""
        return self._end

    def _request(self, following: str) -> list[NumberedPage]:
        number = self._number(following) or 0
        pages = [(number, following)] if number not in self._requested else []
        self._requested.add(number)
        while (
            self._predicting
            and self._end
            and len(self._requested - self._arrived) < self.lookahead
            and (ahead := max(self._requested) + 1) <= self._end
        ):
            self._requested.add(ahead)
            pages.append((ahead, self._predicted(ahead)))
        return pages

    def _after_last(self, page: Page) -> list[NumberedPage]:
        """Return the page after a full last one whose rows show that the total is too small."""
        full = len(page.members) >= page.size and page.first_row + page.size > page.total
        if not full or self.parameter is None:
            return []
        return self._request(with_parameter(self.first, self.parameter, page.number + 1))

    def _known_end(self, page: Page) -> int | None:
        end = page.last
        if end is not None and self.rows is not None:
            end = min(end, -(-self.rows // page.size))
        return end

    def _next(self, page: Page) -> str:
        """Return the URL of the next page: the links agree on it, or it is the earlier of two."""
        named = dict.fromkeys(page.links)  # header and body mostly agree to the letter
        links = [self._complete(self.carry(urljoin(self.first, link))) for link in named]
        if not _same_query(links[0], links[-1]):
            self.note("the next links of header and body disagreed")
        faults = [self._fault(url, page) for url in links]
        good = [url for url, fault in zip(links, faults, strict=True) if not fault]
        if not good or faults[0]:
            raise NextLinkError(faults[0])
        return min(good, key=lambda url: self._number(url) or 0)

    def _fault(self, url: str, page: Page) -> str:
        if not _same_collection(url, self.first):
            return f"page {page.number} links to a next page outside the collection: {url}"
        if self.parameter is None:
            further = url not in self._visited
        else:
            number = self._number(url)
            further = number is not None and number > page.number
        return "" if further else f"page {page.number} links back as its next page: {url}"

    def _complete(self, url: str) -> str:
        """Return *url* with the requested parameters that a link lacks: a filter, the page size."""
        if self.parameter is None:  # opaque links are complete
            return url
        requested, named = _query(self.first), _query(url)
        if lacking := requested.keys() - named.keys() - {self.parameter}:
            self.note(f"a next link lacked {', '.join(sorted(lacking))}: added")
            query = {name: value for name, value in requested.items() if name in lacking}
            return urlunsplit(urlsplit(url)._replace(query=urlencode({**query, **named})))
        return url

    def _number(self, url: str) -> int | None:
        return whole_parameter(url, self.parameter) if self.parameter else None

    def _predicted(self, number: int) -> str:
        assert self._template is not None
        assert self.parameter is not None
        return with_parameter(self._template, self.parameter, number)


@lru_cache
def _spellings(base_url: str, canonical: str) -> tuple[str, str, str]:
    """Return the beginnings of links that are below one of the bases."""
    rest = normalized(canonical).partition(":")[2]
    return normalized(base_url), f"https:{rest}", f"http:{rest}"


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _same_query(one: str, other: str) -> bool:
    return one == other or _query(one) == _query(other)


def _same_collection(one: str, other: str) -> bool:
    return _collection(one) == _collection(other)


def _collection(url: str) -> tuple[str, str, str]:
    """Return origin and path of *url*, normalised for comparison."""
    split = urlsplit(normalized(url))
    path = "/".join(part for part in split.path.lower().split("/") if part)
    return split.scheme, split.netloc, path

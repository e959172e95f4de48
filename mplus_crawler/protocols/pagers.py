"""Pagers: values that describe to a spider how an API pages a collection.

A pager makes the query of a page and reads the response. Where pages have numbers, they are
requested ahead, and a page that the server cannot deliver is read in parts; the links that
:class:`NextLinks` follows are opaque, so it requests one page at a time. Hydra's pager is in
:mod:`mplus_crawler.protocols.hydra.collections`. GraphQL lists have no URLs;
:mod:`mplus_crawler.protocols.graphql.planner` pages them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from mplus_crawler.errors import InvalidResponseError, counted
from mplus_crawler.protocols.documents import members_at, read_rows, value_at
from mplus_crawler.protocols.links import parse_links
from mplus_crawler.protocols.source import SourceRecord

# No museum has page numbers of more digits, and parsing those takes quadratic time.
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A requested page: its *url*, its *number* from 1, and its *size* in rows."""

    url: str
    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the server sent it; links are not checked yet.

    *size* is the page size that the server works with, which may be less than was requested.
    *links* are the URLs of the next page, in the order in which they count; *last* is the number
    of the last page, if known; *remarks* describe oddities of the response.
    """

    number: int
    size: int
    total: int
    members: list[Any]
    links: tuple[str, ...]
    last: int | None
    remarks: tuple[str, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether the server names no next page."""
        return not self.links

    @property
    def first_row(self) -> int:
        """The number of rows before this page."""
        return (self.number - 1) * self.size

    @property
    def is_beyond(self) -> bool:
        """Whether the page is empty and past the last row, even if it names a next page."""
        return not self.members and self.first_row >= self.total

    def check(self) -> None:
        """Raise :class:`InvalidResponseError` where rows, or the next page, are missing."""
        rows = len(self.members)
        due = self.size if not self.is_last else max(0, self.total - self.first_row)
        if rows >= due:
            return
        if rows == 0:
            raise InvalidResponseError("the page is empty before the end", self)
        if self.is_last and rows >= self.size:
            raise InvalidResponseError(
                f"there is no link to a next page after {self.first_row + rows} of {self.total}",
                self,
            )
        raise InvalidResponseError(
            f"the page has {rows} of {counted(min(due, self.size), 'record')}", self
        )


class Pager(Protocol):
    """What a spider expects of its pager.

    *number* is the query parameter for the page number; ``None`` if there is none.
    """

    @property
    def number(self) -> str | None: ...

    def query(self, number: int, size: int) -> dict[str, str]:
        """The query parameters of page *number*, counted from 1, of *size* rows."""
        ...

    def read(self, body: bytes, link_headers: Iterable[str], page: PageRequest) -> Page:
        """Return the page in *body* and its ``Link`` headers.

        Raise :class:`InvalidResponseError` if it is not a page, or lacks rows before the end.
        """
        ...


@dataclass(frozen=True, slots=True)
class PagesByNumber:
    """Pages numbered from 1; the number of the last one follows from the total.

    *members* and *total* are JSON pointers (RFC 6901) to the list of records and to the number
    of all records; *number* and *size* are the names of the query parameters.
    """

    members: str
    total: str
    number: str = "page"
    size: str = "size"

    def query(self, number: int, size: int) -> dict[str, str]:
        """Both parameters."""
        return {self.number: str(number), self.size: str(size)}

    def read(self, body: bytes, link_headers: Iterable[str], page: PageRequest) -> Page:
        """The page in *body*; the next page is that of the next number."""
        document = read_rows(body, self.members, page.size)
        members, total = _rows(document, self.members, self.total)
        last = -(-total // page.size)
        following = with_parameter(page.url, self.number, page.number + 1)
        links = (following,) if page.number < last else ()
        read = Page(page.number, page.size, total, members, links, last)
        read.check()
        return read


@dataclass(frozen=True, slots=True)
class NextLinks:
    """Pages that name the next one: at the JSON pointer *next*, else in a ``Link`` header.

    *members* and *total* are JSON pointers, too; *size* is the query parameter for the page size.
    """

    members: str
    total: str
    next: str = ""
    size: str = "size"
    number: None = None

    def query(self, number: int, size: int) -> dict[str, str]:
        """The page size only; the next page comes from links."""
        return {self.size: str(size)}

    def read(self, body: bytes, link_headers: Iterable[str], page: PageRequest) -> Page:
        """The page in *body*."""
        document = read_rows(body, self.members, page.size)
        members, total = _rows(document, self.members, self.total)
        named = value_at(document, self.next) if self.next else None
        found = (named, parse_links(link_headers, page.url).get("next"))
        links = tuple(urljoin(page.url, link) for link in found if isinstance(link, str) and link)
        read = Page(page.number, page.size, total, members, links[:1], None)
        read.check()
        return read


def with_parameter(url: str, name: str, value: object) -> str:
    """Return *url* with the query parameter *name* set to *value*, its position kept."""
    split = urlsplit(url)
    pairs = parse_qsl(split.query, keep_blank_values=True)
    query = {**dict(pairs), name: str(value)}
    return urlunsplit(split._replace(query=urlencode(query)))


def whole_parameter(url: str, name: str) -> int | None:
    """Return *name* in the query of *url* if it is one whole number; may raise ValueError."""
    values = parse_qs(urlsplit(url).query).get(name, [])
    return int(values[0]) if len(values) == 1 and _WHOLE.fullmatch(values[0]) else None


def _rows(document: SourceRecord, members: str, total: str) -> tuple[list[Any], int]:
    rows, count = members_at(document, members), value_at(document, total)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InvalidResponseError(f"the response has no total at {total}")
    return rows, count

"""Hydra's collections, by the page or whole: read strictly, as a bad page looks like the last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.links import parse_links

# More digits are no page of any museum, and cost quadratic time.
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the museum gave it; links are not checked yet.

    *size* is the page size that the museum works with, which may be less than was asked.
    """

    number: int
    size: int
    total: int
    members: list[Any]
    header_next: str | None
    body_next: str | None
    last: int | None

    @property
    def is_last(self) -> bool:
        """Whether the museum names no next page."""
        return self.header_next is None and self.body_next is None

    @property
    def first_row(self) -> int:
        """How many rows stand before this page."""
        return (self.number - 1) * self.size

    @property
    def is_beyond(self) -> bool:
        """Whether it is empty and past all rows that there are, whatever it names as the next."""
        return not self.members and self.first_row >= self.total


@dataclass(frozen=True, slots=True)
class MemberList:
    """All members of a collection that has no pages; *total* where the museum names one."""

    document: dict[str, Any]
    members: list[Any]
    total: int | None


def read_page(body: bytes, link_headers: Iterable[str], number: int, size: int) -> Page:
    """The page *number* of *size* rows in *body* and its ``Link`` headers.

    Raises :class:`InvalidResponseError` when it is no collection page, when rows are missing
    before the end, and when the next page is missing although the total says that there is one.
    """
    document = _document(body)
    members = document.get("hydra:member")
    if not isinstance(members, list):
        raise InvalidResponseError("the answer has no list of members")
    total = _total(document)
    view = document.get("hydra:view")
    view = view if isinstance(view, dict) else {}
    links = parse_links(link_headers)
    try:
        given = _page_size(size, links.get("first"), _link(view, "hydra:first"), _link(view, "@id"))
        last = links.get("last") or _link(view, "hydra:last")
        last_number = page_number(last) if last else None
    except ValueError as error:
        raise InvalidResponseError(f"the page has links that are no URLs ({error})") from None
    page = Page(
        number=number,
        size=given,
        total=total,
        members=members,
        header_next=links.get("next"),
        body_next=_link(view, "hydra:next"),
        last=last_number,
    )
    _check_rows(page)
    return page


def read_listing(body: bytes, most: int | None = None) -> MemberList:
    """The collection without pages in *body*, of which *most* members were asked for.

    Raises :class:`InvalidResponseError` when it is none, and when it lists less than it counts.
    """
    document = _document(body)
    members = document.get("hydra:member")
    if not isinstance(members, list):
        raise InvalidResponseError("the answer has no list of members")
    total = _total(document)
    listing = MemberList(document, members, total)
    due = total if most is None else min(most, total)
    if len(members) < due:
        raise InvalidResponseError(f"the answer has {len(members)} of {due} members", listing)
    return listing


def read_lists(body: bytes, *names: str) -> MemberList:
    """The lists of these *names* in *body*, one after the other; nothing counts them.

    Raises :class:`InvalidResponseError` where one is missing.
    """
    document = _document(body)
    members: list[Any] = []
    for name in names:
        listed = document.get(name)
        if not isinstance(listed, list):
            raise InvalidResponseError(f"the answer has no list of {name}")
        members += listed
    return MemberList(document, members, None)


def read_record(body: bytes) -> dict[str, Any]:
    """The single record in *body*; raises :class:`InvalidResponseError` when it is none."""
    return _document(body)


def page_number(url: str, name: str = "page") -> int | None:
    """The parameter *name* of *url*, where it is one whole number; ValueError for no URL."""
    values = parse_qs(urlsplit(url).query).get(name, [])
    return int(values[0]) if len(values) == 1 and _WHOLE.fullmatch(values[0]) else None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else f"no whole JSON ({error})"
        raise InvalidResponseError(f"the answer is {what}") from None
    if not isinstance(document, dict):
        raise InvalidResponseError("the answer is no JSON object")
    return document


def _total(document: dict[str, Any]) -> int:
    total = document.get("hydra:totalItems")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise InvalidResponseError("the answer has no count of all records")
    return total


def _link(view: dict[str, Any], name: str) -> str | None:
    value = view.get(name)
    if isinstance(value, dict):
        value = value.get("@id")
    return value if isinstance(value, str) and value else None


def _page_size(asked: int, *links: str | None) -> int:
    """The page size that the museum's own links name; it caps silently what was asked."""
    for link in filter(None, links):
        for value in parse_qs(urlsplit(link).query).get("itemsPerPage", []):
            if _WHOLE.fullmatch(value) and int(value) > 0:
                return int(value)
    return asked


def _check_rows(page: Page) -> None:
    rows = len(page.members)
    due = page.size if not page.is_last else max(0, page.total - page.first_row)
    if rows >= due:
        return
    if rows == 0:
        raise InvalidResponseError("the page is empty before the end", page)
    if page.is_last and rows >= page.size:
        raise InvalidResponseError(
            f"no next page is named after {page.first_row + rows} of {page.total}", page
        )
    raise InvalidResponseError(f"the page has {rows} of {min(due, page.size)} records", page)

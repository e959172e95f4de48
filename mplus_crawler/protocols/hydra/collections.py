"""Hydra's collections, in pages or whole, read strictly: a bad page may look like the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mplus_crawler.errors import InvalidResponseError, counted
from mplus_crawler.protocols.documents import members_at, read_document, read_rows
from mplus_crawler.protocols.links import parse_links
from mplus_crawler.protocols.pagers import Page, PageRequest, whole_parameter

_ONE_NEXT = "a next link was only in the header or only in the body"


@dataclass(frozen=True, slots=True)
class MemberList:
    """All members of a collection without pages, and the *total* if the museum states one."""

    document: dict[str, Any]
    members: list[Any]
    total: int | None


@dataclass(frozen=True, slots=True)
class HydraPages:
    """Numbered pages that link to the next one in the body and in a ``Link`` header.

    *number* and *size* are the names of the query parameters.
    """

    number: str = "page"
    size: str = "itemsPerPage"

    def query(self, number: int, size: int) -> dict[str, str]:
        """Both parameters."""
        return {self.number: str(number), self.size: str(size)}

    def read(self, body: bytes, link_headers: Iterable[str], page: PageRequest) -> Page:
        """The page in *body*.

        Raise :class:`InvalidResponseError` if it is not a collection page, if rows are missing
        before the end, or if there is no next page although the total requires one.
        """
        document = read_rows(body, "/hydra:member", page.size)
        members = members_at(document, "/hydra:member")
        total = _total(document)
        view = document.get("hydra:view")
        view = view if isinstance(view, dict) else {}
        header = parse_links(link_headers, page.url)
        firsts = (header.get("first"), _link(view, "hydra:first"), _link(view, "@id"))
        last = header.get("last") or _link(view, "hydra:last")
        try:
            size = self._given_size(page.size, *firsts)
            last_number = whole_parameter(last, self.number) if last else None
        except ValueError as error:
            raise InvalidResponseError(f"the page has links that are not URLs ({error})") from None
        named = tuple(filter(None, (header.get("next"), _link(view, "hydra:next"))))
        remarks = (_ONE_NEXT,) if len(named) == 1 else ()
        read = Page(page.number, size, total, members, named, last_number, remarks)
        read.check()
        return read

    def _given_size(self, requested: int, *links: str | None) -> int:
        """Return the page size in the museum's links: it silently limits the requested one."""
        sizes = (whole_parameter(link, self.size) for link in links if link)
        return next(filter(None, sizes), requested)


def read_listing(body: bytes, most: int | None = None) -> MemberList:
    """Return the collection without pages in *body*, of which *most* members were requested.

    Raise :class:`InvalidResponseError` if it is not one, or has fewer members than its total.
    """
    document = read_document(body) if most is None else read_rows(body, "/hydra:member", most)
    members = members_at(document, "/hydra:member")
    total = _total(document)
    listing = MemberList(document, members, total)
    due = total if most is None else min(most, total)
    if len(members) < due:
        raise InvalidResponseError(
            f"the response has {len(members)} of {counted(due, 'member')}", listing
        )
    return listing


def read_lists(body: bytes, *names: str) -> MemberList:
    """Return the members of the lists *names* in *body*, which have no total.

    Raise :class:`InvalidResponseError` if one is missing.
    """
    document = read_document(body)
    return MemberList(document, members_at(document, *(f"/{name}" for name in names)), None)


def _total(document: dict[str, Any]) -> int:
    total = document.get("hydra:totalItems")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise InvalidResponseError("the response has no total")
    return total


def _link(view: dict[str, Any], name: str) -> str | None:
    value = view.get(name)
    if isinstance(value, dict):
        value = value.get("@id")
    return value if isinstance(value, str) and value else None

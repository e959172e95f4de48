"""Pages of version 1's collections, read as strictly as those of version 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.documents import members_at, read_rows
from mplus_crawler.protocols.pagers import Page, PageRequest, whole_parameter, with_parameter

MEMBERS = "GecureerdeCollectie.bestaatUit"


@dataclass(frozen=True, slots=True)
class OsloPage(Page):
    """A page; if the museum has not *counted* all rows, *total* is the most that there can be."""

    counted: bool = True


@dataclass(frozen=True, slots=True)
class OsloPages:
    """Numbered pages; their links are malformed, so only the parameters in them are read.

    *number* and *size* are the names of the query parameters.
    """

    number: str = "pageNumber"
    size: str = "itemsPerPage"

    def query(self, number: int, size: int) -> dict[str, str]:
        """Both parameters."""
        return {self.number: str(number), self.size: str(size)}

    def read(self, body: bytes, link_headers: Iterable[str], page: PageRequest) -> OsloPage:
        """The page in *body*.

        Raise :class:`InvalidResponseError` for anything but a collection page, and for a page
        that is short before the end.
        """
        document = read_rows(body, f"/{MEMBERS}", page.size)
        members = members_at(document, f"/{MEMBERS}")
        view = document.get("hydra:view")
        links = view if isinstance(view, dict) else {}
        sizes = (_parameter(links.get(name), self.size) for name in ("@id", "hydra:first"))
        size = next(filter(None, sizes), page.size)
        total, end = _count(document), _parameter(links.get("hydra:last"), self.number)
        if total is None and end is None:
            raise InvalidResponseError("the response has neither a total nor a number of pages")
        following = page.number + 1 if links.get("hydra:next") else page.number
        last = max(end or 0, -(-(total or 0) // size), following)
        if page.number < last:
            most = last * size
        else:
            most = (page.number - 1) * size + max(1, len(members))
        further = with_parameter(page.url, self.number, page.number + 1)
        named = (further,) if page.number < last else ()
        rows = most if total is None else total
        read = OsloPage(page.number, size, rows, members, named, last, counted=total is not None)
        read.check()
        return read


def _count(document: Mapping[str, Any]) -> int | None:
    total = document.get("hydra:totalItems")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        return None
    return total


def _parameter(link: Any, name: str) -> int | None:
    try:
        return (whole_parameter(link, name) or None) if isinstance(link, str) else None
    except ValueError:
        return None

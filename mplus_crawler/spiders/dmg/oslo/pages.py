"""Pages of version 1's collections, read as strictly as those of version 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.documents import members_at, read_rows
from mplus_crawler.protocols.pagers import whole_parameter

MEMBERS = "GecureerdeCollectie.bestaatUit"
NUMBER = "pageNumber"
SIZE = "itemsPerPage"


@dataclass(frozen=True, slots=True)
class OsloPage:
    """A page as the museum sent it.

    *size* is the page size that the museum uses; *total* is ``None`` if it states none; *last* is
    the number of the last page, by all that the page states.
    """

    number: int
    size: int
    total: int | None
    last: int
    members: list[Any]

    @property
    def first_row(self) -> int:
        """The number of rows before this page."""
        return (self.number - 1) * self.size

    @property
    def due(self) -> int:
        """The least number of rows that it must have."""
        if self.total is not None:
            return min(self.size, max(0, self.total - self.first_row))
        return self.size if self.number < self.last else 1


def read_page(body: bytes, number: int, size: int) -> OsloPage:
    """Return the page *number* in *body*; *size* rows were requested.

    Links are malformed, so only their parameters are read. Raise :class:`InvalidResponseError`
    for anything but a collection page, and for a page that is short before the end.
    """
    document = read_rows(body, f"/{MEMBERS}", size)
    members = members_at(document, f"/{MEMBERS}")
    view = document.get("hydra:view")
    links = view if isinstance(view, dict) else {}
    total = document.get("hydra:totalItems")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        total = None
    size = _parameter(links.get("@id"), SIZE) or _parameter(links.get("hydra:first"), SIZE) or size
    last = _parameter(links.get("hydra:last"), NUMBER)
    if total is None and last is None:
        raise InvalidResponseError("the response has neither a total nor a number of pages")
    following = number + 1 if links.get("hydra:next") else number
    last = max(last or 0, -(-(total or 0) // size), following)
    page = OsloPage(number, size, total, last, members)
    if not members and page.due:
        raise InvalidResponseError("the page is empty before the end", page)
    if len(members) < page.due:
        raise InvalidResponseError(f"the page has {len(members)} of {page.due} records", page)
    return page


def _parameter(link: Any, name: str) -> int | None:
    try:
        return (whole_parameter(link, name) or None) if isinstance(link, str) else None
    except ValueError:
        return None

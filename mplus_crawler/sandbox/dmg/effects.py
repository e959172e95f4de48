"""The effects of faults: other responses, and changed pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from mplus_crawler.sandbox.dmg.museum import Page
from mplus_crawler.sandbox.dmg.responses import linked_data
from mplus_crawler.sandbox.faults import Due
from mplus_crawler.sandbox.responses import HTML, Response

# What the museum's server leaves out when its storage fails.
_STORED = ("crm:P138i_has_representation", "image")


def instead(due: Due) -> Response | None:
    """Return the response of a fault that replaces the museum's, if any."""
    responses = (_INSTEAD[fault.kind](fault.options) for fault in due if fault.kind in _INSTEAD)
    return next(responses, None)


def change(page: Page, due: Due) -> None:
    """Apply these faults to a page."""
    for fault in due:
        if fault.kind in _CHANGES:
            _CHANGES[fault.kind](page, fault.options)


def _status(options: Mapping[str, Any]) -> Response:
    status: HTTPStatus = options["code"]
    response = _html(status) if options["html"] else linked_data(status, {"error": status.phrase})
    if options["retry_after"] is not None:
        response.headers["Retry-After"] = str(options["retry_after"])
    return response


def _html(status: HTTPStatus) -> Response:
    page = f"<!DOCTYPE html><html><title>{status.phrase}</title><h1>{status.phrase}</h1></html>"
    return Response(status, page.encode(), {"Content-Type": HTML})


_INSTEAD: Mapping[str, Callable[[Mapping[str, Any]], Response]] = {
    "status": _status,
    "empty": lambda _: linked_data(200, {}),
    "html": lambda _: _html(HTTPStatus.OK),
    "redirect": lambda options: linked_data(options["code"], {}, {"Location": options["url"]}),
}


def _short(page: Page, options: Mapping[str, Any]) -> None:
    del page.members[max(0, len(page.members) - options["rows"]) :]


def _thin(page: Page, options: Mapping[str, Any]) -> None:
    for number, member in enumerate(page.members[: options["rows"]]):
        kept = {name: value for name, value in orjson.loads(member).items() if name not in _STORED}
        page.members[number] = orjson.dumps(kept)


def _total(page: Page, options: Mapping[str, Any]) -> None:
    value: int | None = options["value"]
    page.total = page.total + options["delta"] if value is None else value


def _next_elsewhere(page: Page, options: Mapping[str, Any]) -> None:
    page.links["next"] = page.view["hydra:next"] = options["url"]


def _next_loop(page: Page, options: Mapping[str, Any]) -> None:
    url = page.address(options["to"] or page.query.page)
    page.links["next"] = page.view["hydra:next"] = url


def _next_disagree(page: Page, _: Mapping[str, Any]) -> None:
    page.view["hydra:next"] = page.address(page.query.page + 2)


def _last_gone(page: Page, _: Mapping[str, Any]) -> None:
    page.links.pop("last", None)
    page.view.pop("hydra:last", None)


_CHANGES: Mapping[str, Callable[[Page, Mapping[str, Any]], object]] = {
    "short": _short,
    "thin": _thin,
    "empty_page": lambda page, _: page.members.clear(),
    "total": _total,
    "next_offorigin": _next_elsewhere,
    "next_loop": _next_loop,
    "next_missing_link": lambda page, _: page.links.pop("next", None),
    "next_missing_hydra": lambda page, _: page.view.pop("hydra:next", None),
    "next_disagree": _next_disagree,
    "last_gone": _last_gone,
}

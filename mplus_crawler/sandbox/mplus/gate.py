"""Faults in front of M+'s API: error statuses, HTML pages, redirects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from mplus_crawler.sandbox.facts.mplus import FACTS
from mplus_crawler.sandbox.faults import Due
from mplus_crawler.sandbox.mplus.museum import refused
from mplus_crawler.sandbox.responses import HTML, Response


def instead(due: Due) -> Response | None:
    """The response that replaces the API's, if a fault has one."""
    responses = (_INSTEAD[fault.kind](fault.options) for fault in due if fault.kind in _INSTEAD)
    return next(responses, None)


def _status(options: Mapping[str, Any]) -> Response:
    code: HTTPStatus = options["code"]
    message = FACTS["gate"].get(str(int(code)), code.phrase)
    response = _page(code, code.phrase) if options["html"] else refused(code, message)
    if options["retry_after"] is not None:
        response.headers["Retry-After"] = str(options["retry_after"])
    return response


def _redirect(options: Mapping[str, Any]) -> Response:
    url = options["url"] or FACTS["gate"]["redirect"]
    return Response(options["code"], b"", {"Location": url, "Content-Type": HTML})


def _page(status: int, title: str) -> Response:
    page = f"<!DOCTYPE html><html><title>{title}</title><h1>{title}</h1></html>"
    return Response(status, page.encode(), {"Content-Type": HTML})


_INSTEAD: Mapping[str, Callable[[Mapping[str, Any]], Response]] = {
    "status": _status,
    "html": lambda _: _page(HTTPStatus.OK, FACTS["gate"]["dashboard"]),
    "redirect": _redirect,
}

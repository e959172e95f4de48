"""Responses as the museum's web server makes them: their types and validators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

import orjson

from mplus_crawler.sandbox.facts.dmg import FACTS, Json
from mplus_crawler.sandbox.responses import JSON, Response, error_page, tagged

LD_JSON = "application/ld+json; charset=utf-8"


def linked_data(
    status: int, body: Json | bytes, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON-LD, which the museum also sends for errors."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    fields = {"Content-Type": LD_JSON, "Content-Disposition": "inline", **(headers or {})}
    return tagged(Response(status, content, fields))


def plain_json(status: int, body: Json) -> Response:
    """Return plain JSON, which the rate limiter and the API's description use."""
    return tagged(Response(status, orjson.dumps(body), {"Content-Type": JSON}))


def page_of_html(status: int, text: str) -> Response:
    """Return the web server's error page."""
    return error_page(status, text, "default-src 'none'")


def validators(pid: str, modified: datetime | None) -> dict[str, str]:
    """Return the validators of a single record, which depend on its harvest time only."""
    if modified is None:
        return {}
    return {
        "Last-Modified": format_datetime(modified, usegmt=True),
        "ETag": f'"{pid}-{int(modified.timestamp() * 1000)}"',
        "Cache-Control": f"public, max-age={FACTS['record_max_age']}",
    }

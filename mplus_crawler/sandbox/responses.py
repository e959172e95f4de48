"""Responses before they are sent, and conditional requests (RFC 9110)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha1
from html import escape

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(slots=True)
class Response:
    """A response before it is sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def tagged(response: Response) -> Response:
    """Return *response* with the weak ETag that Express computes, unless it has one."""
    if "ETag" not in response.headers:
        digest = b64encode(sha1(response.body, usedforsecurity=False).digest()).decode()[:27]
        response.headers["ETag"] = f'W/"{len(response.body):x}-{digest}"'
    return response


def error_page(status: int, text: str, policy: str) -> Response:
    """Return the error page of Express, with its content security policy."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        f"</head>\n<body>\n<pre>{escape(text)}</pre>\n</body>\n</html>\n"
    )
    return Response(
        status, page.encode(), {"Content-Type": HTML, "Content-Security-Policy": policy}
    )


def unless_fresh(response: Response, request_headers: Mapping[str, str]) -> Response:
    """Return a 304 instead of *response* if the request's conditions allow (RFC 9110)."""
    if response.status // 100 != 2 or not _is_fresh(response.headers, request_headers):
        return response
    dropped = ("Content-Type", "Content-Length")
    kept = {name: value for name, value in response.headers.items() if name not in dropped}
    return Response(304, b"", kept)


def _is_fresh(sent: Mapping[str, str], request_headers: Mapping[str, str]) -> bool:
    tags, since = request_headers.get("If-None-Match"), request_headers.get("If-Modified-Since")
    if not (tags or since) or "no-cache" in request_headers.get("Cache-Control", ""):
        return False
    if tags and tags.strip() != "*" and not _matches(tags, sent.get("ETag", "")):
        return False
    return not since or _not_later(sent.get("Last-Modified"), since)


def _matches(tags: str, tag: str) -> bool:
    return tag.removeprefix("W/") in {one.strip().removeprefix("W/") for one in tags.split(",")}


def _not_later(modified: str | None, since: str) -> bool:
    try:
        return modified is not None and _date(modified) <= _date(since)
    except ValueError:
        return False


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)

"""Answers as the museum's web server makes them: types, validators, conditional requests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha1
from html import escape

import orjson

from mplus_crawler.sandbox.dmg.facts import FACTS, Json

LD_JSON = "application/ld+json; charset=utf-8"
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """A response before it is sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def linked_data(
    status: int, body: Json | bytes, headers: Mapping[str, str] | None = None
) -> Answer:
    """JSON-LD, which the museum sends for its errors too."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    fields = {"Content-Type": LD_JSON, "Content-Disposition": "inline", **(headers or {})}
    return _tagged(Answer(status, content, fields))


def plain_json(status: int, body: Json) -> Answer:
    """JSON from outside the museum's handlers: the limiter's refusals, the API's description."""
    return _tagged(Answer(status, orjson.dumps(body), {"Content-Type": JSON}))


def page_of_html(status: int, text: str) -> Answer:
    """The web server's own error page."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        f"</head>\n<body>\n<pre>{escape(text)}</pre>\n</body>\n</html>\n"
    )
    policy = {"Content-Security-Policy": "default-src 'none'"}
    return Answer(status, page.encode(), {"Content-Type": HTML, **policy})


def validators(pid: str, modified: datetime | None) -> dict[str, str]:
    """The validators of a single record, which cover its harvest time only."""
    if modified is None:
        return {}
    return {
        "Last-Modified": format_datetime(modified, usegmt=True),
        "ETag": f'"{pid}-{int(modified.timestamp() * 1000)}"',
        "Cache-Control": f"public, max-age={FACTS['record_max_age']}",
    }


def unless_fresh(answer: Answer, asked: Mapping[str, str]) -> Answer:
    """A 304 instead, if the request's conditions say that the client has it already (RFC 9110)."""
    if answer.status // 100 != 2 or not _is_fresh(answer.headers, asked):
        return answer
    dropped = ("Content-Type", "Content-Length")
    kept = {name: value for name, value in answer.headers.items() if name not in dropped}
    return Answer(304, b"", kept)


def _is_fresh(sent: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    tags, since = asked.get("If-None-Match"), asked.get("If-Modified-Since")
    if not (tags or since) or "no-cache" in asked.get("Cache-Control", ""):
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


def _tagged(answer: Answer) -> Answer:
    if "ETag" not in answer.headers:
        digest = b64encode(sha1(answer.body, usedforsecurity=False).digest()).decode()[:27]
        answer.headers["ETag"] = f'W/"{len(answer.body):x}-{digest}"'
    return answer

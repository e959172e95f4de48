"""Reads calls as express-graphql does: from the URL, a JSON body or a form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from mplus_crawler.sandbox.facts.mplus import FACTS, LIMIT, MESSAGE, Json
from mplus_crawler.sandbox.mplus.schema import RefusedError


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A request to the API: *path* is decoded, *query* is the raw one of the URL."""

    method: str
    path: str
    query: str
    content_type: str
    authorization: str
    body: bytes

    @property
    def key(self) -> str | None:
        """The second word of the header, whatever the first is; or the one in the URL."""
        if self.path.endswith(FACTS["playground"]):
            return unquote(self.path.split("/")[1])
        words = self.authorization.split(" ")
        return words[1] if len(words) > 1 else None


class UnreadableCallError(Exception):
    """A body that the web server itself rejects, with the status and the title of its page."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def is_here(path: str) -> bool:
    """Whether a path is the API's: /graphql and all below it, or a playground."""
    if path.endswith(FACTS["playground"]) and path.count("/") == 2:
        return True
    return any(f"{path}/".startswith(f"{root}/") for root in FACTS["paths"])


def read_call(request: CallRequest) -> tuple[str, Json, str | None]:
    """Return the document, its variables and the operation's name.

    Raises RefusedError or UnreadableCallError.
    """
    given = _body(request) if request.method == "POST" else {}
    given |= dict(parse_qsl(request.query, keep_blank_values=True))
    text = given.get("query")
    if not isinstance(text, str) or not text:
        raise RefusedError(400, [{"message": MESSAGE["no_query"]}])
    return text, _variables(given.get("variables")), given.get("operationName") or None


def _body(request: CallRequest) -> Json:
    if len(request.body) > LIMIT["body"]:
        raise UnreadableCallError(413, "Payload Too Large")
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind != "application/json" or not request.body:
        return {}
    try:
        found = json.loads(request.body)
    except ValueError:
        raise UnreadableCallError(400, "Bad Request") from None
    if not isinstance(found, dict | list):
        raise UnreadableCallError(400, "Bad Request")
    return found if isinstance(found, dict) else {}


def _variables(given: Any) -> Json:
    if isinstance(given, str) and given:
        try:
            given = json.loads(given)
        except ValueError:
            raise RefusedError(400, [{"message": MESSAGE["variables"]}]) from None
    return given if isinstance(given, dict) else {}

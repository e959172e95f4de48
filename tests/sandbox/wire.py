"""Requests to a sandbox, and its responses as they came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import quote, urlsplit

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.facts.dmg import FACTS

BASE: str = FACTS["base_url"]
PUBLIC = ("objects", "agents", "exhibitions", "concepts")
KEY = {"x-api-key": FACTS["private_key"]}
TOO_MANY = b'{"status":429,"error":"Too many requests. Please slow down."}'
RANGE = '{"error":"Error fetching objects","details":"Requested range not satisfiable"}'


@dataclass
class Reply:
    """A response as it was received."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def members(self) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = self.json["hydra:member"]
        return members

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.json.get("errors", [])]

    def link(self, rel: str) -> str | None:
        """The target of a link, below the base."""
        for part in (self.headers["Link"] or "").split(", "):
            url, _, name = part.partition("; rel=")
            if name == f'"{rel}"':
                return url.strip("<>").removeprefix(BASE)
        return None


def send(address: str, target: str, method: str, headers: dict[str, str], body: str = "") -> Reply:
    """One request on a connection of its own to the server at *address*."""
    where = urlsplit(address)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        connection.request(method, target, body.encode() or None, headers)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def get(museum: Sandbox, path: str, method: str = "GET", **headers: str) -> Reply:
    """One request; a path that begins with a slash is taken from the root."""
    target = path if path.startswith("/") else f"{urlsplit(museum.base_url).path}{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(museum.base_url, target, method, named)


def walk(museum: Sandbox, path: str, **headers: str) -> Iterator[dict[str, Any]]:
    """All members along the Link headers."""
    following: str | None = path
    while following:
        reply = get(museum, following, **headers)
        assert reply.status == 200
        yield from reply.members
        following = reply.link("next")


def canonical(member_id: str) -> str:
    """The spelling that the truth uses of an id that a stub shows."""
    kind, _, pid = member_id.replace("//id/", "/id/").removeprefix(f"{BASE}id/").partition("/")
    return f"{BASE}id/{kind}/{quote(pid, safe='')}"


def pid_of(canonical_id: str) -> str:
    return canonical_id.rpartition("/")[2]


def a_pid(museum: Sandbox, name: str = "objects") -> str:
    """The encoded number of a record that is simply in order."""
    truth = museum.truth()[name]
    odd = {id_ for kind in ("invalid", "null", "untyped", "merged") for id_ in truth[kind]}
    return pid_of(next(id_ for id_ in truth["ids"] if id_ not in odd))


def is_spoilt(record: dict[str, Any]) -> bool:
    stamp = record.get("prov:generatedAtTime", {}).get("@value", "2026")
    return (
        isinstance(record.get("rdfs:label"), dict)
        or not isinstance(record.get("@type", ""), str)
        or not stamp.startswith("2026")
    )

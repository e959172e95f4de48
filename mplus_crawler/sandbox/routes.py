"""Where a request's target leads, by the habits of the museum's web server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mplus_crawler.sandbox.facts import FACTS

COLLECTIONS: tuple[str, ...] = tuple(FACTS["collection"])
INDEXES = ("types", "materials", "nationalities", "colors")
KINDS = ("object", "agent", "exhibition", "concept")
PRIVATE = "private_objects"

ROOT = urlsplit(FACTS["base_url"]).path
_V1 = ROOT.replace("2", "1")
_PLAIN = {
    (): "catalogue",
    ("dcat",): "catalogue",
    ("api-docs.json",): "description",
    ("id", "private", "objects"): PRIVATE,
    ("id", "colors", "dominant"): "dominant",
    **{("id", name): name for name in (*COLLECTIONS, *INDEXES) if name != PRIVATE},
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a target points at: its name, the path below the base, and a record's number."""

    name: str
    target: str
    path: str
    query: str
    pid: str = ""


def locate(target: str) -> Place:
    """Find a target's place: any case, an ending slash, one doubled slash after the version."""
    path, _, query = target.partition("?")
    lower = path.lower()
    if lower == _V1.rstrip("/") or lower.startswith(_V1):
        return Place("v1", target, path, query)
    if not f"{lower}/".startswith(ROOT):
        return Place("missing", target, path, query)
    below = path[len(ROOT) :].removeprefix("/").removesuffix("/")
    name, pid = _name(below)
    return Place(name, target, below, query, pid)


def path_of(collection: str) -> str:
    """The path of a collection below the base."""
    return "id/private/objects" if collection == PRIVATE else f"id/{collection}"


def _name(below: str) -> tuple[str, str]:
    segments = below.split("/") if below else []
    fixed = tuple(segment.lower() for segment in segments)
    if fixed in _PLAIN:
        return _PLAIN[fixed], ""
    match fixed:
        case ("id", kind, _) if kind in KINDS:
            return _record(kind, segments[-1])
        case ("id", "ark:", "29417", ("object" | "agent") as kind, _):
            return _record(kind, segments[-1])
    return "missing", ""


def _record(kind: str, encoded: str) -> tuple[str, str]:
    try:
        if re.search("%(?![0-9A-Fa-f]{2})", encoded):
            return "undecodable", encoded
        return kind, unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return "undecodable", encoded

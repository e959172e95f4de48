"""The routes of the museum's web server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mplus_crawler.sandbox.facts.dmg import BASE, FACTS

COLLECTIONS: tuple[str, ...] = tuple(FACTS["collection"])
INDEXES: tuple[str, ...] = tuple(FACTS["index"])
KINDS: tuple[str, ...] = tuple(FACTS["record"])
PRIVATE = "private_objects"
ROOT = urlsplit(BASE).path
IMAGES: str = FACTS["image"]["root"]

# Every name that a place can have.
NAMES = (
    *COLLECTIONS,
    *INDEXES,
    *KINDS,
    "catalogue",
    "description",
    "v1",
    "image",
    "missing",
    "undecodable",
)

_PLAIN: dict[str, str] = {
    **dict.fromkeys(FACTS["catalogue"], "catalogue"),
    **dict.fromkeys(FACTS["description"], "description"),
    **{facts["path"]: name for name, facts in FACTS["collection"].items()},
    **{path: name for name, path in FACTS["index"].items()},
}
_RECORDS: dict[str, str] = {path: kind for kind in KINDS for path in FACTS["record"][kind]}


@dataclass(frozen=True, slots=True)
class Place:
    """A route: its name, the path below the base, and a record's number."""

    name: str
    target: str
    path: str
    query: str
    pid: str = ""


def locate(target: str) -> Place:
    """Return the route of a target in any case, with a final slash or a doubled first one."""
    path, _, query = target.partition("?")
    if f"{path}/".lower().startswith(FACTS["v1"]["root"]):
        return Place("v1", target, path, query)
    if path.startswith(IMAGES):
        return Place("image", target, path[len(IMAGES) :], query)
    if not f"{path}/".lower().startswith(ROOT):
        return Place("missing", target, path, query)
    below = path[len(ROOT) :].removeprefix("/").removesuffix("/")
    if below.lower() in _PLAIN:
        return Place(_PLAIN[below.lower()], target, below, query)
    folder, _, last = below.rpartition("/")
    kind = _RECORDS.get(folder.lower(), "missing")
    pid = _decoded(last)
    return Place("undecodable" if pid is None else kind, target, below, query, pid or last)


def _decoded(segment: str) -> str | None:
    if re.search("%(?![0-9A-Fa-f]{2})", segment):
        return None
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return None

"""How the files of harvests are named, so that they are found without a register."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

CERTIFICATE = ".certificate.json"

_FORMATS = r"jsonl|jsonlines|jl|json|csv"
_KINDS = {
    "ledger": r"-[0-9a-f]{12}\.(ledger|known)(\.damaged-\d+)?(-wal|-shm)?",
    "rejected": rf"\.rejected\.({_FORMATS})",
    "snapshot": rf"(\.incomplete)?\.({_FORMATS})",
}
_PART = re.compile(r"\.(?P<name>.+?)(\.(?P<harvest>[a-z0-9_]+-[0-9a-f]{12}))?\.part")
_LEDGER = re.compile(r"(?P<harvest>.+?-[0-9a-f]{12})\.ledger")


@dataclass(frozen=True, slots=True)
class Name:
    """What a name tells: the *spider*, the *kind* of file, and the *harvest* that may use it."""

    spider: str
    kind: str
    harvest: str = ""


def read_name(name: str, spiders: Iterable[str]) -> Name | None:
    """What *name* is among the files of *spiders*; ``None`` if it is none of theirs."""
    if part := _PART.fullmatch(name):
        inner = read_name(part["name"], spiders)
        harvest = part["harvest"] or ""
        for spider in spiders:
            if (inner and inner.spider == spider) or harvest.rpartition("-")[0] == spider:
                return Name(spider, "unfinished file", harvest)
        return None
    for spider in spiders:
        if not name.startswith(spider):
            continue
        for kind, ending in _KINDS.items():
            if re.fullmatch(ending, name[len(spider) :]):
                ledger = _LEDGER.match(name)
                return Name(spider, kind, ledger["harvest"] if ledger else "")
    return None

"""Names of harvests' files, by which they are found without a register."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

UNFINISHED = "unfinished file"

_FORMATS = r"jsonl|jsonlines|jl|json|csv|parquet|xlsx|sqlite"
_STATES = r"(\.selection)?(\.incomplete|\.held)?"
_KINDS = {
    "ledger": r"-[0-9a-f]{12}\.(ledger|known)(\.damaged-\d+)?(-wal|-shm)?",
    "rejected": rf"(-\d{{8}}T\d{{6}}Z-\d+)?{_STATES}\.rejected(\.undelivered)?\.jsonl",
    "snapshot": rf"{_STATES}(\.undelivered)?\.({_FORMATS})",
}
_RUN = re.compile(r"^\d{8}T\d{6}Z-")  # of files in runs/
_PART = re.compile(r"\.(?P<name>.+)\.harvest(-[^/]+)?\.part")
_LEDGER = re.compile(r"(?P<harvest>.+?-[0-9a-f]{12})\.ledger")


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a name: the *spider*, the *kind* of file, and the *lock* of its harvest.

    An unfinished file of another name has no spider; its rows show the museum.
    """

    spider: str
    kind: str
    lock: str = ""


def read_name(name: str, spiders: Iterable[str]) -> Name | None:
    """Parse *name* as that of a file of *spiders*; ``None`` if it is not."""
    name = _RUN.sub("", name)
    if part := _PART.fullmatch(name):
        inner = read_name(part["name"], spiders)
        return Name(inner.spider if inner else "", UNFINISHED, name)
    for spider in spiders:
        if not name.startswith(spider):
            continue
        for kind, ending in _KINDS.items():
            if re.fullmatch(ending, name[len(spider) :]):
                ledger = _LEDGER.match(name)
                return Name(spider, kind, f"{ledger['harvest']}.lock" if ledger else "")
    return None

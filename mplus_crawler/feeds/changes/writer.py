"""Writing a change feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mplus_crawler.feeds.changes.change import Change, ChangeType, Header
from mplus_crawler.storage.staging import StagedFile


def write_feed(file: StagedFile, header: Header, changes: Iterable[Change]) -> dict[str, Any]:
    """Write the feed to *file*, and return the certificate's counts of it."""
    counts: Counter[str] = Counter()
    file.write(header.line())
    for seq, change in enumerate(changes, 1):
        counts[change.type] += 1
        counts["regenerated"] += change.regenerated
        file.write(change.line(seq))
    file.finish()
    types = {type_.lower(): counts[type_] for type_ in ChangeType}
    return {**types, "regenerated": counts["regenerated"]}

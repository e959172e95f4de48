"""What is known about an id that is not in a snapshot, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mplus_crawler.feeds.changes.change import Change, ChangeType

# A database that fails for hours makes records seem deleted.
_PROOF = timedelta(days=1)


class Reason(StrEnum):
    """Why an id is not in the snapshot."""

    GONE = "gone"  # requested singly: 410
    MERGED = "merged"  # requested singly: it redirects to another record
    NOT_FOUND = "not_found"  # requested singly: 404, while the museum finds other records
    WITHDRAWN = "withdrawn"  # not in a data set that is published whole
    ABSENT = "absent"  # not in the list, and the API has no single records
    UNANSWERED = "unanswered"  # requested singly, without a response that settles it
    NOT_REQUESTED = "not_requested"  # not in the list, and not requested singly
    REJECTED = "rejected"  # the record came, and was not valid
    UNREADABLE = "unreadable"  # listed, but the server cannot deliver it


# A deletion, once two complete harvests at least a day apart have found it.
_REPEATED = frozenset((Reason.NOT_FOUND, Reason.ABSENT))
_PROVEN = frozenset((Reason.GONE, Reason.WITHDRAWN))
_CAME = frozenset((Reason.REJECTED, Reason.UNREADABLE))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The *reason* why an id is not in the snapshot, found *at* that moment (ISO 8601, UTC)."""

    reason: Reason
    at: str
    status: int | None = None
    to: str | None = None  # of a merged record: the other id
    detail: str | None = None

    def document(self, **more: Any) -> dict[str, Any]:
        """Return it as JSON, with *more*, without empty fields."""
        found = {"reason": self.reason, "at": self.at, "status": self.status}
        found |= {"detail": self.detail, **more}
        return {name: value for name, value in found.items() if value}


def removal(
    id_: str,
    found: Evidence,
    *,
    before: str | None = None,
    former: Change | None = None,
    twin: str | None = None,
    digests: Mapping[str, str],
) -> Change | None:
    """Return the change for *id_*, which is not in the snapshot; None if there is nothing new.

    *before* is its digest if it was in the snapshot before, *former* the feeds' last line on it if
    it was missing then. *twin* is the only new id with the same object number. *digests* has the
    digests of the ids in the snapshot.
    """
    waiting = former.evidence if former else {}
    if found.reason is Reason.MERGED and (after := digests.get(found.to or "")):
        return Change(ChangeType.MOVE, id_, found.to, before, after, evidence=found.document())
    twin = twin or waiting.get("twin")
    repeated = found.reason in _REPEATED and waiting.get("reason") == found.reason
    if found.reason in _PROVEN or (repeated and _is_later(found.at, waiting["at"])):
        proof = found.document(since=waiting.get("at"))
        if twin and twin in digests:
            proof["same"] = "object_number"
            return Change(ChangeType.MOVE, id_, twin, before, digests[twin], evidence=proof)
        return Change(ChangeType.DELETE, id_, before=before, evidence=proof)
    if former and not _is_news(found, waiting):
        return None
    # The address of an unhealthy record redirects to one that the museum does not list.
    proof = found.document(twin=twin, to=found.to)
    return Change(ChangeType.MISSING, id_, before=before, evidence=proof)


def _is_news(found: Evidence, waiting: Mapping[str, Any]) -> bool:
    """Whether *found* needs a new line, although the feeds have one with the evidence *waiting*.

    Within a day, only a received record needs one: it was not absent twice in a row.
    """
    if found.reason == waiting.get("reason"):
        return False
    if found.reason in _CAME:
        return True
    # Those whose request settles nothing would otherwise be requested first for ever.
    unsettled = waiting.get("reason") == Reason.NOT_REQUESTED
    return (found.reason in _REPEATED or unsettled) and _is_later(found.at, waiting.get("at"))


def _is_later(now: str, former: object) -> bool:
    """Whether *now* is long enough after *former* for a second check to prove a deletion."""
    try:
        return datetime.fromisoformat(now) - datetime.fromisoformat(str(former)) >= _PROOF
    except (ValueError, TypeError):
        return False

"""Changes as an IIIF Change Discovery 1.0 collection (https://iiif.io/api/discovery/1.0/)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mplus_crawler.feeds.changes.change import Change, ChangeType

_CONTEXT = "http://iiif.io/api/discovery/1/context.json"
# Remove and Add say that a resource has left the stream, or is back, without a word on deletion.
# A client ignores them unless they name this stream.
_ACTIVITIES = {
    **{type_: type_.value for type_ in ChangeType},
    ChangeType.MISSING: "Remove",
    ChangeType.RESTORE: "Add",
}
_STREAM = {ChangeType.MISSING: "origin", ChangeType.RESTORE: "target"}


def collection(
    changes: Iterable[Change], base: str, ended: str, uri: Callable[[str], str]
) -> dict[str, Any]:
    """Return *changes* until *ended* (ISO 8601) as an ordered collection, whole, on one page.

    *base* is the URI that it is to have; *uri* makes a record's of its id.
    """
    stream = {"id": base, "type": "OrderedCollection"}
    items = [_activity(change, ended, uri, stream) for change in changes]
    page = {"id": f"{base}#page-1", "type": "OrderedCollectionPage"}
    return {
        "@context": _CONTEXT,
        "id": base,
        "type": "OrderedCollection",
        "totalItems": len(items),
        "first": page,
        "last": page,
        "orderedItems": items,
    }


def _activity(
    change: Change, ended: str, uri: Callable[[str], str], stream: dict[str, str]
) -> dict[str, Any]:
    activity: dict[str, Any] = {"type": _ACTIVITIES[change.type], "object": _record(change.id, uri)}
    if change.to:
        activity["target"] = _record(change.to, uri)
    if name := _STREAM.get(change.type):
        activity[name] = stream
    return {**activity, "endTime": ended}


def _record(id_: str, uri: Callable[[str], str]) -> dict[str, str]:
    """Return a reference to a record: JSON, which is no IIIF manifest."""
    return {"id": uri(id_), "type": "Dataset", "format": "application/json"}

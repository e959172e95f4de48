"""Changes in the form of IIIF Change Discovery 1.0 (https://iiif.io/api/discovery/1.0/)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mplus_crawler.feeds.changes.change import Change, ChangeType
from mplus_crawler.feeds.changes.history import ChangeFeed

COLLECTION = "collection.json"
_CONTEXT = {"@context": "http://iiif.io/api/discovery/1/context.json"}
# Remove and Add say that a resource has left the stream, or is back, without a word on deletion.
# A client ignores them unless they name this stream.
_ACTIVITIES = {
    **{type_: type_.value for type_ in ChangeType},
    ChangeType.MISSING: "Remove",
    ChangeType.RESTORE: "Add",
}
_STREAM = {ChangeType.MISSING: "origin", ChangeType.RESTORE: "target"}
_Document = dict[str, Any]
_Uri = Callable[[str], str]  # makes a record's URI of its id


def collection(changes: Iterable[Change], id_: str, ended: str, uri: _Uri) -> _Document:
    """Return *changes* until *ended* (ISO 8601) as one document.

    Activity Streams allow a collection to hold its items; its only page is the document itself.
    """
    items = [_activity(change, ended, uri, id_) for change in changes]
    page = _reference(f"{id_}#page-1", "OrderedCollectionPage")
    return {**_collection(id_, page, page, len(items)), "orderedItems": items}


def documents(feeds: Sequence[ChangeFeed], base: str, uri: _Uri) -> Iterator[tuple[str, _Document]]:
    """Yield the files of a stream that is published at *base*: a page per feed, the collection.

    A page without activities is not valid, so feeds without changes have none. Raises OSError and
    :class:`~.change.ChangeFeedError`.
    """
    id_, total = f"{base}{COLLECTION}", 0
    feeds = [feed for feed in feeds if next(feed.changes(), None)]
    if not feeds:
        return
    names = [f"{feed.header.now['run']}.json" for feed in feeds]
    pages = [_reference(f"{base}{name}", "OrderedCollectionPage") for name in names]
    for number, feed in enumerate(feeds):
        links = {"partOf": _reference(id_, "OrderedCollection")}
        if number:
            links["prev"] = pages[number - 1]
        if number + 1 < len(pages):
            links["next"] = pages[number + 1]
        ended = feed.header.between[1]
        items = [_activity(change, ended, uri, id_) for change in feed.changes()]
        page = {**_CONTEXT, **pages[number], "startIndex": total, **links, "orderedItems": items}
        yield names[number], page
        total += len(items)
    yield COLLECTION, _collection(id_, pages[0], pages[-1], total)


def _collection(id_: str, first: _Document, last: _Document, total: int) -> _Document:
    about = _reference(id_, "OrderedCollection")
    return {**_CONTEXT, **about, "totalItems": total, "first": first, "last": last}


def _activity(change: Change, ended: str, uri: _Uri, stream: str) -> _Document:
    activity: _Document = {"type": _ACTIVITIES[change.type], "object": _record(change.id, uri)}
    if change.to:
        activity["target"] = _record(change.to, uri)
    if name := _STREAM.get(change.type):
        activity[name] = _reference(stream, "OrderedCollection")
    return {**activity, "endTime": ended}


def _record(id_: str, uri: _Uri) -> _Document:
    """Return a reference to a record: JSON, which is no IIIF manifest."""
    return {**_reference(uri(id_), "Dataset"), "format": "application/json"}


def _reference(id_: str, type_: str) -> _Document:
    return {"id": id_, "type": type_}

"""Single records to request: their URIs, and their copies in a feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote, urlsplit

from mplus_crawler.errors import UsageError
from mplus_crawler.protocols.validators import StoredResponse
from mplus_crawler.spiders.dmg.base import uri_of
from mplus_crawler.spiders.dmg.id_lists import RecordReference
from mplus_crawler.storage.sqlite import scratch

_SCHEMA = """
CREATE TABLE requested (place INTEGER PRIMARY KEY, uri TEXT UNIQUE);
CREATE TABLE former (uri TEXT PRIMARY KEY, body BLOB, modified TEXT);
"""


def record_uri(entry: RecordReference, home: str, canonical: Callable[[str], str]) -> str:
    """Return the canonical URI of a record below *home*; raise :class:`UsageError` for other URIs.

    A URL may have a query and a fragment, as browsers show it.
    """
    value = entry.value
    if value.lower().startswith(f"{urlsplit(home).netloc}/"):
        value = f"https://{value}"
    if not value.lower().startswith(("http://", "https://", "www.")):
        return home + quote(value, safe="")
    uri = canonical(value.partition("#")[0].partition("?")[0])
    if not is_record(uri, home):
        raise UsageError(
            f"{entry.where}: {entry.value} is not below {home}; give the record's number or its URI"
        )
    if "%25" in uri:
        return home + quote(_number(entry, uri, home, canonical), safe="")
    return uri


def _number(entry: RecordReference, uri: str, home: str, canonical: Callable[[str], str]) -> str:
    """Return the PID in *uri*, in which ``%25`` may be a per cent sign or part of the PID.

    The museum does not encode PIDs in ``@id``, so an ``@id`` shows the PID itself. Any other URI
    is encoded.
    """
    spelled = uri_of(entry.row.get("record"))
    if spelled and canonical(spelled) == uri:
        kind = home.rstrip("/").rpartition("/")[2]
        return spelled.partition(f"/{kind}/")[2].strip("/").replace("%2F", "/")
    return unquote(uri.rpartition("/")[2])


def is_record(uri: str, home: str) -> bool:
    """Return whether *uri*, which is canonical, is that of a record below *home*."""
    return uri.startswith(home) and "/" not in uri[len(home) :]


class RequestedRecords:
    """The distinct records to request, in the order of the list, in SQLite's temporary database.

    It also holds the records that a former feed has.
    """

    def __init__(self) -> None:
        self._db = scratch(_SCHEMA)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM requested").fetchone()[0])

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._db.execute("SELECT uri FROM requested ORDER BY place"))

    def add(self, uri: str) -> None:
        """Add *uri*, once."""
        self._db.execute("INSERT OR IGNORE INTO requested (uri) VALUES (?)", (uri,))

    def remember(self, uri: str, body: bytes, modified: str) -> None:
        """Store the record *body* of a former feed, last *modified* on that HTTP date."""
        self._db.execute("INSERT OR REPLACE INTO former VALUES (?, ?, ?)", (uri, body, modified))

    def former(self, uri: str) -> StoredResponse | None:
        """Return the record of a former feed."""
        query = "SELECT body, modified FROM former WHERE uri = ?"
        row = self._db.execute(query, (uri,)).fetchone()
        return StoredResponse(row[0], last_modified=row[1]) if row else None


def http_date(modified: object) -> str:
    """Return *modified*, as records write it (without zone: UTC), as an HTTP date, or ""."""
    try:
        moment = datetime.fromisoformat(modified if isinstance(modified, str) else "")
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return format_datetime(zoned.astimezone(UTC), usegmt=True)
    except (ValueError, OverflowError):
        return ""

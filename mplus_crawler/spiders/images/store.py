"""Images on disk: each under the hash of its content, its rights beside it.

``ab/abcdef….jpg`` has ``ab/abcdef….json`` beside it. The rights are written first, so that no
image is ever there without them, and either file is whole or not there.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from mplus_crawler.spiders.images.formats import Format
from mplus_crawler.storage.sqlite import scratch
from mplus_crawler.storage.staging import sweep, write_whole

Use = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """An image on the shelf."""

    sha256: str
    file: str
    bytes: int
    content_type: str

    @property
    def path(self) -> str:
        """Where it is, below the shelf's folder."""
        return f"{self.sha256[:2]}/{self.file}"


# What the file beside an image says of its content; the rest says whose it is.
_CONTENT = ("sha256", "file", "bytes", "content_type")


class ImageStore:
    """The images in *folder*, found by the URL that they were requested under.

    A use says which object shows an image: ``object``, ``url``, ``retrieved_at``, its licence
    and so on. Every method raises OSError when the disk does.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = scratch("CREATE TABLE kept (url TEXT PRIMARY KEY, sidecar TEXT) WITHOUT ROWID")

    def look(self) -> None:
        """See what is there from former crawls, and clear away what they have left unfinished."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            sweep(folder)
        for sidecar in self._folder.glob("[0-9a-f][0-9a-f]/*.json"):
            if read := _read(sidecar):
                self._remember(read[1], sidecar)

    def find(self, url: str) -> tuple[Kept, str] | None:
        """The image that came from *url*, and when it came; ``None`` if it isn't there whole."""
        row = self._db.execute("SELECT sidecar FROM kept WHERE url = ?", (url,)).fetchone()
        if row and (read := _read(Path(row[0]))):
            kept, uses = read
            for use in uses:
                if use["url"] == url and self._is_whole(kept):
                    return kept, use["retrieved_at"]
        return None

    def put(self, body: bytes, form: Format, uses: list[Use]) -> Kept:
        """Put *body* on the shelf, and beside it whose it is."""
        digest = hashlib.sha256(body).hexdigest()
        kept = Kept(digest, f"{digest}.{form.suffix}", len(body), form.content_type)
        self.note(kept, uses)
        if not self._is_whole(kept):
            write_whole(self._folder / kept.path, body)
        return kept

    def note(self, kept: Kept, uses: list[Use]) -> None:
        """Say beside the image whose it is; who is named there already stays."""
        sidecar = (self._folder / kept.path).with_suffix(".json")
        former = _read(sidecar)
        named = {(use["object"], use["url"]): use for use in former[1]} if former else {}
        named |= {(use["object"], use["url"]): use for use in uses}
        if not former or list(named.values()) != former[1]:
            first, *also = named.values()
            document = {**first, **asdict(kept), "also": also}
            write_whole(sidecar, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        self._remember(uses, sidecar)

    def _remember(self, uses: list[Use], sidecar: Path) -> None:
        rows = [(use["url"], str(sidecar)) for use in uses]
        self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)

    def _is_whole(self, kept: Kept) -> bool:
        try:
            with (self._folder / kept.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == kept.sha256
        except FileNotFoundError:
            return False


def _read(sidecar: Path) -> tuple[Kept, list[Use]] | None:
    """The image and its uses, by the file beside it; ``None`` where that is damaged or missing."""
    try:
        first = orjson.loads(sidecar.read_bytes())
        kept = Kept(**{name: first.pop(name) for name in _CONTENT})
        uses = [*first.pop("also"), first]
        if kept.file.partition(".")[0] != sidecar.stem or kept.sha256 != sidecar.stem:
            return None
        for use in uses:
            _ = use["object"], use["url"], use["retrieved_at"]
        return kept, [uses[-1], *uses[:-1]]
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None

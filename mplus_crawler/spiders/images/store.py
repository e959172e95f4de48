"""The image store: files named by the hash of their content, each with its rights.

``ab/abcdef….jpg`` belongs to ``ab/abcdef….json``. The rights are written first, so no image is
ever stored without them, and each file is complete or absent.
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
class StoredImage:
    """An image in the store."""

    sha256: str
    file: str
    bytes: int
    content_type: str

    @property
    def path(self) -> str:
        """The file's path below the store's folder."""
        return f"{self.sha256[:2]}/{self.file}"


# The keys of a sidecar that describe the content; the others describe its uses.
_CONTENT = ("sha256", "file", "bytes", "content_type")


class ImageStore:
    """The images in *folder*, found by the URL of their request.

    A use names an object that shows the image: ``object``, ``url``, ``retrieved_at``, its licence
    and so on. Every method may raise OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = scratch("CREATE TABLE stored (url TEXT PRIMARY KEY, sidecar TEXT) WITHOUT ROWID")

    def load(self) -> None:
        """Find the images of former crawls, and delete their unfinished files."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            sweep(folder)
        for sidecar in self._folder.glob("[0-9a-f][0-9a-f]/*.json"):
            if read := _read(sidecar):
                self._remember(read[1], sidecar)

    def find(self, url: str) -> tuple[StoredImage, str] | None:
        """Return the image from *url* and its time; ``None`` if it is missing or damaged."""
        row = self._db.execute("SELECT sidecar FROM stored WHERE url = ?", (url,)).fetchone()
        if row and (read := _read(Path(row[0]))):
            stored, uses = read
            for use in uses:
                if use["url"] == url and self._is_whole(stored):
                    return stored, use["retrieved_at"]
        return None

    def put(self, body: bytes, form: Format, uses: list[Use]) -> StoredImage:
        """Store *body* and its *uses*."""
        digest = hashlib.sha256(body).hexdigest()
        stored = StoredImage(digest, f"{digest}.{form.suffix}", len(body), form.content_type)
        self.add_uses(stored, uses)
        if not self._is_whole(stored):
            write_whole(self._folder / stored.path, body)
        return stored

    def add_uses(self, stored: StoredImage, uses: list[Use]) -> None:
        """Add *uses* to the image's sidecar."""
        sidecar = (self._folder / stored.path).with_suffix(".json")
        former = _read(sidecar)
        merged = {(use["object"], use["url"]): use for use in former[1]} if former else {}
        merged |= {(use["object"], use["url"]): use for use in uses}
        if not former or list(merged.values()) != former[1]:
            first, *also = merged.values()
            document = {**first, **asdict(stored), "also": also}
            write_whole(sidecar, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        self._remember(uses, sidecar)

    def _remember(self, uses: list[Use], sidecar: Path) -> None:
        rows = [(use["url"], str(sidecar)) for use in uses]
        self._db.executemany("INSERT OR REPLACE INTO stored VALUES (?, ?)", rows)

    def _is_whole(self, stored: StoredImage) -> bool:
        try:
            with (self._folder / stored.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == stored.sha256
        except FileNotFoundError:
            return False


def _read(sidecar: Path) -> tuple[StoredImage, list[Use]] | None:
    """Return the image and its uses from *sidecar*; ``None`` if that is damaged or missing."""
    try:
        first = orjson.loads(sidecar.read_bytes())
        stored = StoredImage(**{name: first.pop(name) for name in _CONTENT})
        uses = [*first.pop("also"), first]
        if stored.file.partition(".")[0] != sidecar.stem or stored.sha256 != sidecar.stem:
            return None
        for use in uses:
            _ = use["object"], use["url"], use["retrieved_at"]
        return stored, [uses[-1], *uses[:-1]]
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None

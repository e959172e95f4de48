"""Images by their first bytes: what a server calls an image may be a page that says no."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A format of raster images: its media type, and the ending of its files."""

    content_type: str
    suffix: str


_FORMATS = (
    (rb"\xff\xd8\xff", Format("image/jpeg", "jpg")),
    (rb"\x89PNG\r\n\x1a\n", Format("image/png", "png")),
    (rb"GIF8[79]a", Format("image/gif", "gif")),
    (rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+", Format("image/tiff", "tif")),
    (rb"RIFF....WEBP", Format("image/webp", "webp")),
    (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", Format("image/jp2", "jp2")),
)


class NotAnImageError(Exception):
    """What came is no image; says what it is."""


def read_format(content_type: str, body: bytes) -> Format:
    """The format of *body*, which came as *content_type*; raises :class:`NotAnImageError`."""
    named = content_type.partition(";")[0].strip().lower()
    if not named.startswith("image/"):
        raise NotAnImageError(f"it is no image but {named or 'of no type'}")
    if not body:
        raise NotAnImageError("it is empty")
    for magic, found in _FORMATS:
        if re.match(magic, body, re.DOTALL):
            return found
    raise NotAnImageError(
        f"it is called {named}, but is no JPEG, PNG, GIF, TIFF, WebP or JPEG 2000"
    )

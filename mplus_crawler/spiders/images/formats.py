"""Image formats by their first bytes: an error page may come with an image's media type."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A raster image format: its media type and file suffix."""

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
    """The response is not an image; the message says what it is."""


def read_format(content_type: str, body: bytes) -> Format:
    """Return the format of *body*, sent as *content_type*; raise :class:`NotAnImageError`."""
    stated = content_type.partition(";")[0].strip().lower()
    if not stated.startswith("image/"):
        raise NotAnImageError(f"not an image but {stated or 'without a media type'}")
    if not body:
        raise NotAnImageError("empty body")
    for magic, found in _FORMATS:
        if re.match(magic, body, re.DOTALL):
            return found
    raise NotAnImageError(f"sent as {stated}, but not JPEG, PNG, GIF, TIFF, WebP or JPEG 2000")

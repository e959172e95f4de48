"""Image URLs: the IIIF Image API's template, and when two of them are of one image.

https://iiif.io/api/image/3.0/#21-image-request-uri-syntax
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from w3lib.url import canonicalize_url

# …/{region}/{size}/{rotation}/{quality}.{format}
_TEMPLATE = re.compile(
    r"(?P<image>.+)/(?P<region>full|square|(?:pct:)?[\d.]+(?:,[\d.]+){3})/(?P<size>[^/]+)"
    r"/(?P<rest>!?[\d.]+/(?:default|native|color|grey|gray|bitonal)\.\w+)",
)
_SIZE = re.compile(r"full|max|thm|(?P<width>\d{1,5}),?|!\d{1,5},\d{1,5}")


def read_size(text: str) -> str:
    """A size as the API writes it; a bare width gets its comma. ValueError where it is none."""
    if not (size := _SIZE.fullmatch(text)):
        raise ValueError("write full, max, thm, a width such as 800, or !WIDTH,HEIGHT")
    return f"{size['width']}," if size["width"] else text


def resized(url: str, size: str | None) -> str:
    """*url* asking for *size*, where it is one of the IIIF Image API; as it is without a size."""
    path, mark, query = url.partition("?")
    if size is None or not (asked := _TEMPLATE.fullmatch(path)):
        return url
    return f"{asked['image']}/{asked['region']}/{size}/{asked['rest']}{mark}{query}"


@lru_cache(maxsize=1024)  # a record names each of its images several times
def image_key(url: str) -> str:
    """What is the same for all URLs of one image, whatever size, scheme or spelling they have.

    ValueError where *url* is no URL.
    """
    split = urlsplit(canonicalize_url(url.strip()))
    port = split.port if split.port not in (80, 443) else None
    asked = _TEMPLATE.fullmatch(split.path)
    path = asked["image"] if asked else split.path
    host = (split.hostname or split.netloc).rstrip(".")
    return f"{host}:{port or ''}{path}{'?' if split.query else ''}{split.query}"

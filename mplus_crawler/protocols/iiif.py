"""Image URLs: the IIIF Image API's template, and a key that identifies an image.

https://iiif.io/api/image/3.0/#21-image-request-uri-syntax
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from w3lib.url import canonicalize_url

from mplus_crawler.protocols.uris import normalized

# …/{region}/{size}/{rotation}/{quality}.{format}
_TEMPLATE = re.compile(
    r"(?P<image>.+)/(?P<region>full|square|(?:pct:)?[\d.]+(?:,[\d.]+){3})/(?P<size>[^/]+)"
    r"/(?P<rest>!?[\d.]+/(?:default|native|color|grey|gray|bitonal)\.\w+)",
)
_SIZE = re.compile(r"full|max|thm|(?P<width>\d{1,5}),?|!\d{1,5},\d{1,5}")


def read_size(text: str) -> str:
    """Return a size in the API's syntax: a width gets its comma. Raise ValueError otherwise."""
    if not (size := _SIZE.fullmatch(text)):
        raise ValueError("use full, max, thm, a width such as 800, or !WIDTH,HEIGHT")
    return f"{size['width']}," if size["width"] else text


def resized(url: str, size: str | None) -> str:
    """Return *url* with *size* if it is an IIIF Image API URL; unchanged otherwise."""
    path, mark, query = url.partition("?")
    if size is None or not (parts := _TEMPLATE.fullmatch(path)):
        return url
    return f"{parts['image']}/{parts['region']}/{size}/{parts['rest']}{mark}{query}"


@lru_cache(maxsize=1024)  # a record names each of its images several times
def image_key(url: str) -> str:
    """Return a key that all URLs of one image share, whatever their size, scheme or spelling.

    Raise ValueError if *url* is not a URL.
    """
    split = urlsplit(canonicalize_url(normalized(url.strip())))
    port = split.port if split.port not in (80, 443) else None
    parts = _TEMPLATE.fullmatch(split.path)
    path = parts["image"] if parts else split.path
    host = (split.hostname or split.netloc).rstrip(".")
    return f"{host}:{port or ''}{path}{'?' if split.query else ''}{split.query}"

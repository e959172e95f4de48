"""Images of objects: their addresses, their rights, and the pictures themselves."""

from __future__ import annotations

from urllib.parse import urljoin
from zlib import compress, crc32

from mplus_crawler.sandbox.dmg.data import Collection, ObjectRow
from mplus_crawler.sandbox.dmg.responses import page_of_html
from mplus_crawler.sandbox.dmg.routes import IMAGES
from mplus_crawler.sandbox.facts.dmg import FACTS, URI, WORDS, Json
from mplus_crawler.sandbox.responses import Response

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# One grey point: width and height 1, eight bits, greyscale.
_HEAD = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"


def representation(rows: Collection, row: ObjectRow, number: int) -> Json:
    """Return an image of an object's record, on this server if links are local."""
    host = URI["old_image"] if row.key % 4 == 0 else URI["image"]
    if rows.base:
        host = urljoin(rows.base, IMAGES)
    address = f"{host}{row.pid.encode().hex()}{number}.jpg/full"
    return {
        "@id": f"{address}/full/0/default.jpg",
        "@type": "crm:E38_Image",
        "thumbnail": f"{address}/400,/0/default.jpg",
    }


def rights(number: int) -> Json:
    """Return the rights of an image, which the museum sends for dominant colours only."""
    licences = FACTS["licence"]["images"]
    right = {"@id": licences[number % len(licences)], "@type": "crm:E30_Right"}
    return {"crm:P3_has_note": WORDS["attribution"], "crm:P104_is_subject_to": right}


def has_rights(rows: Collection, row: ObjectRow, number: int) -> bool:
    """Return whether this image has its rights in the object's record, too."""
    return crc32(f"{row.pid}/{number}".encode()) < rows.rights * 2**32


def picture(rows: Collection, path: str) -> Response:
    """Return the picture at *path*; each image and size has different bytes."""
    name, _, size = path.partition("/")
    stem = name.removesuffix(".jpg")
    try:
        pid, number = bytes.fromhex(stem[:-1]).decode(), int(stem[-1:])
    except ValueError:
        pid, number = "", 0
    key = rows.listings["private_objects"].find(pid)
    if key is None or number >= rows.object(key).images or size.count("/") != 3:
        return page_of_html(404, "Image not found")
    body = _chunk(b"IHDR", _HEAD) + _chunk(b"tEXt", b"Comment\0" + path.encode())
    body += _chunk(b"IDAT", compress(b"\0\x80")) + _chunk(b"IEND", b"")
    return Response(200, _SIGNATURE + body, {"Content-Type": "image/png"})


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + name + data + crc32(name + data).to_bytes(4)

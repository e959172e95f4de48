"""IIIF manifests: what they say of the rights of images, where the museum's record says nothing.

Presentation API 2 (https://iiif.io/api/presentation/2.1/) and 3. Only what is said of an image
itself counts: the licence of a manifest is that of the manifest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
from scrapy import Request
from scrapy.crawler import Crawler

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component
from mplus_crawler.museum.contract import Museum
from mplus_crawler.protocols.iiif import image_key
from mplus_crawler.records.batch import SEVERAL, Loss, Records, Row
from mplus_crawler.spiders.dmg.cidoc.jsonld import (
    Node,
    as_list,
    each,
    first,
    nodes,
    statement,
    text,
    unique,
)

# By the image's key, the licences and the attributions that a manifest states.
Stated = dict[str, tuple[list[Any], list[Any]]]


class ManifestError(Exception):
    """A manifest that cannot be had; says why."""


def read_manifest(body: bytes) -> Stated:
    """What the manifest *body* says of each image; raises ValueError where it is none."""
    manifest = orjson.loads(body)
    if not isinstance(manifest, dict):
        raise ValueError("no JSON object")
    canvases = each(nodes(manifest, "sequences"), "canvases") + nodes(manifest, "items")
    stated: Stated = {}
    for annotation in each(canvases, "images") + each(each(canvases, "items"), "items"):
        for image in nodes(annotation, "resource") + nodes(annotation, "body"):
            if key := _key(image.get("@id") or image.get("id")):
                licences, thanks = stated.setdefault(key, ([], []))
                licences += _all((annotation, image), ("license", "rights"))
                thanks += _all((annotation, image), ("attribution", "requiredStatement"))
    return stated


def fill_in(row: Row, stated: Stated) -> None:
    """Say of the images in *row* that have no licence what is *stated* of them."""
    for image in row["image_rights"]:
        licences, thanks = stated.get(_key(image["image"]), ([], []))
        if licences and not image["licence_uri"]:
            image["licence_uri"] = SEVERAL.join(unique(map(statement, licences)))
            image["attribution"] = image["attribution"] or first(map(_credit, thanks))
            image["source"] = "manifest"


class ManifestPipeline(Component):
    """Asks for the manifests of objects whose images have no licence, if that is wanted.

    Their hosts are slow and often answer nothing at all: an image then stays without a licence,
    the certificate says how many manifests could not be had, and nothing else changes.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._census = Census.of(crawler)

    def open_spider(self) -> None:
        """See whether manifests are wanted."""
        self._spider = Museum.of(self._crawler)
        self._wanted = self._spider.arguments.get("manifests") == "true"

    async def process_item(self, item: Records | Loss) -> Records | Loss:
        """*item*, with what the manifests say of its rows' images."""
        if self._wanted and isinstance(item, Records):
            await asyncio.gather(*(self._look_up(row) for row in item.rows if _lacks(row)))
        return item

    async def _look_up(self, row: Row) -> None:
        try:
            fill_in(row, await self._manifest(row["iiif_manifest"]))
        except ManifestError as reason:
            if not self._census.ended and self._crawler.crawling:
                self._census.note(f"a IIIF manifest was not read: {reason}")

    async def _manifest(self, url: str) -> Stated:
        if not self._spider.allows_elsewhere(url):
            raise ManifestError("its address is none that may be asked")
        request = Request(url, meta={"third_party": True, "max_retry_times": 1})
        try:
            response = await self._crawler.engine.download_async(request)
        except Exception:  # a connection may end in many ways, a redirect anywhere
            raise ManifestError("its host gave no answer") from None
        if response.status != 200:
            raise ManifestError(f"its host answered {response.status}")
        try:
            return read_manifest(response.body)
        except (ValueError, RecursionError):
            raise ManifestError("it is no manifest") from None


def _lacks(row: Row) -> bool:
    """Whether *row* has a manifest, and an image that no licence is known of."""
    images = row.get("image_rights") or ()
    return bool(row.get("iiif_manifest")) and not all(one["licence_uri"] for one in images)


def _key(url: Any) -> str:
    try:
        return image_key(url) if isinstance(url, str) else ""
    except ValueError:
        return ""


def _all(some: Iterable[Node], names: tuple[str, ...]) -> list[Any]:
    values = [value for node in some for name in names for value in as_list(node.get(name))]
    return [value for value in values if value != ""]


def _credit(value: Any) -> str | None:
    """An attribution: plain, with a language, or version 3's label and value."""
    if isinstance(value, dict) and isinstance(said := value.get("value"), dict):
        return first(map(text, said.values()))
    return text(value)

"""IIIF manifests: the rights of images whose licence is missing from the museum's record.

Presentation API 2 (https://iiif.io/api/presentation/2.1/) and 3. Only statements about an image
itself count: the licence of a manifest covers the manifest only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component
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

# The licences and attributions that a manifest states, by the image's key.
Stated = dict[str, tuple[list[Any], list[Any]]]


class ManifestError(Exception):
    """A manifest that cannot be read; the message says why."""


def read_manifest(body: bytes) -> Stated:
    """Return what the manifest *body* states about each image; raise ValueError if it is none."""
    manifest = orjson.loads(body)
    if not isinstance(manifest, dict):
        raise ValueError("not a JSON object")
    canvases = each(nodes(manifest, "sequences"), "canvases") + nodes(manifest, "items")
    stated: Stated = {}
    for annotation in each(canvases, "images") + each(each(canvases, "items"), "items"):
        for image in nodes(annotation, "resource") + nodes(annotation, "body"):
            if key := _key(image.get("@id") or image.get("id")):
                licences, attributions = stated.setdefault(key, ([], []))
                licences += _all((annotation, image), ("license", "rights"))
                attributions += _all((annotation, image), ("attribution", "requiredStatement"))
    return stated


def fill_in(row: Row, stated: Stated) -> None:
    """Fill in what is *stated* about the images in *row* that have no licence."""
    for image in row["image_rights"]:
        licences, attributions = stated.get(_key(image["image"]), ([], []))
        if licences and not image["licence_uri"]:
            image["licence_uri"] = SEVERAL.join(unique(map(statement, licences)))
            image["attribution"] = image["attribution"] or first(map(_credit, attributions))
            image["source"] = "manifest"


class ManifestPipeline(Component):
    """Requests the manifests of objects whose images have no licence (``-a manifests=true``).

    Their hosts are slow and often do not respond: the image then has no licence, and the
    certificate counts the manifests that were not read.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        if self._museum.arguments.get("manifests") != "true":
            raise NotConfigured
        self._census = Census.of(crawler)

    async def process_item(self, item: Records | Loss) -> Records | Loss:
        """Return *item*, its images completed from manifests."""
        if isinstance(item, Records):
            await asyncio.gather(*(self._look_up(row) for row in item.rows if _lacks(row)))
        return item

    async def _look_up(self, row: Row) -> None:
        try:
            fill_in(row, await self._manifest(row["iiif_manifest"]))
        except ManifestError as reason:
            if not self._census.ended and self._crawler.crawling:
                self._census.note(f"a IIIF manifest was not read: {reason}")

    async def _manifest(self, url: str) -> Stated:
        if not self._museum.allows_elsewhere(url):
            raise ManifestError("its address may not be requested")
        request = Request(url, meta={"third_party": True, "max_retry_times": 1})
        try:
            response = await self._crawler.engine.download_async(request)
        except Exception:  # connections fail in many ways
            raise ManifestError("no response") from None
        if response.status != 200:
            raise ManifestError(f"its host responded with {response.status}")
        try:
            return read_manifest(response.body)
        except (ValueError, RecursionError):
            raise ManifestError("not a manifest") from None


def _lacks(row: Row) -> bool:
    """Whether *row* has a manifest and an image without a licence."""
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
    """Return an attribution: text, text with a language, or version 3's label and value."""
    if isinstance(value, dict) and isinstance(texts := value.get("value"), dict):
        return first(map(text, texts.values()))
    return text(value)

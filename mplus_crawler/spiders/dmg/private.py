"""The private stream: every object in the museum's registers, for holders of a key."""

from __future__ import annotations

from typing import ClassVar

from w3lib.url import url_query_cleaner

from mplus_crawler.spiders.arguments import text, yes
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns
from mplus_crawler.spiders.dmg.collections import labels
from mplus_crawler.spiders.dmg.paging import CollectionSpider


class PrivateObjectsSpider(CollectionSpider):
    """All objects in the museum's registers, for holders of a key."""

    name = "private_objects"
    kind = "object"
    flatten = staticmethod(object_columns)
    path = "id/private/objects"
    keyed = True
    private = True
    in_harvest = False
    # Most have no separate page.
    single = False
    # The rest of what the API's description lists is ignored here.
    filters: ClassVar = {
        "q": text,
        "color": labels,
        "cssColor": labels,
        "colors": yes,
        "hasImages": yes,
    }

    def carry(self, url: str) -> str:
        """Return a link without a key in its query; the museum would prefer it to the header."""
        return url_query_cleaner(super().carry(url), ("apiKey",), remove=True)

"""One harvest of every kind of record that both museums have, from the sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.facts.dmg import FACTS
from mplus_crawler.settings import SPIDER_MODULES
from tests.conftest import Scrapy, limit
from tests.fixtures.mplus import PUBLISHED

GENT = (
    *("objects", "agents", "exhibitions", "concepts"),
    *("types", "materials", "nationalities", "roles", "production", "colors", "dcat"),
    *("private_objects", "v1_objects", "v1_agents", "v1_exhibitions", "v1_concepts"),
)
MPLUS = ("mplus_objects", "mplus_constituents", "mplus_exhibitions", "mplus_terms")
PUBLISHED_SET = ("mplus_open_objects", "mplus_open_constituents")
SPIDERS = (*GENT, "images", *MPLUS, *PUBLISHED_SET)
# More requests a second than the museums grant, so that nobody waits.
_CALLS = limit(1000, 1, "calls")
_IMAGES = (
    '[images]\nlimits = [{ requests = 5000, seconds = 1 }]\nsource = "the test"\n'
    "checked = 2026-11-22\n"
)

Feeds = Mapping[str, Path]


def harvest(scrapy: Scrapy) -> Feeds:
    """Harvest every kind; return the snapshot of each spider by the spider's name."""
    folder = scrapy.folder / "data"
    scrapy.policy(_CALLS, "mplus")
    scrapy.policy(_IMAGES)
    options: dict[str, Any] = {"limits": "off", "links": "local", "v1": "live", "rights": 0.5}
    arguments = dict.fromkeys(PUBLISHED_SET, f"source={PUBLISHED}")
    arguments["images"] = f"feed={folder / 'objects.jsonl'}"
    rows = {"objects": 400, "agents": 80, "exhibitions": 40, "concepts": 60}
    with Sandbox(**options, **rows, invalid=0) as museum:
        scrapy.environment |= {
            "DMG_BASE_URL": museum.base_url,
            "DMG_API_KEY": FACTS["private_key"],
            "MPLUS_URL": museum.mplus_url,
            "MPLUS_API_KEY": "key-of-the-test",
        }
        for spider in SPIDERS:
            given = ("-a", arguments[spider]) if spider in arguments else ()
            crawl = scrapy.crawl(spider, *given)
            assert crawl.code == 0, (spider, crawl.err)
    return {spider: folder / f"{spider}.jsonl" for spider in SPIDERS}


def rows(feed: Path) -> list[dict[str, Any]]:
    """The records of a snapshot."""
    return [json.loads(line) for line in feed.read_text("utf-8").splitlines()]


def spider_kind(name: str) -> str:
    """The kind of item, by its schema's name, that the spider *name* gives."""
    kind: str = SpiderLoader(Settings({"SPIDER_MODULES": SPIDER_MODULES})).load(name).kind  # type: ignore[attr-defined]
    return kind

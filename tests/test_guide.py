"""What ``--help`` and ``scrapy spiders`` say about the spiders."""

from __future__ import annotations

import pytest
from scrapy.settings import Settings

from mplus_crawler.cli.guide import arguments, overview
from mplus_crawler.settings import SPIDER_MODULES
from mplus_crawler.spiders.base import MuseumSpider
from tests.conftest import Scrapy
from tests.readme_tables import arguments_of, spider_classes

SETTINGS = Settings({"HARVEST_DIR": "data", "SPIDER_MODULES": SPIDER_MODULES})


@pytest.mark.parametrize("cls", spider_classes(), ids=lambda cls: cls.name)
def test_help_explains_each_argument_of_a_spider(cls: type[MuseumSpider]) -> None:
    lines = list(arguments(cls, SETTINGS))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert cls.summary() in " ".join(text.split())
    start, end = lines.index("Arguments, each after -a:"), lines.index("Output:")
    explained = [line.split("=")[0].strip() for line in lines[start:end] if line[2:3].strip()]
    assert explained[1:] == arguments_of(cls)
    assert "=VALUE " not in text


def test_the_overview_has_every_spider_with_its_arguments() -> None:
    lines = list(overview(spider_classes(), SETTINGS))
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for cls in spider_classes():
        own = [name for name in arguments_of(cls) if name not in ("fresh", "accept")]
        takes = f" takes {', '.join(own)}" if own else ""
        assert f" {cls.name} {cls.summary()}{takes}" in text
    assert [line for line in lines if line[0] not in " `A"] == [
        "Design Museum Gent (scrapy harvest dmg)",
        "M+ (scrapy harvest mplus)",
        "M+ (scrapy harvest mplus_open)",
    ]


def test_the_commands_print_it(scrapy: Scrapy) -> None:
    shown = scrapy.run("crawl", "agents", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("usage: scrapy crawl agents [-a NAME=VALUE]")
    assert "nationality=TERM" in shown.stdout
    assert "hasImages" not in shown.stdout
    assert "usage: scrapy crawl [options] SPIDER" in scrapy.run("crawl", "-h").stdout
    some = scrapy.run("spiders", "types", "roles").stdout
    assert ("Roles of agents" in some, "objects  " in some) == (True, False)

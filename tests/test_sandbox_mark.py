"""Data of the sandbox never pass for a museum's."""

from __future__ import annotations

from collections.abc import Callable

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.wire import RawResponse, get, serving

NOTE = " (invented data of the sandbox)"
SMALL = {"invalid": 0, "objects": 20, "agents": 3, "exhibitions": 3, "concepts": 3}


def test_every_record_says_that_it_is_invented(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(**SMALL)
    scrapy.at(sandbox).policy(limit(1_000_000, 1))
    scrapy.environment |= {"MPLUS_URL": sandbox.mplus_url, "MPLUS_API_KEY": "key"}
    for spider, source in (("objects", "Design Museum Gent"), ("mplus_terms", "M+")):
        crawl = scrapy.crawl(spider)
        assert crawl.code == 0, crawl.err
        assert {row["source"] for row in crawl.records} == {f"{source}{NOTE}"}
        assert all(row["attribution"].endswith(NOTE) for row in crawl.records)
        assert crawl.certificate["source"] == f"{source}{NOTE}"
        assert f"  source: {source}{NOTE}" in crawl.err.splitlines()
        assert scrapy.run("verify", str(crawl.folder / f"{spider}.jsonl")).returncode == 0
    text = (scrapy.folder / "data" / "ATTRIBUTION.md").read_text()
    assert f"## Design Museum Gent{NOTE}: objects" in text
    assert crawl.certificate["api"] == f"{sandbox.mplus_url}/"


def test_a_server_without_the_header_is_the_museum(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(**SMALL, links="local")
    origin = sandbox.base_url.removesuffix("v2/")
    marked: list[tuple[str, str]] = []

    def proxied(path: str) -> RawResponse:
        body = get(f"{origin}{path.removeprefix('/')}").replace(
            origin.encode(), server.base_url.removesuffix("v2/").encode()
        )
        return 200, [("Content-Type", "application/ld+json"), *marked], body

    with serving(proxied) as server:
        scrapy.policy(limit(1_000_000, 1)).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("concepts")
        assert crawl.code == 0, crawl.err
        assert crawl.certificate["source"] == "Design Museum Gent"
        assert {row["source"] for row in crawl.records} == {"Design Museum Gent"}
        marked.append(("sandbox", "yes"))
        assert scrapy.crawl("concepts").certificate["source"] == f"Design Museum Gent{NOTE}"


def test_a_museum_cannot_be_marked(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(**SMALL)
    own = f'base_url = "{sandbox.base_url}"\nuri_base = "https://data.designmuseumgent.be/v2/"\n'
    scrapy.policy(own + limit(1_000_000, 1))
    crawl = scrapy.crawl("concepts")
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["source"] == "Design Museum Gent"


def test_a_harvest_is_from_one_of_them(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(**SMALL | {"concepts": 30})
    marked: list[tuple[str, str]] = []

    def turning(path: str) -> RawResponse:
        body = get(f"{sandbox.base_url.removesuffix('/v2/')}{path}")
        headers = [("Content-Type", "application/ld+json"), *marked]
        marked[:] = [("Sandbox", "yes")]
        return 200, headers, body

    with serving(turning) as server:
        scrapy.policy(limit(1_000_000, 1)).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("concepts", "-a", "page_size=10", "-s", "LOOKAHEAD=1")
    assert crawl.code == 1, crawl.err
    assert "some responses come from the sandbox and some do not" in crawl.err

"""``scrapy report``: one page, self-contained, the same each time, harmless whatever is in it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsel import Selector
from scrapy.utils.project import get_project_settings

from mplus_crawler.datasets.description import Description
from mplus_crawler.datasets.making import make_report
from mplus_crawler.datasets.package import describe
from mplus_crawler.datasets.report import drawing
from mplus_crawler.datasets.report.page import report
from mplus_crawler.datasets.report.words import day, listed, share
from mplus_crawler.datasets.snapshots import kinds, read_snapshots
from mplus_crawler.errors import HarvestError
from tests.conftest import Scrapy
from tests.every_kind import Feeds, rows

NOW = datetime(2026, 11, 22, tzinfo=UTC)  # before any harvest of the tests
PERMITTED = "https://creativecommons.org/publicdomain/zero/1.0/"
HOST = "https://api.collectie.gent"
HOSTS = [HOST, "https://beeldbank-temp.stad.gent"]  # the policy's
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def harvests(feeds: Feeds) -> Path:
    """HARVEST_DIR with a snapshot of every kind."""
    return feeds["objects"].parent


def described(harvests: Path, work: Path, museum: str = "dmg") -> Description:
    """The description of *museum*'s snapshots, copied to *work*."""
    settings = get_project_settings()
    settings.set("HARVEST_DIR", str(harvests))
    every = kinds(settings, museum)
    work.mkdir(parents=True, exist_ok=True)
    return describe(museum, every, read_snapshots(settings, every, work, NOW), withhold=False)


def page_with(about: Description, work: Path, change: Change) -> str:
    """The page about *about* with each object changed by *change*."""
    objects = next(one for one in about.snapshots if one.kind.spider == "objects")
    records = rows(objects.feed)
    for record in records:
        change(record)
    changed = work / "changed.jsonl"
    changed.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    others = [one for one in about.snapshots if one is not objects]
    snapshots = [dataclasses.replace(objects, feed=changed), *others]
    return report(dataclasses.replace(about, snapshots=snapshots)).decode()


@pytest.fixture(scope="module")
def about(harvests: Path, tmp_path_factory: pytest.TempPathFactory) -> Description:
    """What Gent's report is about."""
    return described(harvests, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(about: Description) -> str:
    """Gent's report."""
    return report(about).decode()


def test_the_command_writes_the_page_into_the_harvests_folder(
    harvests: Path, scrapy: Scrapy
) -> None:
    target = harvests / "mplus.report.html"
    done = scrapy.run("report", "mplus", HARVEST_DIR=str(harvests))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(target) in done.stdout
    assert "delete by" in done.stdout
    text = target.read_text("utf-8")
    assert "M+" in Selector(text).css("h1::text").get("")
    assert "wants these records refreshed or deleted after 14 days" in text


@pytest.mark.parametrize("museum", ["dmg", "mplus", "mplus_open"])
def test_the_same_snapshots_give_the_same_page(harvests: Path, tmp_path: Path, museum: str) -> None:
    pages = {
        report(described(harvests, tmp_path / folder, museum)) for folder in ("one", "another")
    }
    assert len(pages) == 1
    assert len(pages.pop()) < 1_000_000


def test_every_number_of_the_harvests_is_in_the_page(about: Description, page: str) -> None:
    totals = Selector(page).css("dl.totals dd::text").getall()
    assert sorted(totals) == sorted(f"{one.certificate['unique']:,}" for one in about.snapshots)
    lines = Selector(page).css("section[aria-labelledby=harvest] tbody tr")
    assert len(lines) == len(about.snapshots)
    assert all(line.css("td.verdict::text").get() == "complete" for line in lines)


def test_the_figures_are_those_of_the_feed(harvests: Path, page: str) -> None:
    records = rows(harvests / "objects.jsonl")
    decades = [record["date_begin"] // 10 * 10 for record in records if record["date_begin"]]
    table = Selector(page).css("section[aria-labelledby=objects] details tbody tr")
    counts = {
        row.css("th::text").get(""): int(row.css("td::text").get("").replace(",", ""))
        for row in table
    }
    assert sum(counts.values()) == len(decades)
    assert counts[f"{max(decades)}s"] == decades.count(max(decades))
    chart = Selector(page).xpath("//h3[text()='What they are']/following-sibling::table[1]")
    value, count = chart.css("tbody tr")[0].css("bdi::text, td.number::text").getall()
    assert int(count) == sum(value in record["types"] for record in records)


def test_a_page_without_pictures_loads_nothing(page: str) -> None:
    selector = Selector(page)
    assert not selector.css("img, script, iframe, object, embed, link, video, audio, form, base")
    assert not selector.xpath("//@src | //@style | //@srcset | //@onclick")
    assert _directives(page) == {
        "default-src": ["'none'"],
        "style-src": [_hash(selector.css("style::text").get(""))],
        "img-src": HOSTS,
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    assert "url(" not in page
    assert "@import" not in page


def _directives(page: str) -> dict[str, list[str]]:
    policy = Selector(page).css("meta[http-equiv=Content-Security-Policy]::attr(content)").get("")
    parts = [part.split() for part in policy.split(";")]
    return {part[0]: part[1:] for part in parts}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _image(address: str, licence: str | None) -> Change:
    def change(record: dict[str, Any]) -> None:
        record["image"], record["images"] = address, [address]
        record["image_licence"] = record["image_licence_uri"] = licence
        stated = {"image": address, "licence": licence, "licence_uri": licence}
        record["image_rights"] = [{**stated, "attribution": None, "source": None}]

    return change


def test_permitted_pictures_are_links_until_they_are_clicked(
    about: Description, tmp_path: Path
) -> None:
    page = page_with(about, tmp_path, _image(f"{HOST}/iiif/1.jpg", PERMITTED))
    selector = Selector(page)
    links = selector.css("ul.pictures a[data-picture]")
    assert len(links) == 12
    assert {link.attrib["href"] for link in links} == {f"{HOST}/iiif/1.jpg"}
    assert all("Public Domain" in credit for credit in selector.css(".pictures .quiet").getall())
    directives = _directives(page)
    assert directives["img-src"] == HOSTS
    assert directives["script-src"] == [_hash(selector.css("script::text").get(""))]
    assert not selector.css("img")


@pytest.mark.parametrize(
    ("address", "licence"),
    [
        (f"{HOST}/1.jpg", None),
        (f"{HOST}/1.jpg", "https://rightsstatements.org/vocab/InC/1.0/"),
        (f"{HOST}/1.jpg", "https://creativecommons.org/licenses/by-nc-nd/4.0/"),
        (f"{HOST}/1.jpg", "https://example.org/free"),
        ("https://elsewhere.example/1.jpg", PERMITTED),
        (f"{HOST}.example/1.jpg", PERMITTED),
        (f"{HOST}:8443/1.jpg", PERMITTED),
        ("http://api.collectie.gent/1.jpg", PERMITTED),
        ("javascript:alert(1)//api.collectie.gent", PERMITTED),
        ("https://user@elsewhere.example#api.collectie.gent", PERMITTED),
        ("https://[broken", PERMITTED),
    ],
)
def test_other_pictures_are_not_shown(
    about: Description, tmp_path: Path, address: str, licence: str | None
) -> None:
    page = page_with(about, tmp_path, _image(address, licence))
    assert not Selector(page).css("[data-picture]")
    assert _directives(page)["img-src"] == HOSTS
    assert address not in page


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066\x00\x1b[31m\u0085",
    "x" * 10_000,
    "&lt;b&gt; ' \" ` -->",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_texts(about: Description, tmp_path: Path, text: str) -> None:
    def change(record: dict[str, Any]) -> None:
        _image(f"{HOST}/1.jpg?{text}", PERMITTED)(record)
        record["label"] = text
        record["url"] = f"javascript:{text}"
        for column in ("types", "materials", "designers", "makers", "places"):
            record[column] = [text]

    page = page_with(about, tmp_path, change)
    selector = Selector(page)
    assert len(selector.css("script")) <= 1
    assert len(selector.css("style")) == 1
    assert not selector.css("img")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    assert not [href for href in selector.css("a::attr(href)").getall() if "javascript" in href]
    assert max(map(len, selector.css("bdi::text").getall())) <= 200


@pytest.mark.parametrize("year", [0, -3200, 10**18, -(10**18), True, 1e9, "1950", None])
def test_odd_years_are_drawn_or_counted_as_undated(
    about: Description, tmp_path: Path, year: Any
) -> None:
    page = page_with(about, tmp_path, lambda record: record.update(date_begin=year, date_end=year))
    timeline = Selector(page).css("section[aria-labelledby=objects] figure")
    assert bool(timeline) is (year in (0, -3200))


@given(
    st.dictionaries(
        st.integers(-1000, 300).map(lambda n: n * 10), st.integers(1, 10**6), min_size=1
    )
)
def test_all_records_with_a_date_are_in_one_bar(counts: dict[int, int]) -> None:
    found = drawing.periods(sorted(counts.items()))
    assert sum(count for _, count in found) == sum(counts.values())
    assert len(found) <= drawing.MOST_DECADES
    bars = drawing.bars(found)
    assert [(bar.name, bar.count) for bar in bars] == found
    assert all(bar.x >= 0 and bar.x + bar.width <= drawing.WIDTH for bar in bars)
    assert all(bar.y >= 0 and bar.height <= drawing.HEIGHT - drawing.AXIS for bar in bars)
    assert all(left.x + left.width <= right.x for left, right in pairwise(bars))


def test_words_read_as_people_write_them() -> None:
    assert day("2026-03-05T07:00:00Z") == "5 March 2026"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert [share(count, 1000) for count in (0, 1, 500, 999, 1000)] == [
        *("0 %", "under 1 %", "50 %", "over 99 %", "100 %")
    ]
    assert share(0, 0) == "0 %"


def test_what_has_no_snapshot_or_has_expired_is_refused(harvests: Path, tmp_path: Path) -> None:
    settings = get_project_settings()
    settings.set("HARVEST_DIR", str(tmp_path))
    target = tmp_path / "report.html"
    with pytest.raises(HarvestError, match="harvest it first"):
        make_report(settings, "dmg", target, NOW)
    settings.set("HARVEST_DIR", str(harvests))
    with pytest.raises(HarvestError, match="expired on"):
        make_report(settings, "mplus", target, NOW + timedelta(days=3650))
    with pytest.raises(HarvestError, match="is a folder"):
        make_report(settings, "dmg", tmp_path, NOW)
    with pytest.raises(HarvestError, match="is not a museum"):
        make_report(settings, "louvre", target, NOW)
    assert not list(tmp_path.iterdir())

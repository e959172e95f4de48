"""Policies: the tier of every URL, the overlay, and that facts stay out of the code."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_crawler.errors import UsageError
from mplus_crawler.museum.policies.policy import Limit
from mplus_crawler.museum.policies.reading import key_names, load_policy, policy_keys
from tests.conftest import ROOT, limit

LOCAL = "http://127.0.0.1:8000/v2/"


@pytest.mark.parametrize("base", [LOCAL, "https://museum.example/api/v2/"])
@pytest.mark.parametrize(
    ("path", "tier"),
    [
        ("id/objects", "collections"),
        ("id/objects?page=2&itemsPerPage=100", "collections"),
        ("id/agents", "collections"),
        ("id/exhibitions", "collections"),
        ("id/concepts", "collections"),
        ("ID/Objects", "collections"),
        ("id/objects/", "collections"),
        ("/id/objects", "collections"),
        ("id//objects", "collections"),
        ("id/object/1987-1105", "single"),
        ("/id/object/1987-1105", "single"),
        ("id/OBJECT/1987-1105/", "single"),
        ("id/object/2017%2F0095", "single"),
        ("id/object", "single"),
        ("id/agent/DMG-A-00162", "single"),
        ("id/exhibition/TE_2020-001", "single"),
        ("id/concept/530000049", "single"),
        ("id/object/1987-1105/similar", "single"),
        ("id/colors", "aggregations"),
        ("id/colors/dominant?color=pink", "aggregations"),
        ("id/types", "aggregations"),
        ("id/materials", "aggregations"),
        ("id/nationalities", "aggregations"),
        ("id/roles", "aggregations"),
        ("id/production", "aggregations"),
        ("id/private/objects", "private"),
        ("id/private", "private"),
        # What no tier names gets the strictest: nobody may dodge a limit by a side door.
        ("id/ark:/29417/object/1987-1105", "aggregations"),
        ("id/objectsandmore", "aggregations"),
        ("id/similar", "aggregations"),
        ("dcat", "aggregations"),
        ("api-docs.json", "aggregations"),
        ("", "aggregations"),
        ("../robots.txt", "aggregations"),
    ],
)
def test_the_tier_of_every_path(base: str, path: str, tier: str) -> None:
    assert load_policy("dmg").tier(f"{base}{path}", base).name == tier


@pytest.mark.parametrize("path", ["v1", "v1/id/objects", "V1/id/agents/", "v1//id/objects"])
def test_version_1_shares_the_counter_of_single_records(path: str) -> None:
    url = f"http://127.0.0.1:8000/{path}"
    assert load_policy("dmg").tier(url, LOCAL).name == "single"


def test_an_overlay_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "dmg.toml").write_text('contact = "mailto:me"\n' + limit(1200, 60))
    shipped, granted = load_policy("dmg"), load_policy("dmg", tmp_path)
    assert granted.contact == "mailto:me"
    assert granted.licence == shipped.licence
    by_name = {tier.name: tier for tier in granted.tiers}
    assert by_name["collections"].limits[0].requests == 1200
    assert by_name["collections"].paths == (
        "id/objects",
        "id/agents",
        "id/exhibitions",
        "id/concepts",
    )
    assert [t for t in granted.tiers if t.name != "collections"] == [
        t for t in shipped.tiers if t.name != "collections"
    ]


def test_a_host_of_images_has_a_limit_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "dmg.toml").write_text(
        '[[images.host]]\nname = "Images.example"\nlimits = [{ requests = 5, seconds = 1 }]\n'
        'source = "a letter"\nchecked = 2026-11-22\n'
    )
    images = load_policy("dmg", tmp_path).images
    assert images is not None
    assert images.tier("images.example").limits == (Limit(5, 1.0),)
    assert images.tier("other.example").limits == (Limit(1, 1.0),)
    assert images.tier("other.example").name == "other.example"
    assert images.licences == ("public-domain",)
    (tmp_path / "dmg.toml").write_text("[images]\nlimits = [{ requests = 5, seconds = 1 }]\n")
    with pytest.raises(UsageError, match="source"):
        load_policy("dmg", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "retention_days = -1",
        'base_url = "museum"',
        limit(0, 60),
        limit(10, 0),
        limit(10, 1).replace("2026-11-22", '"yesterday"'),
        "tier = 5",
        "tier = [5]",
        "[[tier]]\nlimits = [{ requests = 1, seconds = 1 }]",
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dmg.toml").write_text(text)
    with pytest.raises(UsageError, match=r"dmg\.toml"):
        load_policy("dmg", tmp_path)


def test_a_new_museum_is_one_policy_file(tmp_path: Path) -> None:
    (tmp_path / "louvre.toml").write_text('name = "Louvre"')
    assert "louvre" in policy_keys(tmp_path)
    with pytest.raises(UsageError, match="base_url"):
        load_policy("louvre", tmp_path)


FACT = re.compile(
    r"designmuseumgent|mplus\.org|creativecommons|rightsstatements"
    r"|\b(CC0|CC BY[\w -]*|In Copyright|Public Domain)\b"
)


def code() -> Iterator[tuple[str, int, str]]:
    for file in sorted((ROOT / "mplus_crawler").rglob("*.py")):
        with tokenize.open(file) as source:
            for token in tokenize.generate_tokens(source.readline):
                if token.type == tokenize.STRING:
                    yield str(file.relative_to(ROOT)), token.start[0], token.string


def test_no_limit_licence_or_url_of_a_museum_is_spelled_in_code() -> None:
    found = [(file, line, text) for file, line, text in code() if FACT.search(text)]
    assert found == []
    policy = load_policy("dmg")
    numbers = {str(limit.requests) for tier in policy.tiers for limit in tier.limits}
    for file in (ROOT / "mplus_crawler" / "politeness").glob("*.py"):
        assert not numbers & set(re.findall(r"\b\d+\b", file.read_text()))


CREDENTIAL = '[credential]\nenvironment = "DOOR_TOKEN"\npaths = ["."]\nask = "knock"\n'


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('header = "X-Key"', True),
        ('header = "Authorization"\nscheme = "Bearer"', True),
        ('query = "api_key"', True),
        ('header = "X-Key"\nquery = "api_key"', False),
        ('query = "api_key"\nscheme = "Bearer"', False),
        ('query = "a&b"', False),
        ("", False),
    ],
)
def test_a_key_goes_in_a_header_or_in_the_query(tmp_path: Path, text: str, right: bool) -> None:
    (tmp_path / "dmg.toml").write_text(CREDENTIAL + text)
    if right:
        assert load_policy("dmg", tmp_path).credential
        return
    with pytest.raises(UsageError, match=r"dmg\.toml: credential"):
        load_policy("dmg", tmp_path)


def test_the_keys_of_all_policies_are_known(tmp_path: Path) -> None:
    shipped = {"DMG_API_KEY", "MPLUS_API_KEY"}
    assert key_names() == shipped
    (tmp_path / "dmg.toml").write_text(CREDENTIAL)
    (tmp_path / "broken.toml").write_text("[credential")
    (tmp_path / "odd.toml").write_text("credential = 5")
    (tmp_path / "bare.toml").write_text("[credential]\nquery = 'k'")
    (tmp_path / "latin.toml").write_bytes(b"\xe9")
    assert key_names(tmp_path) == shipped | {"DOOR_TOKEN"}

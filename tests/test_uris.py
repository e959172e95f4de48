"""The column ``uri``: one key for every record, whatever its kind and museum."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.every_kind import Feeds, feeds, rows

__all__ = ["feeds"]


def test_no_two_kinds_share_one_and_no_url_is_a_front_page(feeds: Feeds) -> None:
    owners: dict[str, tuple[str, str, str]] = {}
    for spider, feed in feeds.items():
        records = rows(feed)
        for row in records:
            split = urlsplit(row["uri"])
            assert (split.scheme, bool(split.netloc)) == ("https", True)
            owner = (row["source"], row["kind"], row["id"])
            assert owners.setdefault(row["uri"], owner) == owner
            if row["url"] is not None:
                assert "?" not in row["url"]
                assert urlsplit(row["url"]).path.strip("/")
        assert len({row["uri"] for row in records}) == len(records), spider


def test_the_api_and_the_published_set_name_a_record_alike(feeds: Feeds) -> None:
    for api, published in (
        ("mplus_objects", "mplus_open_objects"),
        ("mplus_constituents", "mplus_open_constituents"),
    ):
        first, second = (
            {row["id"]: row["uri"] for row in rows(feeds[name])} for name in (api, published)
        )
        assert {*first} & {*second}
        assert all(first[id_] == second[id_] for id_ in {*first} & {*second})

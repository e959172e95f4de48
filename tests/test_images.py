"""Images: only what a licence allows, whole or not at all, and never twice."""

from __future__ import annotations

import hashlib
import json
import platform
import random
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.protocols.iiif import image_key, resized
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.storage.staging import hidden
from tests.conftest import ROOT, Crawl, Scrapy, resolving
from tests.wire import RawResponse, Server, serving

PD = ("Public Domain", "https://creativecommons.org/publicdomain/zero/1.0/")
ND = ("CC BY-NC-ND 4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/")
INC = ("In Copyright", "https://rightsstatements.org/vocab/InC/1.0/")
PNG = b"\x89PNG\r\n\x1a\n"
LIMITS = (
    '[images]\nlimits = [{ requests = 5000, seconds = 1 }]\nsource = "the test"\n'
    "checked = 2026-11-22\n"
)


def png(path: str) -> bytes:
    """A PNG of one grey point, with *path* in a comment: other bytes for each path."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data).to_bytes(4)
        return len(data).to_bytes(4) + name + data + check

    head = chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0")
    text = chunk(b"tEXt", b"Comment\0" + path.encode("latin-1", "replace"))
    return PNG + head + text + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def row(number: int, image: str, licence: tuple[str, str] = PD) -> dict[str, Any]:
    """A line of a feed: one object with one image."""
    name, uri = licence
    right = {"image": image, "licence": name, "licence_uri": uri, "source": "record"}
    return {
        "id": f"https://museum.example/id/object/{number}",
        "label": f"object {number}",
        "image": image,
        "images": [image],
        "image_licence": name,
        "image_rights": [{**right, "attribution": f"Maker {number}"}],
    }


def feed(file: Path, rows: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def host(path: str) -> RawResponse:
    """A host of images, some of which it does not give."""
    if "html" in path:
        return 200, [("Content-Type", "text/html")], b"<html>sorry</html>"
    if "disguised" in path:
        return 200, [("Content-Type", "image/jpeg")], b"<html>sorry</html>"
    if "svg" in path:
        return 200, [("Content-Type", "image/svg+xml")], b"<svg/>"
    if "large" in path:
        return 200, [("Content-Type", "image/png")], png(path) * 100
    if "astray" in path:
        return 302, [("Location", "/v2/inc")], b""
    if "empty" in path:
        return 200, [("Content-Type", "image/png")], b""
    for status in (401, 403, 404, 410):
        if path == f"/v2/{status}.png":
            return status, [("Content-Type", "text/html")], b"<html>no</html>"
    if "moved" in path:
        return 302, [("Location", path.replace("moved", "there"))], b""
    same = path.startswith("/v2/same")
    return 200, [("Content-Type", "image/png")], png("same" if same else path)


def images(scrapy: Scrapy, file: Path, server: Server, *arguments: str) -> Crawl:
    return scrapy.policy(LIMITS).crawl(
        "images", "-a", f"feed={file}", *arguments, DMG_BASE_URL=server.base_url
    )


def check_shelf(folder: Path) -> dict[str, dict[str, Any]]:
    """Each image under the hash of its content, its rights beside it; those by file."""
    found = {}
    for file in sorted(folder.glob("*/*")):
        if file.suffix == ".json" or file.name.startswith("."):
            continue
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        beside = json.loads(file.with_suffix(".json").read_text())
        assert (file.stem, file.parent.name, beside["sha256"]) == (digest, digest[:2], digest)
        assert (beside["file"], beside["bytes"]) == (file.name, file.stat().st_size)
        for use in (beside, *beside["also"]):
            for name in ("object", "licence", "licence_uri", "attribution", "source", "url"):
                assert use[name], name
        found[file.name] = beside
    return found


def test_the_digest_of_an_image_does_not_depend_on_when_it_came(scrapy: Scrapy) -> None:
    shifted = str(ROOT / "tests" / "fixtures" / "shifted_clock.py")
    with serving(host) as server:
        rows = [row(n, f"{server.base_url}{n}.png") for n in range(3)]
        file = feed(scrapy.folder / "feed.jsonl", rows)
        crawls = []
        for days in (0, 3):
            scrapy.environment |= {
                "HARVEST_DIR": str(scrapy.folder / f"day-{days}"),
                "RUN_FIRST": shifted,
                "CLOCK_AHEAD": str(86_400 * days),
            }
            crawls.append(images(scrapy, file, server))
    one, other = crawls
    assert (one.code, other.code) == (0, 0), one.err + other.err
    assert one.records[0]["retrieved_at"] != other.records[0]["retrieved_at"]
    assert one.certificate["content_digest"] == other.certificate["content_digest"]


def test_images_come_with_their_rights_and_are_requested_once(scrapy: Scrapy) -> None:
    gone = ["html", "disguised", "svg", "empty", "large", "astray", "401", "403", "404", "410"]
    with serving(host) as server:
        base = server.base_url
        rows = [row(n, f"{base}iiif/{n}.jpg/full/full/0/default.jpg") for n in range(3)]
        rows += [row(10 + n, f"{base}{name}.png") for n, name in enumerate(gone)]
        rows += [row(20, f"{base}same/1"), row(21, f"{base}same/2"), row(100, f"{base}same/1")]
        rows += [row(23, f"{base}moved"), row(30, f"{base}nd", ND), row(31, f"{base}inc", INC)]
        file = feed(scrapy.folder / "feed.jsonl", rows)
        strictly = ("-a", "size=200", "-s", "DOWNLOAD_MAXSIZE=5000")
        arguments = (*strictly, "-s", "MAX_REJECT_SHARE=0.9")
        first = images(scrapy, file, server, *arguments)
        requested = Counter(server.requested)
        records, certificate = first.records, first.certificate
        server.requested.clear()
        again = images(scrapy, file, server, *arguments)
        wanted = Counter(server.requested)
        assert sorted(again.records, key=str) == sorted(records, key=str)
        strict = images(scrapy, file, server, *strictly)
    assert first.code == 0, first.err
    assert "Traceback" not in first.err
    assert max(requested.values()) == 1
    assert not any("nd" in path or "inc" in path for path in requested)
    assert "/v2/iiif/0.jpg/full/200,/0/default.jpg" in requested
    # Only missing images are requested again.
    assert set(wanted) == {f"/v2/{name}.png" for name in gone}
    assert strict.code == 13

    by_id = {image["id"]: image for image in records}
    assert len(by_id) == 6
    assert {lost["id"] for lost in first.rejected} == {f"{base}{name}.png" for name in gone}
    assert {lost["reason"] for lost in first.rejected} == {"unreadable"}
    said = {lost["id"]: lost["errors"][0]["message"] for lost in first.rejected}
    assert "403" in said[f"{base}403.png"]
    assert "text/html" in said[f"{base}html.png"]
    assert "object/10" in said[f"{base}html.png"]
    assert (certificate["unique"], certificate["unreadable"]) == (6, 10)
    assert certificate["expected"]["last"] == 16
    assert certificate["images"] == {
        "by_licence": {"Public Domain": 16, "CC BY-NC-ND 4.0": 1, "In Copyright": 1},
        "wanted": ["Public Domain"],
    }

    shelf = check_shelf(first.folder / "images")
    assert len(shelf) == 5
    one, two = by_id[f"{base}same/1"], by_id[f"{base}same/2"]
    assert one["file"] == two["file"]
    assert one["objects"] == [rows[13]["id"], rows[15]["id"]]
    beside = shelf[one["file"].rpartition("/")[2]]
    owners = {use["object"] for use in (beside, *beside["also"])}
    assert owners == {rows[13]["id"], rows[14]["id"], rows[15]["id"]}
    for image in first.records:
        assert (first.folder / image["file"]).stat().st_size == image["bytes"]
        assert image["licence"] == "Public Domain"
    verified = scrapy.run("verify", str(first.folder / "images.jsonl"))
    assert verified.returncode == 0, verified.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["feed"]),
        (["-a", "feed=/no/such/file.jsonl"], ["/no/such/file.jsonl"]),
        (["-a", "feed=LICENCE"], ["LICENCE"]),
        (["-a", "feed=LICENSE"], ["LICENSE", "JSON"]),
        (["-a", "feed=README.md", "-a", "licences=unknown"], ["public-domain", "by-nc-nd"]),
        (["-a", "feed=README.md", "-a", "licences=in-copyright"], ["licences"]),
        (["-a", "feed=README.md", "-a", "licences=public-domain,in-copyright"], ["licences"]),
        (["-a", "feed=README.md", "-a", "licences="], ["licences"]),
        (["-a", "feed=README.md", "-a", "size=huge"], ["size", "max"]),
        (["-a", "feed=README.md", "-a", "shard=3/2"], ["shard", "2/4"]),
        (["-a", "feed=README.md", "-s", "HARVEST_DIR=s3://bucket/x"], ["HARVEST_DIR"]),
    ],
)
def test_a_usage_error_requests_nothing(
    scrapy: Scrapy, arguments: list[str], words: list[str]
) -> None:
    with serving(host) as server:
        crawl = scrapy.crawl("images", *arguments, DMG_BASE_URL=server.base_url)
        assert server.requested == []
    assert crawl.code == 2, crawl.err
    (line,) = [line for line in crawl.err.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in words), line


_WORDS = [*(w for pair in (PD, ND, INC) for w in pair), "public-domain", "in-copyright", "unknown"]
_ODD: list[Any] = [
    *("", " ", "Publiek domein", "creativecommons.org/publicdomain/zero/1.0/", "PUBLIC DOMAIN"),
    "http://www.creativecommons.org/publicdomain/mark/1.0/deed.nl",
    "https://creativecommons.org.evil.example/publicdomain/zero/1.0/",
    "https://evil.example/creativecommons.org/publicdomain/zero/1.0/",
    "https://creativecommons.org/licenses/by/4.0/",
    *(None, 0, True, [], {}, ["Public Domain"], [PD[1]], {"@id": PD[1]}),
]


def _allows(word: object) -> bool:
    """Whether *word* says public domain, by the museum's own words or a Creative Commons URI."""
    return isinstance(word, str) and (
        word.strip().lower() in ("public domain", "public-domain")
        or word.startswith(
            (
                "https://creativecommons.org/publicdomain/",
                "http://www.creativecommons.org/publicdomain/",
            )
        )
    )


def test_no_denied_image_is_ever_requested(scrapy: Scrapy) -> None:
    """A thousand records with every mix of licence fields; what counts is the server's log."""
    dice = random.Random(20261125)
    anything = [*_WORDS, *_ODD]
    allowed: set[str] = set()
    shown: Counter[str] = Counter()
    denied: set[str] = set()
    rows: list[dict[str, Any]] = []

    def say(chance: float) -> Any:
        return dice.choice(PD) if dice.random() < chance else dice.choice(anything)

    with serving(host) as server:
        for number in range(1000):
            views = [
                f"{server.base_url}{number}/{view}.jpg/full/full/0/default.jpg"
                for view in range(dice.choice((1, 1, 2, 3)))
            ]
            if dice.random() < 0.05:  # another object shows the same image
                views[0] = f"{server.base_url}shared/{dice.randrange(40)}.jpg"
            sure = dice.random() < 0.1
            record: dict[str, Any] = {"id": f"https://museum.example/id/object/{number}"}
            record |= {"image": views[0], "images": views}
            rights = [
                {"image": view, "licence": say(sure), "licence_uri": say(sure)} for view in views
            ]
            if dice.random() < 0.8:
                record["image_licence"] = say(sure)
            match dice.randrange(8):
                case 0:
                    del record["images"]
                case 1:
                    del rights[dice.randrange(len(rights))]
                case 2:
                    rights.append(dict(dice.choice(rights), licence=dice.choice(anything)))
                case 3:
                    dice.choice(rights).pop(dice.choice(("licence", "licence_uri", "image")))
                case 4:
                    rights.insert(0, dice.choice(anything))
                case 5:
                    rights = dice.choice(anything)
            if dice.random() < 0.8:
                record["image_rights"] = rights
            rows.append(record)
            for view in views:
                entries = record.get("image_rights")
                mine = [
                    entry
                    for entry in (entries if isinstance(entries, list) else [])
                    if isinstance(entry, dict) and entry.get("image") == view
                ]
                words = [e.get(n) for e in mine for n in ("licence", "licence_uri")]
                if view == views[0] and "image_licence" in record:
                    words.append(record["image_licence"])
                stated = bool(mine) or ("image_rights" not in record and view == views[0])
                good = stated and bool(words) and all(map(_allows, words))
                known = view in record.get("images", []) or view == views[0] or bool(mine)
                if known:
                    shown[view] += 1
                    (allowed if good else denied).add(view)
        crawl = images(scrapy, feed(scrapy.folder / "feed.jsonl", rows), server)
        requested = Counter(server.requested)
        place = server.base_url.removesuffix("/v2/")
    wanted = {view.removeprefix(place) for view in allowed - denied}
    assert 25 < len(wanted) < 375
    assert len(denied) > 500
    assert set(requested) == wanted
    assert max(requested.values()) == 1
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == len(wanted)
    assert sum(crawl.certificate["images"]["by_licence"].values()) == len(shown)


def test_other_licences_are_fetched_when_they_are_named(scrapy: Scrapy) -> None:
    with serving(host) as server:
        base = server.base_url
        rows = [row(1, f"{base}pd"), row(2, f"{base}nd", ND), row(3, f"{base}inc", INC)]
        file = feed(scrapy.folder / "feed.jsonl", rows)
        crawl = images(scrapy, file, server, "-a", "licences=cc-by-nc-nd-4.0,public-domain")
    assert sorted(server.requested) == ["/v2/nd", "/v2/pd"]
    assert {image["licence"] for image in crawl.records} == {PD[0], ND[0]}


def test_the_sandbox_has_pictures_whose_rights_are_kept_to(
    scrapy: Scrapy, museum: Callable[..., Sandbox]
) -> None:
    """From records to images: rights as the museum sends them, hosts that fail in every way."""
    faults = ["status:code=403,html=1", "html:nth=2", "redirect:nth=3,url=/iiif/image/x"]
    sandbox = museum(
        objects=200, agents=5, exhibitions=5, concepts=5, links="local", rights=0.5, invalid=0
    )
    scrapy.at(sandbox).policy(LIMITS)
    objects = scrapy.crawl("objects")
    assert objects.code == 0, objects.err
    rights = [entry for record in objects.records for entry in record["image_rights"]]
    free = {entry["image"] for entry in rights if entry["licence"] == PD[0]}
    assert len(rights) > 2 * len(free) > 40
    for fault in faults:
        sandbox.fault(f"{fault},path=image,times=1")
    sandbox.reset()
    crawl = scrapy.crawl("images", "-a", f"feed={objects.folder}/objects.jsonl")
    assert crawl.code == 13
    assert len(crawl.rejected) == 3
    again = scrapy.crawl("images", "-a", f"feed={objects.folder}/objects.jsonl")
    assert again.code == 0, again.err
    assert {image["id"] for image in again.records} == free
    assert len({image["sha256"] for image in again.records}) == len(free)
    by_id = {record["id"]: record for record in objects.records}
    for image in again.records:
        assert by_id[image["object"]]["designers"] == [] or (
            by_id[image["object"]]["designers"][0] in image["attribution"]
        )
        assert PD[0] in image["attribution"]
    log = sandbox.stats(log=True)["log"]
    pictures = [path for _, path, _ in log if path.startswith("/iiif/image/")]
    assert len(pictures) == len(free) + 3 + 1
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


def test_shards_are_disjoint_and_together_the_whole(scrapy: Scrapy) -> None:
    with serving(host) as server:
        names = [f"{server.base_url}{number}.png" for number in range(40)]
        file = feed(scrapy.folder / "feed.jsonl", (row(*pair) for pair in enumerate(names)))
        parts = []
        for part in (1, 2, 3):
            scrapy.environment["HARVEST_DIR"] = str(scrapy.folder / f"part{part}")
            crawl = images(scrapy, file, server, "-a", f"shard={part}/3")
            assert crawl.code == 0, crawl.err
            parts.append({image["id"] for image in crawl.records})
        assert len(server.requested) == len(names)
    assert all(parts)
    assert set.union(*parts) == set(names)
    assert sum(map(len, parts)) == len(names)


def test_a_csv_feed_is_read_as_well(scrapy: Scrapy) -> None:
    with serving(host) as server:
        base = server.base_url
        rights = json.dumps(row(1, f"{base}2.png")["image_rights"]).replace('"', '""')
        file = scrapy.folder / "feed.csv"
        file.write_text(
            "id,label,image,images,image_licence,image_rights\n"
            f'x:1,one,{base}1.png,{base}1.png | {base}2.png,In Copyright,"{rights}"\n'
            f"x:2,two,{base}3.png,{base}3.png,Public Domain,\n"
        )
        crawl = images(scrapy, file, server)
    assert (crawl.code, server.requested) == (0, ["/v2/2.png"]), crawl.err


def test_what_comes_of_a_feed_for_its_owner_alone_is_its_owners_too(scrapy: Scrapy) -> None:
    with serving(host) as server:
        file = feed(scrapy.folder / "feed.jsonl", [row(1, f"{server.base_url}1.png")])
        file.chmod(0o600)
        crawl = images(scrapy, file, server)
    assert crawl.code == 0, crawl.err
    files = [path for path in crawl.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".png", ".json", ".jsonl"}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_a_feed_that_names_no_image_is_doubted(scrapy: Scrapy) -> None:
    file = scrapy.folder / "agents.jsonl"
    file.write_text('\ufeff{"id": "x:1", "kind": "agent"}\n', "utf-8")
    with serving(host) as server:
        crawl = images(scrapy, file, server)
    assert (crawl.code, server.requested) == (0, []), crawl.err
    assert any("contains no image URLs" in note for note in crawl.certificate["notes"])


@pytest.mark.long
def test_hosts_are_requested_side_by_side_each_once_a_second(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    """The museum's own origin, and two hosts behind a proxy of the user's, one of them slow."""
    began: dict[str, list[float]] = {"quick": [], "slow": [], "own": []}
    ended: list[str] = []

    def respond(path: str) -> RawResponse:
        name = next((name for name in ("quick", "slow") if f"//{name}." in path), "own")
        began[name].append(time.monotonic())
        if name == "slow":
            time.sleep(1.5)
        ended.append(name)
        return 200, [("Content-Type", "image/png")], png(path)

    with serving(respond) as server:
        hosts = ("http://slow.example/", server.base_url, "http://quick.example/")
        names = [f"{place}{number}.png" for place in hosts for number in range(3)]
        file = feed(scrapy.folder / "feed.jsonl", (row(*pair) for pair in enumerate(names)))
        proxy = server.base_url.removesuffix("v2/")
        scrapy.environment |= {"http_proxy": proxy, "no_proxy": "127.0.0.1"}
        resolving(scrapy, tmp_path, example="1.1.1.1")  # the guard resolves names before the proxy
        crawl = scrapy.crawl("images", "-a", f"feed={file}", DMG_BASE_URL=server.base_url)
    assert crawl.code == 0, crawl.err
    for times in began.values():
        assert min(later - former for former, later in pairwise(times)) > 0.95
    assert ended[-1] == "slow"
    assert ended.count("slow") == 3
    peak = crawl.certificate["requests"]["peak"]
    assert peak == {"127.0.0.1": 1, "quick.example": 1, "slow.example": 1}


@pytest.mark.long
def test_a_kill_costs_no_image_twice(scrapy: Scrapy) -> None:
    """Killed again and again: files are whole, and stored images are not requested again."""
    with serving(host) as server:
        rows = [row(number, f"{server.base_url}{number}.png") for number in range(60)]
        file = feed(scrapy.folder / "feed.jsonl", rows)
        overlay = LIMITS.replace("5000", "20")
        scrapy.policy(overlay).environment["DMG_BASE_URL"] = server.base_url
        shelf = scrapy.folder / "data" / "images"
        for kill in range(3):
            seen = len(server.requested)
            crawl = scrapy.start("crawl", "images", "-a", f"feed={file}")
            while len(server.requested) < seen + 10 and crawl.poll() is None:
                time.sleep(0.01)
            crawl.send_signal(signal.SIGKILL if kill < 2 else signal.SIGINT)
            crawl.communicate(timeout=20)
            assert crawl.returncode == (-signal.SIGKILL if kill < 2 else 11)
            in_hand = len(check_shelf(shelf))
            server.requested.clear()
            # As if the kill had come between the first byte and the last.
            beside = next(shelf.glob("*/*.json"))
            hidden(beside, f"-{platform.node()}-{crawl.pid}").touch()
        last = scrapy.crawl("images", "-a", f"feed={file}")
        assert len(server.requested) == len(rows) - in_hand
        assert last.code == 0, last.err
        assert len(last.records) == len(check_shelf(shelf)) == len(rows)
        assert not list(shelf.rglob(".*"))
        # What is no more what it was is fetched anew.
        server.requested.clear()
        spoilt = [last.folder / image["file"] for image in last.records[:2]]
        spoilt[0].write_bytes(spoilt[0].read_bytes()[:-1])
        spoilt[1].with_suffix(".json").write_text("{}")
        assert scrapy.crawl("images", "-a", f"feed={file}").code == 0
        assert len(server.requested) == 2
        assert len(check_shelf(shelf)) == len(rows)


@pytest.mark.parametrize(
    ("url", "size", "expected"),
    [
        ("https://a.example/i/1.jpg/full/full/0/default.jpg", "200,", "full/200,/0/default.jpg"),
        ("https://a.example/i/1.jpg/full/thm/0/default.jpg", "max", "full/max/0/default.jpg"),
        (
            "https://a.example/i/1/10,20,3,4/!9,9/!90/gray.png",
            "full",
            "10,20,3,4/full/!90/gray.png",
        ),
        ("https://a.example/i/1.jpg", "max", "i/1.jpg"),
        ("https://a.example/i/full/full/0/other.html", "max", "i/full/full/0/other.html"),
        ("https://a.example/i/1.jpg/full/full/0/default.jpg", None, "full/full/0/default.jpg"),
    ],
)
def test_sizes_are_requested_as_iiif_has_them(url: str, size: str | None, expected: str) -> None:
    assert resized(url, size).endswith(expected)
    assert image_key(resized(url, size)) == image_key(url)


def test_one_image_is_one_however_it_is_spelled() -> None:
    keys = {
        image_key(url)
        for url in (
            "https://a.example/i/1.jpg/full/full/0/default.jpg",
            "http://A.example:80/i/1.jpg/full/!200,200/0/default.jpg",
            "https://a.example:443/i/%31.jpg/square/max/90/gray.png#top",
        )
    }
    assert len(keys) == 1

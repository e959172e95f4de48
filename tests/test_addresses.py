"""Where requests may go: no address near this machine is requested because a response named it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.wire.addresses import is_public, is_public_address
from tests.conftest import Crawl, Scrapy, resolving
from tests.test_images import LIMITS, PNG, feed, png, row
from tests.wire import RawResponse, Server, serving

LOCAL = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "0",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fec0::1]",
    "[::ffff:10.0.0.1]",
    "[::10.0.0.1]",
    "[::ffff:0:10.0.0.1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::1]",
    "[2001:0:7f00:1::1]",
    "[2606:4700::5efe:10.0.0.1]",
    "[2606:4700::200:5efe:10.0.0.1]",
    "[2606:4700::1%25eth0]",
    "[fe80::1%25lo]",
    "0x7f.1",
    "017700000001",
    "3232235777",
    "10.1",
    "[fc00::1]",
    "[ff02::1]",
    "localhost",
    "LOCALHOST.",
    "me.localhost",
    "printer.local",
    "db.internal",
    "router.home.arpa",
    "intranet",
    "",
    ".",
    "a..b",
    "%6cocalhost.example",
]


@pytest.mark.parametrize("host", LOCAL)
@pytest.mark.parametrize("port", ["", ":8080"])
def test_what_is_near_is_not_public(host: str, port: str) -> None:
    assert not is_public(f"http://{host}{port}/image.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://images.example/a.jpg",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//images.example/a.jpg",
        "images.example/a.jpg",
        "http://me:secret@images.example/",
        "http://images.example\\@127.0.0.1/",
        "http://images.example:99999/",
        "http://[/",
    ],
)
def test_what_is_no_plain_web_address_is_not_public(url: str) -> None:
    assert not is_public(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example/iiif/1.jpg/full/full/0/default.jpg",
        "http://images.example:8080/1.jpg",
        "https://8.8.8.8/1.jpg",
        "https://[2606:4700::1111]/1.jpg",
        "https://münchen.example/1.jpg",
    ],
)
def test_the_web_is_public(url: str) -> None:
    assert is_public(url)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_every_spelling(address: ipaddress.IPv4Address) -> None:
    public = is_public_address(str(address))
    assert public is is_public(f"http://{address}/")
    assert public is (address.is_global and not address.is_multicast)
    for odd in (str(int(address)), hex(int(address)), ".".join(map(hex, address.packed))):
        assert not is_public(f"http://{odd}/")
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    assert not is_public(f"http://[{mapped}]/")


@given(st.ip_addresses(v=6))
def test_no_private_ipv6_address_is_public(address: ipaddress.IPv6Address) -> None:
    if is_public(f"http://[{address}]/"):
        assert address.is_global
        assert not address.is_multicast


@given(st.text(max_size=40))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert is_public(f"http://{text}/") in (True, False)
    assert is_public(text) in (True, False)


@pytest.fixture
def private_server() -> Iterator[Server]:
    """A server on this machine to which no response may lead us."""
    with serving(lambda path: (200, [("Content-Type", "image/png")], png(path))) as server:
        yield server


def images(scrapy: Scrapy, server: Server, *rows: dict[str, object]) -> Crawl:
    file = feed(scrapy.folder / "feed.jsonl", rows)
    given = ("-a", f"feed={file}", "-s", "MAX_REJECT_SHARE=1", "-s", "RETRY_BACKOFF_BASE=0.01")
    return scrapy.policy(LIMITS).crawl("images", *given, DMG_BASE_URL=server.base_url)


def test_no_image_is_requested_from_a_private_place(
    scrapy: Scrapy, private_server: Server, tmp_path: Path
) -> None:
    """By start and media: addresses in a feed; by redirect; by retry of what redirects."""
    port = private_server.server_address[1]
    tried = {"retried": 0}

    def respond(path: str) -> RawResponse:
        if path == "/v2/redirect":
            return 302, [("Location", f"http://127.0.0.1:{port}/redirected")], b""
        if path == "/v2/retry" and not (tried["retried"]):
            tried["retried"] += 1
            return 503, [], b""
        if path == "/v2/retry":
            return 307, [("Location", f"http://localhost:{port}/retried")], b""
        if path == "/v2/file":
            return 302, [("Location", "file:///etc/passwd")], b""
        return 200, [("Content-Type", "image/png")], png(path)

    hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"2130706433:{port}", f"127.1:{port}"]
    hosts += [f"[::ffff:127.0.0.1]:{port}", f"0.0.0.0:{port}", f"1.1.1.1@127.0.0.1:{port}"]
    # A name on the web that leads here: only the resolver can see it.
    resolving(scrapy, tmp_path, example="127.0.0.1")
    scrapy.environment.update({"no_proxy": "*", "NO_PROXY": "*"})
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    with serving(respond) as server:
        base = server.base_url
        named = [f"http://{host}/{number}.png" for number, host in enumerate(hosts)]
        named += [f"http://images.example:{port}/named.png", secret.as_uri(), "nonsense"]
        named += [f"{base}redirect", f"{base}retry", f"{base}file"]
        rows = [row(number, image) for number, image in enumerate([*named, f"{base}good"])]
        crawl = images(scrapy, server, *rows)
    assert private_server.requested == []
    assert [image["id"] for image in crawl.records] == [f"{base}good"]
    assert {lost["id"] for lost in crawl.rejected} == set(named)
    assert crawl.code == 0, crawl.err
    assert "Traceback" not in crawl.err
    assert not (crawl.folder / "images" / "passwd").exists()


@pytest.mark.parametrize("way", ["hydra", "link", "redirect", "retry", "file"])
def test_no_collection_leads_to_a_private_place(
    scrapy: Scrapy, private_server: Server, way: str
) -> None:
    here = {"value": ""}
    there = f"http://127.0.0.1:{private_server.server_address[1]}/v2/id/objects?page=2"
    requested = {"times": 0}

    def respond(path: str) -> RawResponse:
        requested["times"] += 1
        if way == "retry" and requested["times"] == 1:
            return 503, [], b""
        if way in ("redirect", "retry"):
            return 302, [("Location", there)], b""
        if way == "file":
            return 302, [("Location", "file:///etc/passwd")], b""
        member = {"@id": "https://museum.example/id/object/1", "@type": "crm:E22"}
        view = {"@id": f"{here['value']}id/objects?page=1"}
        link = f'<{there}>; rel="next"' if way == "link" else ""
        if way == "hydra":
            view["hydra:next"] = there
        body = {"hydra:totalItems": 101, "hydra:view": view, "hydra:member": [member] * 100}
        headers = [("Content-Type", "application/ld+json"), *([("Link", link)] if link else [])]
        return 200, headers, json.dumps(body).encode()

    with serving(respond) as server:
        here["value"] = server.base_url
        crawl = scrapy.crawl(
            "objects",
            *("-s", "RETRY_BACKOFF_MAX=0.01", "-s", "RETRY_TIMES=1"),
            DMG_BASE_URL=server.base_url,
        )
        assert server.requested
    assert private_server.requested == []
    assert crawl.code in (10, 13), crawl.err
    assert "Traceback" not in crawl.err


# IPv6


@pytest.fixture(scope="module")
def sixth() -> Iterator[Sandbox]:
    """A museum that has an IPv6 address only."""
    with Sandbox(host="::1", objects=130, invalid=0) as museum:
        yield museum


def test_a_museum_with_an_ipv6_address_is_harvested(scrapy: Scrapy, sixth: Sandbox) -> None:
    assert "[::1]" in sixth.base_url
    crawl = scrapy.crawl("objects", DMG_BASE_URL=sixth.base_url)
    assert (crawl.code, len(crawl.records)) == (0, 130), crawl.err


def test_another_spelling_of_an_address_is_the_same_place(scrapy: Scrapy, sixth: Sandbox) -> None:
    base = sixth.base_url.replace("[::1]", "[0:0:0:0:0:0:0:1]")
    crawl = scrapy.crawl("objects", DMG_BASE_URL=base)
    assert (crawl.code, len(crawl.records)) == (0, 130), crawl.err


def test_a_name_that_has_an_ipv6_address_only_is_found(
    scrapy: Scrapy, sixth: Sandbox, tmp_path: Path
) -> None:
    resolving(scrapy, tmp_path, localhost="::1")
    base = sixth.base_url.replace("[::1]", "localhost")
    crawl = scrapy.crawl("objects", DMG_BASE_URL=base)
    assert (crawl.code, len(crawl.records)) == (0, 130), crawl.err


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[::FFFF:7f00:1]"])
def test_every_loopback_address_may_be_a_base(scrapy: Scrapy, host: str) -> None:
    member = {"@id": "https://data.designmuseumgent.be/v2/id/object/1", "@type": "crm:E22"}
    body = json.dumps({"hydra:totalItems": 1, "hydra:view": {}, "hydra:member": [member]})
    with serving(lambda path: (200, [], body.encode())) as server:
        base = server.base_url.replace("127.0.0.1", host)
        crawl = scrapy.crawl("objects", "-s", "MAX_REJECT_SHARE=1", DMG_BASE_URL=base)
    assert crawl.code == 0, crawl.err
    assert len(server.requested) == 1


@pytest.mark.parametrize(
    "host", ["[::ffff:10.0.0.1]", "[fe80::1]", "10.0.0.1", "[64:ff9b::7f00:1]"]
)
def test_no_other_address_is_a_base_without_tls(scrapy: Scrapy, host: str) -> None:
    crawl = scrapy.crawl("objects", DMG_BASE_URL=f"http://{host}/v2/")
    assert crawl.code == 2
    assert "loopback" in crawl.err


# Proxies


def proxied(scrapy: Scrapy, proxy: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        scrapy.environment |= {name: proxy, name.upper(): proxy}
    for name in ("no_proxy", "NO_PROXY"):
        scrapy.environment.pop(name, None)


@pytest.mark.parametrize("proxy", ["{}", "http://[nonsense", "socks5://127.0.0.1:1", "http://:0"])
def test_no_proxy_is_used_for_this_machine(
    scrapy: Scrapy, private_server: Server, sixth: Sandbox, proxy: str
) -> None:
    proxied(scrapy, proxy.format(private_server.base_url.removesuffix("/v2/")))
    crawl = scrapy.crawl("objects", DMG_BASE_URL=sixth.base_url)
    assert (crawl.code, private_server.requested) == (0, []), crawl.err


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://me:canary@[x", "socks5://me:canary@h:1", "canary:port"),
        *("me:canary@h:1", "https://me:canary@h:1"),
    ],
)
def test_a_malformed_proxy_is_named_before_any_request(scrapy: Scrapy, proxy: str) -> None:
    proxied(scrapy, proxy)
    crawl = scrapy.crawl("objects", DMG_BASE_URL="https://museum.example/v2/")
    assert crawl.code == 2, crawl.err
    assert "https_proxy is not the URL of a proxy" in crawl.err
    assert "canary" not in crawl.err


def test_a_proxy_does_not_reach_what_the_guard_refuses(
    scrapy: Scrapy, private_server: Server, tmp_path: Path
) -> None:
    """The proxy would resolve these names itself, and reach this machine or its network."""
    resolving(scrapy, tmp_path, loop="127.0.0.1", lan="10.0.0.1", public="93.184.216.34")
    proxied(scrapy, private_server.base_url.removesuffix("/v2/"))
    hosts = ["loop.example", "lan.example", "unknown.invalid"]
    rows = [row(n, f"http://{host}/{n}.png") for n, host in enumerate([*hosts, "public.example"])]
    with serving(lambda path: (200, [("Content-Type", "image/png")], png(path))) as server:
        crawl = images(scrapy, server, *rows)
    assert private_server.requested == ["http://public.example/3.png"]
    assert {lost["id"] for lost in crawl.rejected} == {
        f"http://{host}/{n}.png" for n, host in enumerate(hosts)
    }
    assert crawl.code == 0, crawl.err

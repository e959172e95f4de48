"""Responses that no well-behaved server sends: bounded, named in one line, never a traceback."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request
from scrapy.http import Response

from mplus_crawler.errors import LONGEST_MESSAGE, one_line
from mplus_crawler.wire.session import MAX_COOKIE_BYTES, MAX_COOKIES, SessionMiddleware
from tests.conftest import Crawl, Scrapy, limit
from tests.test_faults import BASE
from tests.test_outage import QUICK, listening
from tests.wire import RawResponse, serving

LD_JSON = ("Content-Type", "application/ld+json")
PATIENCE = ("-s", "RETRY_TIMES=1")


def crawl_at(scrapy: Scrapy, base_url: str, *arguments: str, **environment: str) -> Crawl:
    scrapy.policy(limit(1_000_000, 1))
    return scrapy.crawl(
        "concepts", *QUICK, *PATIENCE, *arguments, DMG_BASE_URL=base_url, **environment
    )


def check_reason(crawl: Crawl, code: int, words: str) -> None:
    reason = crawl.certificate["reason"]
    assert crawl.code == code, crawl.err
    assert words in reason
    assert reason.isprintable()
    assert len(reason) <= LONGEST_MESSAGE
    assert "Traceback" not in crawl.err
    assert "Error" not in reason


# --- words ------------------------------------------------------------------------------------


@given(st.text(max_size=400) | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_a_message_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST_MESSAGE
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("a\r\nERROR: forged", "a ERROR: forged"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\u202eright to left\u2066", "right to left"),
        ("c1\x9b31m\x85next", "c1 31m next"),
        ("Musée 中文 é", "Musée 中文 é"),
        ("x" * 10_000_000, "x" * 299 + "…"),
    ],
)
def test_words_of_a_server_are_cleaned(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_redirect_to_a_hostile_place_forges_no_log_line(scrapy: Scrapy) -> None:
    place = "https://evil.example/\x1b[2J\u202e?x=" + "y" * 5000

    def respond(path: str) -> RawResponse:
        return 302, [("Location", place.encode().decode("latin-1"))], b""

    with serving(respond) as server:
        crawl = crawl_at(scrapy, server.base_url)
    check_reason(crawl, 10, "off-site")
    assert "\x1b" not in crawl.err


# --- redirects, statuses ----------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3])
def test_a_circle_of_redirects_ends_at_the_second_visit(scrapy: Scrapy, steps: int) -> None:
    def respond(path: str) -> RawResponse:
        bare, _, step = path.partition("&step=")
        onward = (int(step or 0) + 1) % steps
        return 302, [("Location", f"{bare}&step={onward}" if onward else bare)], b""

    with serving(respond) as server:
        crawl = crawl_at(scrapy, server.base_url)
        requests = len(server.requested)
    check_reason(crawl, 10, "redirects in a circle")
    assert requests == steps


def page(count: int) -> bytes:
    rows = [{"@id": f"{BASE}id/concept/{row}", "@type": "crm:E55_Type"} for row in range(count)]
    return json.dumps({"hydra:totalItems": count, "hydra:view": {}, "hydra:member": rows}).encode()


@pytest.mark.parametrize("status", [425, 520, 521, 522, 523, 524, 525, 526, 527, 530])
def test_a_transient_status_is_retried(scrapy: Scrapy, status: int) -> None:
    responses: list[RawResponse] = [(status, [], b"error"), (200, [LD_JSON], page(3))]
    with serving(lambda path: responses[min(len(server.requested), 2) - 1]) as server:
        crawl = crawl_at(scrapy, server.base_url)
        assert len(server.requested) == 2
    assert crawl.code == 0, crawl.err


def test_a_203_is_read_and_saved(scrapy: Scrapy) -> None:
    with serving(lambda path: (203, [LD_JSON], b"\xef\xbb\xbf" + page(3))) as server:
        crawl = crawl_at(scrapy, server.base_url)
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) + len(crawl.rejected) == 3


@pytest.mark.parametrize("status", [500, 502, 504, 520])
def test_retry_after_is_obeyed_beside_any_error(scrapy: Scrapy, status: int) -> None:
    moments = []

    def respond(path: str) -> RawResponse:
        moments.append(time.monotonic())
        if len(moments) == 1:
            return status, [("Retry-After", "1.2")], b""
        return 200, [LD_JSON, ("X-RateLimit-Remaining", "9" * 400)], page(3)

    with serving(respond) as server:
        crawl = crawl_at(scrapy, server.base_url)
    assert crawl.code == 0, crawl.err
    assert moments[1] - moments[0] >= 1.9  # rounded up to two seconds
    assert "the server asks to wait 2 s" in crawl.err


def test_a_retry_after_beyond_patience_stops_the_harvest(scrapy: Scrapy) -> None:
    with serving(lambda path: (502, [("Retry-After", "4000")], b"")) as server:
        crawl = crawl_at(scrapy, server.base_url)
        assert len(server.requested) == 1
    check_reason(crawl, 11, "THROTTLE_MAX_WAIT")


# --- sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([("X-Long", "x" * 20_000)], "a header line has more than 16,384 bytes"),
        ([(f"X-{n}", "x" * 900) for n in range(400)], "the headers have more than 262,144 bytes"),
    ],
)
def test_headers_that_are_too_large_are_named(
    scrapy: Scrapy, headers: list[tuple[str, str]], words: str
) -> None:
    with serving(lambda path: (200, [LD_JSON, *headers], page(3))) as server:
        crawl = crawl_at(scrapy, server.base_url)
    check_reason(crawl, 10, words)


def test_headers_without_end_are_cut_off(scrapy: Scrapy) -> None:
    sent = []

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            try:
                for _ in range(3000):
                    connection.sendall(b"X-Header: " + b"x" * 9_000 + b"\r\n")
                    sent.append(9_000)
            except OSError:
                return

    with listening(serve) as base_url:
        crawl = crawl_at(scrapy, base_url)
    check_reason(crawl, 10, "the headers have more than 262,144 bytes")
    assert sum(sent) < 3000 * 9_000


def test_a_body_that_is_too_large_is_named(scrapy: Scrapy) -> None:
    with serving(lambda path: (200, [LD_JSON], page(3) + b" " * 50_000)) as server:
        crawl = crawl_at(scrapy, server.base_url, "-s", "DOWNLOAD_MAXSIZE=40000")
    check_reason(crawl, 10, "the body has more than 40,000 bytes")


def test_cookies_of_a_session_are_bounded() -> None:
    class Open(SessionMiddleware):
        def __init__(self) -> None:
            """Without a crawler."""
            self._cookies = {}

        def _is_ours(self, request: Request) -> bool:
            return True

    session, request = Open(), Request("https://m/")
    for number in range(500):
        headers = {"Set-Cookie": [f"name{number}={'v' * (number % 200)}; Path=/"]}
        session.process_response(request, Response("https://m/", headers=headers))
    session.process_request(request)
    sent = (request.headers["Cookie"] or b"").decode()
    assert len(sent) <= MAX_COOKIE_BYTES
    assert 0 < len(sent.split("; ")) <= MAX_COOKIES
    assert "name499=" in sent
    assert "name0=" not in sent


# --- certificates -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and servers' certificates: expired, of another host, unsigned."""
    folder, now, day = tmp_path_factory.mktemp("tls"), datetime.now(UTC), timedelta(days=1)
    authority = _certificate(folder / "ca.pem", "", now + 9 * day)
    _certificate(folder / "expired.pem", "localhost", now - day, authority)
    _certificate(folder / "other.pem", "other.test", now + 9 * day, authority)
    _certificate(folder / "untrusted.pem", "localhost", now + 9 * day)
    return folder


Authority = tuple[x509.Name, ec.EllipticCurvePrivateKey]


def _certificate(
    path: Path, host: str, until: datetime, authority: Authority | None = None
) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {path.stem}")])
    issuer, signer = authority or (name, key)
    builder = (
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(until - timedelta(days=30))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
    )
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(public + secret)
    return name, key


@contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    """The port of an HTTPS server on loopback with this *certificate*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *client: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("expired", "has expired"),
        ("other", "is for another host name"),
        ("untrusted", "is not trusted: self-signed certificate"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(
    scrapy: Scrapy, certificates: Path, name: str, words: str
) -> None:
    began = time.monotonic()
    with tls_server(certificates / f"{name}.pem") as port:
        crawl = crawl_at(
            scrapy, f"https://localhost:{port}/v2/", SSL_CERT_FILE=str(certificates / "ca.pem")
        )
    check_reason(crawl, 10, f"the certificate of localhost:{port} {words}")
    assert time.monotonic() - began < 60


def test_a_name_that_is_unknown_is_named(scrapy: Scrapy) -> None:
    crawl = crawl_at(scrapy, "https://museum.invalid/v2/")
    check_reason(crawl, 10, "name not found: museum.invalid")


def test_a_proxy_that_refuses_is_named(scrapy: Scrapy) -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with listening(serve) as proxy:
        crawl = crawl_at(
            scrapy, "https://museum.example/v2/", https_proxy=proxy.removesuffix("/v2/")
        )
    check_reason(crawl, 10, "the proxy refuses to connect to museum.example with status 407")

"""Plain requests, and servers that send the responses of a test."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

RawResponse = tuple[int, list[tuple[str, str]], bytes]


def get(url: str) -> bytes:
    """The body of the response to a plain GET."""
    with urlopen(url, timeout=10) as response:
        body: bytes = response.read()
    return body


class Server(ThreadingHTTPServer):
    """Sends what *respond* returns for a path, or for a POST's body; :attr:`requested` has them."""

    daemon_threads = True

    def __init__(self, respond: Callable[[str], RawResponse]) -> None:
        self.respond = respond
        self.requested: list[str] = []
        self.headers_seen: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *requested: Any) -> None:
        """As usual, except for clients that have disconnected."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*requested)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v2/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._respond(self.path)

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _respond(self, requested: str) -> None:
        self.server.requested.append(requested)
        self.server.headers_seen.append({name.lower(): v for name, v in self.headers.items()})
        status, headers, body = self.server.respond(requested)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(respond: Callable[[str], RawResponse]) -> Iterator[Server]:
    """A server on loopback that sends what *respond* returns."""
    with Server(respond) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()

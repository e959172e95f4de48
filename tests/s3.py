"""A real S3 server on loopback that checks credentials."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET = "museum", "canary-secret"
# What becomes of a request, such as ``PUT /bucket/key``: headers that its response has instead
# of S3's (":status" ends it there, and S3 never sees it), or None, and it breaks off.
Meddle = Callable[[str], dict[str, str] | None]


class S3Server:
    """rclone serving *folder*, whose folders are the buckets; it can be killed and come back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 reads."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "2",
        }

    def start(self) -> None:
        """Serve, and wait until it does."""
        rclone = Path(sys.executable).with_name("rclone")
        self._server = subprocess.Popen(
            [
                *(str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{self._port}"),
                *("--auth-key", f"{KEY},{SECRET}", "--no-cleanup", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)

    @contextmanager
    def behind(self, meddle: Meddle, refused: tuple[str, ...] = ()) -> Iterator[str]:
        """An endpoint before it, with *meddle* between; *refused* headers lead to 501."""
        send = self._send

        class Front(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def hand_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = True
                meddled = meddle(request := f"{self.command} {self.path}")
                if meddled is None:
                    return
                status, headers, content = meddled.pop(":status", ""), {"content-length": "0"}, b""
                if any(name.lower().startswith(refused) for name in self.headers):
                    status = "501"
                if not status:
                    status, headers, content = send(request, body, dict(self.headers))
                self.send_response_only(int(status))
                for name, value in (headers | meddled).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_DELETE = hand_on  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Front) as front:
            threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True).start()
            yield f"http://127.0.0.1:{front.server_address[1]}"
            front.shutdown()

    def _send(
        self, request: str, body: bytes, headers: dict[str, str]
    ) -> tuple[str, dict[str, str], bytes]:
        method, _, path = request.partition(" ")
        with closing(HTTPConnection("127.0.0.1", self._port)) as server:
            server.request(method, path, body, {n: v for n, v in headers.items() if n != "Expect"})
            said = server.getresponse()
            told = {name.lower(): value for name, value in said.getheaders()}
            content = said.read()
        if told.pop("transfer-encoding", ""):
            told["content-length"] = str(len(content))
        return str(said.status), told, content

    def kill(self) -> None:
        """Be gone, as in a crash."""
        self._server.kill()
        self._server.wait()

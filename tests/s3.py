"""A real S3 server on loopback, with checked credentials, for whoever needs one."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEY, SECRET = "museum", "canary-secret"


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
    def broken_at(self, request: bytes) -> Iterator[str]:
        """An endpoint before it, at which *request* always breaks off in the middle."""
        with socket.create_server(("127.0.0.1", 0)) as door:
            threading.Thread(target=self._forward, args=(door, request), daemon=True).start()
            yield f"http://127.0.0.1:{door.getsockname()[1]}"

    def _forward(self, door: socket.socket, request: bytes) -> None:
        with suppress(OSError):  # the door is shut in the end
            while True:
                here, _ = door.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=_bridge, args=(here, there, request), daemon=True).start()

    def kill(self) -> None:
        """Be gone, as in a crash."""
        self._server.kill()
        self._server.wait()


def _bridge(here: socket.socket, there: socket.socket, until: bytes) -> None:
    with here, there:
        back = threading.Thread(target=_copy, args=(there, here, until))
        back.start()
        _copy(here, there, until)
        back.join()


def _copy(source: socket.socket, target: socket.socket, until: bytes) -> None:
    with suppress(OSError):
        while (data := source.recv(1 << 16)) and until not in data:
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

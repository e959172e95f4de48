"""A real S3 server on loopback, with checked credentials, for whoever needs one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
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

    def kill(self) -> None:
        """Be gone, as in a crash."""
        self._server.kill()
        self._server.wait()

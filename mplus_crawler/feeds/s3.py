"""Feeds in S3: one object each, put when the harvest is over, and looked at afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mplus_crawler.feeds.staging import StagedFile

# The tries that boto3 makes of each call, with pauses of its own between them.
_TRIES = 5
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class StagedObject(StagedFile):
    """An object to be: a local file until :meth:`publish` puts it into its bucket."""

    def __init__(
        self, uri: str, folder: Path, failed: Callable[[OSError], None], harvest: str
    ) -> None:
        split = urlsplit(uri)
        self._bucket = split.netloc
        self._prefix, _, name = split.path.lstrip("/").rpartition("/")
        super().__init__(folder / name, failed, harvest)

    def uri(self, target: Path) -> str:
        """Where *target* is, once it is published."""
        return f"s3://{self._bucket}/{self._key(target)}"

    def publish(self, target: Path) -> None:
        """Put the object and check it; the local file stays when that fails (OSError)."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with self.part.open("rb") as content:
                self._client.put_object(Bucket=self._bucket, Key=self._key(target), Body=content)
            stored = self._client.head_object(Bucket=self._bucket, Key=self._key(target))
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise OSError(f"{self.uri(target)}: {error}") from None
        self._check(target, stored)
        self.part.unlink()

    def remove(self, target: Path) -> None:
        """Remove what a former harvest left under that name."""
        self._client.delete_object(Bucket=self._bucket, Key=self._key(target))

    @property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        retries = {"max_attempts": _TRIES, "mode": "standard"}
        return boto3.client("s3", config=Config(retries=retries))

    def _key(self, target: Path) -> str:
        return f"{self._prefix}/{target.name}" if self._prefix else target.name

    def _check(self, target: Path, stored: dict[str, Any]) -> None:
        if stored["ContentLength"] != self.bytes:
            raise OSError(f"{self.uri(target)} has {stored['ContentLength']} of {self.bytes} bytes")
        with self.part.open("rb") as content:
            md5 = hashlib.file_digest(content, "md5").hexdigest()
        etag = _MD5.fullmatch(stored.get("ETag", ""))
        if etag and etag[1] != md5:
            raise OSError(f"{self.uri(target)} does not hold what was sent")

"""S3: one object a file, put when the harvest is over, and looked at afterwards.

Endpoint and credentials are where boto3 looks for them, never in a URI.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mplus_crawler.feeds.staging import StagedFile

# The tries that boto3 makes of each call, with pauses of its own between them, if nobody has
# told it otherwise (AWS_MAX_ATTEMPTS, max_attempts in a profile).
_TRIES = 5
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class Bucket:
    """A prefix in a bucket, ``s3://bucket/prefix``; *folder* keeps files until they are put.

    Every method raises OSError with the object's URI when S3 will not, or cannot be reached.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        split = urlsplit(uri)
        self.name = split.netloc
        self.prefix = split.path.strip("/")
        self.folder = folder

    def uri(self, name: str) -> str:
        """The URI of the object *name*."""
        return f"s3://{self.name}/{self._key(name)}"

    def stage(self, name: str, failed: Callable[[OSError], None], harvest: str) -> StagedObject:
        """A local file that will be the object *name*."""
        return StagedObject(self, name, failed, harvest)

    def read(self, name: str) -> bytes | None:
        """What the object holds; ``None`` where there is none."""
        with self._told(name):
            try:
                content = self._client.get_object(Bucket=self.name, Key=self._key(name))["Body"]
            except self._client.exceptions.NoSuchKey:
                return None
            return bytes(content.read())

    def write(self, name: str, content: bytes) -> None:
        """Put *content* as the object *name*; keep it in *folder* when that fails."""
        errors: list[OSError] = []
        file = self.stage(name, errors.append, str(os.getpid()))
        file.write(content)
        file.finish()
        if errors:
            raise errors[0]
        file.publish(file.target)

    def put(self, name: str, content: IO[bytes]) -> dict[str, Any]:
        """Put the object, and tell what S3 says of it afterwards."""
        where = {"Bucket": self.name, "Key": self._key(name)}
        with self._told(name):
            self._client.put_object(**where, Body=content)
            stored: dict[str, Any] = self._client.head_object(**where)
        return stored

    def look(self, name: str) -> tuple[int, datetime] | None:
        """The object's length in bytes, and when it was put; ``None`` where there is none."""
        with self._told(name):
            try:
                found = self._client.head_object(Bucket=self.name, Key=self._key(name))
            except self._client.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise
            return found["ContentLength"], found["LastModified"]

    def keeps_versions(self) -> bool:
        """Whether the bucket says that it keeps what is deleted."""
        with suppress(OSError), self._told(""):
            said = self._client.get_bucket_versioning(Bucket=self.name)
            return said.get("Status") in ("Enabled", "Suspended")
        return False

    def remove(self, name: str) -> None:
        """Delete the object, if there is one."""
        with self._told(name):
            self._client.delete_object(Bucket=self.name, Key=self._key(name))

    def names(self) -> list[str]:
        """The objects right below the prefix."""
        before = f"{self.prefix}/" if self.prefix else ""
        with self._told(""):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=before, Delimiter="/"
            )
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(key.removeprefix(before) for key in keys)

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.session import get_session

        tries = get_session().get_config_variable("max_attempts") or _TRIES
        retries = {"total_max_attempts": tries, "mode": "standard"}
        return boto3.client("s3", config=Config(retries=retries))

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError, ValueError) as error:
            raise OSError(f"{self.uri(name)}: {error}") from None

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


class StagedObject(StagedFile):
    """An object to be: a local file until :meth:`publish` puts it into its bucket."""

    def __init__(
        self, bucket: Bucket, name: str, failed: Callable[[OSError], None], harvest: str
    ) -> None:
        self._bucket = bucket
        super().__init__(bucket.folder / name, failed, harvest)

    def uri(self, target: Path) -> str:
        """Where *target* is, once it is published."""
        return self._bucket.uri(self._name(target))

    def publish(self, target: Path) -> None:
        """Put the object and check it; the local file stays when that fails (OSError)."""
        with self.part.open("rb") as content:
            stored = self._bucket.put(self._name(target), content)
        self._check(target, stored)
        self.part.unlink()

    def remove(self, target: Path) -> None:
        """Remove what a former harvest left under that name."""
        self._bucket.remove(self._name(target))

    def _name(self, target: Path) -> str:
        return target.relative_to(self._bucket.folder).as_posix()

    def _check(self, target: Path, stored: dict[str, Any]) -> None:
        if stored["ContentLength"] != self.bytes:
            raise OSError(f"{self.uri(target)} has {stored['ContentLength']} of {self.bytes} bytes")
        with self.part.open("rb") as content:
            md5 = hashlib.file_digest(content, "md5").hexdigest()
        etag = _MD5.fullmatch(stored.get("ETag", ""))
        if etag and etag[1] != md5:
            raise OSError(f"{self.uri(target)} does not hold what was sent")

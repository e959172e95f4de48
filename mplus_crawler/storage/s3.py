"""S3: one object per file, uploaded at the end of the harvest, and checked afterwards.

boto3 reads endpoint and credentials; they are never in a URI or a log.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

from mplus_crawler.storage.folders import Stored, bucket_and_prefix
from mplus_crawler.storage.staging import StagedFile, beside

# How often boto3 tries each call, unless AWS_MAX_ATTEMPTS or max_attempts in a profile says
# otherwise.
_TRIES = 5
_CONNECT = 10  # seconds; a reachable host accepts within one
# At DEBUG they log all request headers, session tokens among them.
_CHATTER = ("boto3", "botocore", "urllib3")
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
# What boto3 raises for a response that is not from S3: circular redirects, missing headers.
_STRANGE = (RecursionError, KeyError)


@cache
def client() -> Any:
    """Return boto3's client, one per process, without sending a request.

    Raises OSError where boto3 is missing or configured wrongly.
    """
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.session import get_session
    except ImportError as error:
        raise OSError(f"the package boto3 cannot be used ({error}): pip install boto3") from None
    try:
        tries = get_session().get_config_variable("max_attempts") or _TRIES
        retries = {"total_max_attempts": tries, "mode": "standard"}
        config = Config(
            retries=retries,
            connect_timeout=_CONNECT,
            # Many stores refuse the checksums that AWS computes; the ETag is compared instead.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        s3 = boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise OSError(f"boto3 is configured wrongly: {error}") from None
    if "@" in urlsplit(s3.meta.endpoint_url).netloc:
        raise OSError(
            "the endpoint contains a password: remove it, and configure credentials as for boto3"
        )
    return s3


class Bucket:
    """A prefix in a bucket, ``s3://bucket/prefix``; *folder* keeps files until they are uploaded.

    Every method raises OSError with the object's URI if S3 refuses or cannot be reached.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        self.name, self.prefix = bucket_and_prefix(uri)
        self.folder = folder

    def uri(self, name: str) -> str:
        """The URI of the object *name*."""
        return f"s3://{self.name}/{self._key(name)}"

    def stage(self, name: str, failed: Callable[[OSError], None]) -> StagedObject:
        """A local file that will be the object *name*."""
        return StagedObject(self, name, failed)

    def read(self, name: str) -> bytes | None:
        """What the object holds; ``None`` where there is none."""
        with self._errors_of(name) as s3:
            try:
                content = s3.get_object(Bucket=self.name, Key=self._key(name))["Body"]
            except s3.exceptions.NoSuchKey:
                return None
            return bytes(content.read())

    def write(self, name: str, content: bytes) -> None:
        """Put *content* as the object *name*."""
        self.put(name, io.BytesIO(content))

    def put(self, name: str, content: io.BufferedReader | io.BytesIO) -> None:
        """Upload the object, and compare what S3 then reports with *content*."""
        md5 = hashlib.file_digest(content, "md5").hexdigest()
        size = content.seek(0, io.SEEK_END)
        content.seek(0)
        with self._errors_of(name) as s3:
            s3.put_object(Bucket=self.name, Key=self._key(name), Body=content)
        self._check(name, size, md5)

    def rename(self, name: str, new: str) -> None:
        """Rename the object; one with the *new* name is replaced."""
        source = {"Bucket": self.name, "Key": self._key(name)}
        with self._errors_of(new) as s3:
            stored = s3.head_object(**source)
            s3.copy_object(Bucket=self.name, Key=self._key(new), CopySource=source)
        self._check(new, stored["ContentLength"], _md5(stored))
        self.remove(name)

    def _check(self, name: str, size: int, md5: str) -> None:
        """Raise OSError if size or checksum of the object *name* differ."""
        with self._errors_of(name) as s3:
            stored = s3.head_object(Bucket=self.name, Key=self._key(name))
            found = stored["ContentLength"]
        if found != size:
            raise OSError(f"{self.uri(name)} has {found} of {size} bytes")
        if md5 and _md5(stored) not in ("", md5):
            raise OSError(f"{self.uri(name)} differs from what was sent")

    def look(self, name: str) -> Stored | None:
        """Size and time of the object, by the clock of S3."""
        with self._errors_of(name) as s3:
            try:
                found = s3.head_object(Bucket=self.name, Key=self._key(name))
            except s3.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise
            return Stored(found["ContentLength"], found["LastModified"])

    def open(self, name: str) -> io.BufferedRandom:
        """A local copy of the object, which is deleted when it is closed."""
        file = TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            self._download(name, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def fetch(self, name: str, target: Path) -> None:
        """Download the object, piece by piece."""
        try:
            with target.open("wb") as file:
                self._download(name, file)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            raise

    def _download(self, name: str, file: IO[bytes]) -> None:
        with self._errors_of(name) as s3:
            try:
                content = s3.get_object(Bucket=self.name, Key=self._key(name))["Body"]
            except s3.exceptions.NoSuchKey:
                raise FileNotFoundError(f"{self.uri(name)}: no such object") from None
            for piece in content.iter_chunks(1 << 20):
                file.write(piece)

    def probe(self) -> None:
        """Put an object and delete it: bucket, credentials and permissions are in order."""
        name = f".{platform.node()}-{os.getpid()}.probe"
        self.write(name, b"probe")
        self.remove(name)

    def below(self, folder: str) -> Bucket:
        """The prefix *folder* below this one."""
        return Bucket(self.uri(folder), self.folder / folder)

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps versions of deleted objects."""
        with suppress(OSError), self._errors_of("") as s3:
            said = s3.get_bucket_versioning(Bucket=self.name)
            return said.get("Status") in ("Enabled", "Suspended")
        return False

    def remove(self, name: str) -> None:
        """Delete the object, if there is one."""
        with self._errors_of(name) as s3:
            s3.delete_object(Bucket=self.name, Key=self._key(name))

    def names(self) -> list[str]:
        """The objects right below the prefix."""
        before = f"{self.prefix}/" if self.prefix else ""
        with self._errors_of("") as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=before, Delimiter="/"
            )
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(key.removeprefix(before) for key in keys)

    @contextmanager
    def _errors_of(self, name: str) -> Iterator[Any]:
        s3 = client()
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield s3
        except (Boto3Error, BotoCoreError, ClientError, ValueError) as error:
            raise OSError(f"{self.uri(name)}: {' '.join(str(error).split())}") from None
        except _STRANGE:
            raise OSError(f"{self.uri(name)}: the endpoint's response is not from S3") from None

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def _md5(stored: dict[str, Any]) -> str:
    """Return the MD5 of an object's content if its ETag is one; with KMS it is not."""
    etag = _MD5.fullmatch(stored.get("ETag", ""))
    plain = stored.get("ServerSideEncryption", "AES256") == "AES256"
    return etag[1] if etag and plain and "SSECustomerAlgorithm" not in stored else ""


class StagedObject(StagedFile):
    """A future object: a local file, then a hidden object, then the object itself.

    The present object stays until the new content has been uploaded and checked.
    """

    remote = True

    def __init__(self, bucket: Bucket, name: str, failed: Callable[[OSError], None]) -> None:
        self._bucket = bucket
        super().__init__(bucket.folder.resolve() / name, failed)

    def uri(self, target: Path) -> str:
        """Where *target* is, once it is published."""
        return self._bucket.uri(self._name(target))

    def prepare(self) -> None:
        """Upload it under its hidden name; the local file stays until it is discarded (OSError)."""
        with self.part.open("rb") as content:
            self._bucket.put(self._name(self.part), content)

    def publish(self, target: Path) -> None:
        """Give the object its name (OSError)."""
        self._bucket.rename(self._name(self.part), self._name(target))
        self.place = self.uri(target)
        beside(self.target, "undelivered").unlink(missing_ok=True)

    def _name(self, target: Path) -> str:
        return target.relative_to(self.target.parent).as_posix()

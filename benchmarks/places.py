"""What harvests of one kind leave in their folder, and in their bucket in S3."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from benchmarks.kinds import Kind
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification.tables import READERS
from tests.conftest import Scrapy, limit
from tests.s3 import S3Server
from tests.test_images import LIMITS
from tests.wire import Server

_KEY = "sandbox-key"
_TIERS = ("collections", "private", "single")
_OF_SQLITE = ("-wal", "-shm", "-journal")
_LEFT_OVER = (".part", ".ledger", ".appended")
_TIMES = ("retrieved_at", "expires_at", "at")
# Times, numbers of processes, checksums: other ones in each harvest.
_CHANGING = re.compile(r"\d{8}T\d+Z?(-\d+)?|[0-9a-f]{12,}")
Records = dict[str, Counter[str]]


class Place:
    """A folder for harvests of one *kind*, and what those leave there."""

    def __init__(self, folder: Path, kind: Kind, museum: Sandbox) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.code: int | None = None
        self._former = folder.with_suffix(".former")
        self._kind = kind
        self._museum = museum
        folder.mkdir()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of the command."""
        return self._kind.arguments(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        scrapy = Scrapy(self.folder).at(self._museum)
        scrapy.policy("".join(limit(1_000_000, 1, tier) for tier in _TIERS) + LIMITS)
        scrapy.policy(limit(1_000_000, 1, "calls"), "mplus")
        more = {
            "MAX_REJECT_SHARE": "1",
            "DMG_API_KEY": _KEY,
            "MPLUS_API_KEY": _KEY,
            "MPLUS_URL": self._museum.mplus_url,
        }
        if isinstance(self._kind.server, S3Server):
            more |= self._kind.server.environment
        elif self._kind.server:
            more["DMG_BASE_URL"] = self._kind.server.base_url
        return scrapy.environment | more

    def save(self) -> None:
        """Remember the present files: each harvest starts from them."""
        shutil.copytree(self.folder, self._former)
        if self._bucket:
            shutil.copytree(self._bucket, self._former / "bucket")

    def restore(self) -> None:
        """Put everything back to what was saved, and forget the requests."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._former, self.folder)
        if self._bucket:
            # Through the server, which remembers what it has listed.
            shutil.rmtree(self.folder / "bucket")
            bucket = boto3.resource("s3", **self._account()).Bucket(self._kind.bucket)
            bucket.objects.all().delete()
            for file in (self._former / "bucket").rglob("*"):
                if file.is_file():
                    key = str(file.relative_to(self._former / "bucket"))
                    bucket.put_object(Key=key, Body=file.read_bytes())
        self._museum.reset()
        if isinstance(self._kind.server, Server):
            self._kind.server.requested.clear()

    def most_requests(self) -> int:
        """How often the page or image was requested that was requested most often."""
        if isinstance(self._kind.server, Server):
            return max(Counter(self._kind.server.requested).values(), default=0)
        log = self._museum.stats(log=True)["log"]
        return max(Counter(path for _, path, _ in log).values(), default=0)

    def names(self) -> Counter[str]:
        """The names of all files, without what changes from harvest to harvest."""
        return Counter(_plain(name) for name, _ in self._files())

    def records(self) -> Records:
        """The records in each feed, rejected ones too, and how often each is there."""
        found: Records = {}
        for name, file in self._files():
            ours = ".certificate." in name or "/.state/" in name
            if not ours and not _is_left_over(name) and (rows := _rows(file)):
                found[_plain(name)] = found.get(_plain(name), Counter()) + rows
        return found

    def problems(self) -> Iterator[str]:
        """Yield faults of the files: left over, stale, unverified, readable by others."""
        certified = set()
        for name, file in self._files():
            if _is_left_over(name):
                yield f"{name} was left"
            if self._kind.private and "private" in file.name and file.stat().st_mode & 0o077:
                yield f"others may read {name}"
            if file.suffix == ".png" and _digest(file) != file.stem:
                yield f"{name} is no whole image"
            if name.endswith(".certificate.json"):
                for entry in json.loads(file.read_bytes())["feeds"]:
                    feed = self._locate(entry["uri"])
                    if _digest(feed) == entry["sha256"]:
                        certified.add(feed)
                    elif "/runs/" not in name:  # there are those of former feeds, too
                        yield f"{name} does not describe {entry['uri']}"
        if not certified:
            yield "no certificate describes a feed"

    @property
    def _bucket(self) -> Path | None:
        server = self._kind.server
        return server.folder / self._kind.bucket if isinstance(server, S3Server) else None

    def _account(self) -> dict[str, Any]:
        assert isinstance(self._kind.server, S3Server)
        given = self._kind.server.environment
        return {
            "endpoint_url": given["AWS_ENDPOINT_URL"],
            "aws_access_key_id": given["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": given["AWS_SECRET_ACCESS_KEY"],
            "region_name": given["AWS_DEFAULT_REGION"],
        }

    def _locate(self, uri: str) -> Path:
        if self._bucket and uri.startswith("s3://"):
            return self._bucket.parent / uri.removeprefix("s3://")
        return Path(uri)

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Yield every file and its name below the folder or the bucket."""
        for top in (self.folder, *([self._bucket] if self._bucket else [])):
            for file in sorted(top.rglob("*")):
                if file.is_file() and not file.name.endswith(_OF_SQLITE):
                    yield f"{top.name}/{file.relative_to(top)}", file


def _is_left_over(name: str) -> bool:
    """Whether only a killed process leaves *name*, or the folder that it is in."""
    return any(part.endswith(_LEFT_OVER) for part in name.split("/"))


def _plain(name: str) -> str:
    return _CHANGING.sub("#", name)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _rows(file: Path) -> Counter[str]:
    """The rows of a feed without times; what cannot be read is a row that says so."""
    try:
        content = file.read_bytes()
        name = file.name
        if name.endswith(".gz"):
            content, name = gzip.decompress(content), name.removesuffix(".gz")
        rows: list[dict[str, Any]]
        if name.endswith(".jsonl"):
            rows = [json.loads(line) for line in content.splitlines()]
        elif name.endswith(".csv"):
            rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        elif read := READERS.get(name.rpartition(".")[2]):
            rows = list(read(file))
        elif name.endswith(".json") and content.startswith(b"["):
            rows = json.loads(content)
        else:
            return Counter()
    except (ValueError, OSError, EOFError) as error:
        return Counter([f"cannot be read: {error}"])
    # The first line of a change feed names two runs, which are others each time.
    rows = [row for row in rows if "feed" not in row]
    return Counter(json.dumps(_timeless(row), sort_keys=True) for row in rows)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(v) for name, v in value.items() if name not in _TIMES}
    return [*map(_timeless, value)] if isinstance(value, list) else value

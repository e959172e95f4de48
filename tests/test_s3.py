"""Feeds in S3, against a real server with checked credentials on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
KEY, SECRET = "museum", "canary-secret"


@pytest.fixture
def bucket(tmp_path: Path, scrapy: Scrapy) -> Iterator[Path]:
    """A bucket ``harvest``, seen from behind; the crawls know how to reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "s3" / "harvest"
    folder.mkdir(parents=True)
    rclone = Path(sys.executable).with_name("rclone")
    server = subprocess.Popen(
        [
            *(str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{port}"),
            *("--auth-key", f"{KEY},{SECRET}", "--no-cleanup", str(folder.parent)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    scrapy.environment |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        # boto3 warns of what it does itself; its users are not its developers.
        "PYTHONWARNINGS": "default",
    }
    yield folder
    server.kill()
    server.wait()


def test_a_feed_is_one_whole_object(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path
) -> None:
    sandbox = museum(objects=460)
    scrapy.at(sandbox).policy(UNLIMITED)
    crawl = scrapy.crawl("objects", "-O", "s3://harvest/gent/objects.jsonl")
    assert crawl.code == 0, crawl.err
    lines = (bucket / "gent" / "objects.jsonl").read_bytes().splitlines()
    assert len(lines) == crawl.certificate["unique"]
    assert json.loads(lines[0])["id"]
    (feed,) = crawl.certificate["feeds"]
    assert feed["uri"] == "s3://harvest/gent/objects.jsonl"
    assert SECRET not in crawl.err + json.dumps(crawl.certificate)
    snapshot = (bucket / "gent" / "objects.jsonl").read_bytes()
    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    broken = scrapy.crawl("objects", "-O", "s3://harvest/gent/objects.jsonl")
    assert broken.code == 10, broken.err
    assert (bucket / "gent" / "objects.jsonl").read_bytes() == snapshot
    assert (bucket / "gent" / "objects.incomplete.jsonl").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}],
    ids=["key", "endpoint"],
)
def test_what_cannot_be_delivered_is_kept_and_named(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path, wrong: dict[str, str]
) -> None:
    scrapy.at(museum(objects=460)).policy(UNLIMITED)
    feed = ("-O", "s3://harvest/objects.jsonl")
    crawl = scrapy.crawl("objects", *feed, **wrong)
    assert crawl.code == 14, crawl.err
    assert "Traceback" not in crawl.err
    (kept,) = [word for word in crawl.certificate["reason"].split() if word.endswith(".part")]
    assert len(Path(kept).read_bytes().splitlines()) == crawl.certificate["unique"]
    again = scrapy.crawl("objects", *feed)
    assert again.code == 0, again.err
    assert again.certificate["pages"]["fetched"] == 0
    assert (bucket / "objects.jsonl").exists()

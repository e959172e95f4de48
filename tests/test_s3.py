"""Delivery to S3, against a real server with checked credentials on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit
from tests.s3 import SECRET, S3Server

pytestmark = pytest.mark.long

UNLIMITED = limit(1_000_000, 1)
GENT = "s3://harvest/gent"


@pytest.fixture
def s3(tmp_path: Path, scrapy: Scrapy) -> Iterator[S3Server]:
    """A server with a bucket ``harvest``; the crawls know how to reach it."""
    server = S3Server(tmp_path / "s3")
    (server.folder / "harvest").mkdir(parents=True)
    server.start()
    scrapy.environment |= server.environment
    yield server
    server.kill()


@pytest.fixture
def bucket(s3: S3Server) -> Path:
    """The bucket, seen from behind."""
    return s3.folder / "harvest"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def certified(folder: Path, stem: str = "objects") -> dict[str, Any]:
    """The certificate, after its feed has been held against it."""
    certificate: dict[str, Any] = json.loads((folder / f"{stem}.certificate.json").read_bytes())
    (feed,) = certificate["feeds"]
    content = (folder / Path(feed["uri"]).name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == feed["sha256"]
    assert len(content.splitlines()) == feed["items"] == certificate["unique"]
    return certificate


def kept(certificate: dict[str, Any]) -> list[Path]:
    """The local files that the reason names."""
    words = certificate["reason"].replace(",", " ").split()
    return [Path(word) for word in words if ".undelivered." in word]


def test_a_feed_is_one_whole_object(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path
) -> None:
    sandbox = museum(objects=460)
    scrapy.at(sandbox).policy(UNLIMITED)
    crawl = scrapy.crawl("objects", "-O", f"{GENT}/objects.jsonl")
    assert crawl.code == 0, crawl.err
    lines = (bucket / "gent" / "objects.jsonl").read_bytes().splitlines()
    assert len(lines) == crawl.certificate["unique"]
    assert json.loads(lines[0])["id"]
    (feed,) = crawl.certificate["feeds"]
    assert feed["uri"] == f"{GENT}/objects.jsonl"
    assert SECRET not in crawl.err + json.dumps(crawl.certificate)
    snapshot = (bucket / "gent" / "objects.jsonl").read_bytes()
    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    broken = scrapy.crawl("objects", "-O", f"{GENT}/objects.jsonl")
    assert broken.code == 10, broken.err
    assert (bucket / "gent" / "objects.jsonl").read_bytes() == snapshot
    assert (bucket / "gent" / "objects.incomplete.jsonl").exists()


def test_two_feeds_of_one_name_do_not_get_into_each_others_way(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path
) -> None:
    scrapy.at(museum(objects=10, invalid=0)).policy(UNLIMITED)
    options = {"format": "jsonlines", "overwrite": True}
    feeds = {
        "s3://harvest/all/x.jsonl": options,
        "s3://harvest/ids/x.jsonl": {**options, "fields": ["id"]},
        "s3://harvest/all/x.sqlite": {"format": "sqlite"},
        "s3://harvest/all/x.csv": {"format": "csv"},
    }
    crawl = scrapy.crawl("objects", "-s", f"FEEDS={json.dumps(feeds)}")
    assert crawl.code == 0, crawl.err
    whole, ids = (
        [json.loads(line) for line in (bucket / folder / "x.jsonl").read_bytes().splitlines()]
        for folder in ("all", "ids")
    )
    assert [{"id": record["id"]} for record in whole] == ids
    assert len(ids) == 10
    assert names(bucket / "all") == ["x.csv", "x.jsonl", "x.schema.json", "x.sqlite"]
    assert (bucket / "all" / "x.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_a_whole_harvest_goes_there_and_an_incomplete_one_leaves_the_snapshot(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path
) -> None:
    sandbox = museum(objects=460)
    scrapy.at(sandbox).policy(UNLIMITED)
    crawl = scrapy.crawl("objects", "-a", "_job=nightly", HARVEST_DIR=GENT)
    assert crawl.code == 0, crawl.err
    job = json.loads((bucket / "gent" / "jobs" / "nightly.certificate.json").read_bytes())
    assert (job["job"], job["verdict"]) == ("nightly", "complete")
    wanted = {"objects.jsonl", "objects.rejected.jsonl", "objects.certificate.json"}
    assert wanted <= set(names(bucket / "gent"))
    complete = certified(bucket / "gent")
    assert complete["feeds"][0]["uri"] == f"{GENT}/objects.jsonl"
    snapshot = (bucket / "gent" / "objects.jsonl").read_bytes()

    sandbox.fault("status:code=404,path=objects,page=2,times=always")
    broken = scrapy.crawl("objects", HARVEST_DIR=GENT)
    assert broken.code == 10, broken.err
    assert (bucket / "gent" / "objects.jsonl").read_bytes() == snapshot
    assert certified(bucket / "gent", "objects.incomplete")["verdict"] == "incomplete"
    assert certified(bucket / "gent") == complete

    sandbox.clear()
    again = scrapy.crawl("objects", HARVEST_DIR=GENT)
    assert again.code == 0, again.err
    assert certified(bucket / "gent")["pages"]["replayed"] > 0
    assert not [name for name in names(bucket / "gent") if ".incomplete." in name]
    assert len(names(bucket / "gent" / "runs")) == 2  # a resumed run is the same run
    state = scrapy.folder / "state"
    assert not [*state.rglob("*.part"), *state.rglob("*.ledger")]


@pytest.mark.parametrize("target", ["HARVEST_DIR", "feed"])
@pytest.mark.parametrize("wrong", ["key", "none", "bucket", "forbidden", "killed"])
def test_a_place_that_cannot_be_written_to_is_reported_before_the_first_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy, s3: S3Server, wrong: str, target: str
) -> None:
    sandbox = museum(objects=10)
    scrapy.at(sandbox).policy(UNLIMITED)
    place, environment = GENT, dict[str, str]()
    match wrong:
        case "key":
            environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
        case "none":
            empty = str(scrapy.folder / "none")
            environment |= {"AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_CONFIG_FILE": empty}
            environment["AWS_EC2_METADATA_DISABLED"] = "true"
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                del scrapy.environment[name]
        case "bucket":
            place = "s3://missing/gent"
        case "killed":
            s3.kill()
    given: tuple[str, ...] = ("-a", "_job=nightly", "-s", f"HARVEST_STATE_DIR={scrapy.folder}/s")
    if target == "feed":
        given += ("-O", f"{place}/objects.jsonl")
    else:
        environment["HARVEST_DIR"] = place
    with s3.behind(lambda request: {":status": "403"}) as forbidden:
        if wrong == "forbidden":
            environment["AWS_ENDPOINT_URL"] = forbidden
        done = scrapy.run("crawl", "objects", *given, **environment)
    assert done.returncode == 14, done.stderr
    assert "cannot write to S3" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0
    (job,) = scrapy.folder.rglob("nightly.certificate.json")
    assert json.loads(job.read_bytes())["exit_code"] == 14


def test_a_store_that_refuses_the_checksums_of_aws_works(
    museum: Callable[..., Sandbox], scrapy: Scrapy, s3: S3Server, bucket: Path
) -> None:
    scrapy.at(museum(objects=10, invalid=0)).policy(UNLIMITED)
    refused = ("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer")
    with s3.behind(lambda request: {}, refused) as endpoint:
        crawl = scrapy.crawl("objects", HARVEST_DIR=GENT, AWS_ENDPOINT_URL=endpoint)
    assert crawl.code == 0, crawl.err
    assert certified(bucket / "gent")["verdict"] == "complete"


@pytest.mark.parametrize("wrong", ["forbidden", "broken off"])
def test_what_cannot_be_delivered_is_kept_and_named(
    museum: Callable[..., Sandbox], scrapy: Scrapy, s3: S3Server, wrong: str
) -> None:
    scrapy.at(museum(objects=460)).policy(UNLIMITED)
    assert scrapy.crawl("objects", HARVEST_DIR=GENT).code == 0
    snapshot = (s3.folder / "harvest" / "gent" / "objects.jsonl").read_bytes()

    def meddle(request: str) -> dict[str, str] | None:
        if ".probe" in request:
            return {}
        return {":status": "403"} if wrong == "forbidden" else None

    state = scrapy.folder / "other-state"
    given = ("-a", "_job=nightly", "-s", f"HARVEST_STATE_DIR={state}")
    with s3.behind(meddle) as endpoint:
        crawl = scrapy.crawl("objects", *given, HARVEST_DIR=GENT, AWS_ENDPOINT_URL=endpoint)
    assert crawl.code == 14, crawl.err
    assert "Traceback" not in crawl.err
    assert SECRET not in crawl.err
    certificate = json.loads((state / "objects.incomplete.certificate.json").read_bytes())
    assert certificate["verdict"] == "undelivered"
    job = json.loads((state / "jobs" / "nightly.certificate.json").read_bytes())
    assert (job["verdict"], job["exit_code"]) == ("undelivered", 14)
    whole = [file for file in kept(certificate) if "rejected" not in file.name]
    (records,) = [file.read_bytes().splitlines() for file in whole]
    assert len(records) == certificate["unique"]
    assert all(str(file) in crawl.err for file in whole)
    assert (s3.folder / "harvest" / "gent" / "objects.jsonl").read_bytes() == snapshot
    again = scrapy.crawl("objects", HARVEST_DIR=GENT, HARVEST_STATE_DIR=str(state))
    assert again.code == 0, again.err
    assert certified(s3.folder / "harvest" / "gent")["pages"]["fetched"] == 0


@pytest.mark.parametrize("file", ["objects.jsonl", "objects.certificate.json"])
def test_what_breaks_off_is_kept_and_the_same_command_delivers_it(
    museum: Callable[..., Sandbox], scrapy: Scrapy, s3: S3Server, bucket: Path, file: str
) -> None:
    sandbox = museum(objects=230)
    scrapy.at(sandbox).policy(UNLIMITED)
    scrapy.environment |= {"HARVEST_DIR": f"{GENT}/", "HARVEST_STATE_DIR": str(scrapy.folder)}
    assert scrapy.crawl("objects").code == 0
    former = certified(bucket / "gent")
    with s3.behind(
        lambda request: None if request == f"PUT /harvest/gent/{file}" else {}
    ) as endpoint:
        crawl = scrapy.crawl("objects", AWS_ENDPOINT_URL=endpoint)
    assert crawl.code == 14, crawl.err
    if file == "objects.jsonl":
        (feed,) = former["feeds"]
        content = (bucket / "gent" / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == feed["sha256"]
    incomplete = bucket / "gent" / "objects.incomplete.certificate.json"
    certificate = json.loads(incomplete.read_bytes())
    stayed = json.loads((bucket / "gent" / "objects.certificate.json").read_bytes())
    assert stayed == former
    (feed,) = certificate["feeds"]
    if file == "objects.jsonl":
        assert [Path(feed["uri"])] == kept(certificate)[-1:]
    else:  # the feed is there already, and the run's certificate says so
        content = (bucket / "gent" / "objects.jsonl").read_bytes()
        assert hashlib.sha256(content).hexdigest() == feed["sha256"]
    assert (certificate["verdict"], certificate["exit_code"]) == ("undelivered", 14)
    assert certificate["resume"] == "scrapy crawl objects"
    assert all(str(path) in crawl.err for path in kept(certificate))
    requested = sandbox.stats()["tiers"]["collections"]["requests"]
    assert scrapy.crawl("objects").code == 0
    assert sandbox.stats()["tiers"]["collections"]["requests"] == requested
    assert certified(bucket / "gent")["verdict"] == "complete"
    assert not incomplete.exists()
    assert not [*scrapy.folder.glob("*.certificate.json"), *scrapy.folder.glob(".*.part")]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("PUT", {":status": "200"}),  # and nothing is stored
        ("HEAD", {":status": "403"}),
        ("HEAD", {":status": "200"}),
        ("HEAD", {"content-length": "7"}),
        ("HEAD", {"etag": f'"{0:032}"'}),
        ("DELETE", {":status": "403"}),
        ("", {":status": "301", "location": "/harvest"}),
    ],
)
def test_what_is_not_seen_to_be_there_replaces_nothing(
    museum: Callable[..., Sandbox],
    scrapy: Scrapy,
    s3: S3Server,
    bucket: Path,
    request_: str,
    told: dict[str, str],
) -> None:
    scrapy.at(museum(objects=10, invalid=0)).policy(UNLIMITED)
    assert scrapy.crawl("objects", HARVEST_DIR=GENT).code == 0
    former = certified(bucket / "gent")

    def meddle(request: str) -> dict[str, str] | None:
        return dict(told) if request.startswith(request_) else {}

    command = ("objects", "-a", "limit=5")
    with s3.behind(meddle) as endpoint:
        crawl = scrapy.crawl(*command, HARVEST_DIR=GENT, AWS_ENDPOINT_URL=endpoint)
    assert crawl.code == 14, crawl.err
    assert "Traceback" not in crawl.err
    feed = (bucket / "gent" / "objects.jsonl").read_bytes()
    assert hashlib.sha256(feed).hexdigest() == former["feeds"][0]["sha256"]
    certificates = [
        json.loads(file.read_bytes()) for file in (bucket / "gent").glob("*.certificate.json")
    ]
    assert former in certificates
    assert all(one == former for one in certificates if one["verdict"] == "complete")
    assert scrapy.crawl(*command, HARVEST_DIR=GENT).code == 0
    assert certified(bucket / "gent", "objects.selection")["unique"] == 5
    assert certified(bucket / "gent") == former
    assert not [name for name in names(bucket / "gent") if name.endswith(".part")]


def test_what_a_key_of_kms_encrypts_has_an_etag_that_is_no_checksum(
    museum: Callable[..., Sandbox], scrapy: Scrapy, s3: S3Server, bucket: Path
) -> None:
    scrapy.at(museum(objects=10, invalid=0)).policy(UNLIMITED)
    told = {"etag": f'"{0:032}"', "x-amz-server-side-encryption": "aws:kms"}
    with s3.behind(lambda request: dict(told)) as endpoint:
        crawl = scrapy.crawl("objects", HARVEST_DIR=GENT, AWS_ENDPOINT_URL=endpoint)
    assert crawl.code == 0, crawl.err
    assert certified(bucket / "gent")["verdict"] == "complete"


def test_no_log_holds_credentials_and_a_place_may_have_any_name(
    museum: Callable[..., Sandbox], scrapy: Scrapy, bucket: Path
) -> None:
    scrapy.at(museum(objects=10, invalid=0)).policy(UNLIMITED)
    place = "s3://harvest/a b/100%/é#?x//"
    token = f"{SECRET}-token"
    crawl = scrapy.crawl("objects", "-L", "DEBUG", HARVEST_DIR=place, AWS_SESSION_TOKEN=token)
    assert crawl.code == 0, crawl.err
    assert certified(bucket / "a b" / "100%" / "é#?x")["verdict"] == "complete"
    assert SECRET not in crawl.err
    assert "AWS4-HMAC-SHA256" not in crawl.err


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HARVEST_DIR": f"s3://museum:{SECRET}@harvest/gent"}, "write s3://bucket"),
        ({"AWS_ENDPOINT_URL": f"http://museum:{SECRET}@127.0.0.1:9"}, "endpoint"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint"),
        ({"AWS_PROFILE": "nobody"}, "profile (nobody)"),
        ({"RUN_FIRST": "{folder}/first.py"}, "pip install boto3"),
    ],
)
def test_what_boto3_cannot_use_is_reported_before_the_first_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy, environment: dict[str, str], words: str
) -> None:
    sandbox = museum(objects=10)
    scrapy.first("import sys\nsys.modules['boto3'] = None")
    given = {name: value.format(folder=scrapy.folder) for name, value in environment.items()}
    given = {"HARVEST_DIR": GENT, "HARVEST_STATE_DIR": str(scrapy.folder), **given}
    feed = ("-O", str(scrapy.folder / "objects.jsonl"), "-a", "_job=nightly")
    crawl = scrapy.at(sandbox).run("crawl", "objects", *feed, **given)
    doctor = scrapy.run("doctor", "dmg", **given)
    assert (crawl.returncode, doctor.returncode) == (2, 1), crawl.stderr + doctor.stdout
    assert words in crawl.stderr
    assert words in doctor.stdout
    for said in (crawl.stderr, doctor.stdout + doctor.stderr):
        assert "Traceback" not in said
        assert SECRET not in said
    assert sandbox.stats()["tiers"]["collections"]["requests"] <= 1  # the doctor's


@pytest.mark.parametrize("place", ["s3://", "s3:///objects"])
def test_a_place_without_a_bucket_is_refused(scrapy: Scrapy, place: str) -> None:
    done = scrapy.run("crawl", "objects", "-a", "_job=nightly", HARVEST_DIR=place)
    assert done.returncode == 2
    (job,) = scrapy.folder.rglob("nightly.certificate.json")
    assert "names no bucket" in json.loads(job.read_bytes())["reason"]
    assert "Traceback" not in done.stderr
    assert "names no bucket" in done.stderr

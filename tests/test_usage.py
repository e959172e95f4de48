"""Usage errors: one line that says what to do, and the exit code of the contract."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest
from scrapy.settings import Settings

from mplus_crawler.errors import UsageError
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.dmg.collections import AgentsSpider, ObjectsSpider
from mplus_crawler.spiders.mplus.terms import MplusTermsSpider
from tests.conftest import Crawl, Scrapy
from tests.wire import serving


def check_one_line(crawl: Crawl, code: int, *words: str) -> None:
    assert crawl.code == code, crawl.err
    assert "Traceback" not in crawl.err
    (line,) = [line for line in crawl.err.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-a", "colour=red"], ["colour", "since", "limit", "hasImages"]),
        (["-a", "agent=DMG-A-00162", "-a", "type=vaas"], ["agent", "ignores", "type"]),
        (["-s", "DMG_BASE_URL=nonsense"], ["DMG_BASE_URL", "https://"]),
        (["-s", "HARVEST_DIR=p%(time)s"], ["HARVEST_DIR"]),
        (["-s", "HARVEST_DIR="], ["HARVEST_DIR", "empty"]),
        (["-s", "LOG_LEVEL=debug"], ["LOG_LEVEL", "DEBUG"]),
        (["-s", "RATE_SHARE=2"], ["RATE_SHARE"]),
        (["-s", "SCHEDULER=x.y"], ["SCHEDULER: x.y cannot be loaded", "No module named 'x'"]),
        (["-s", "SPIDER_LOADER_CLASS=x.y"], ["SPIDER_LOADER_CLASS", "x.y"]),
        (["-s", "EXTENSIONS=[1]"], ["EXTENSIONS", "a JSON object"]),
        (["-s", "BUDGET_URL=redis://["], ["BUDGET_URL"]),
        (["-s", "BUDGET_URL=mysql://x"], ["BUDGET_URL", "sqlite:///"]),
        (["-s", "POLICY_DIR=/no/such/folder"], ["POLICY_DIR"]),
        (["-s", "DMG_API_KEY=canary"], ["DMG_API_KEY", "environment"]),
        (["-a", "dmg_api_key=canary"], ["DMG_API_KEY", "environment"]),
        (["-O", "objects.docx"], ["docx", "jsonl"]),
        (["-O", "/dev/null:jsonl"], ["not a file", "-o -"]),
        (["-O", "objects.csv", "-O", "./objects.csv:jsonl"], ["./objects.csv", "same file"]),
    ],
)
def test_a_usage_error_is_one_line_and_requests_nothing(
    scrapy: Scrapy, arguments: list[str], words: list[str]
) -> None:
    with serving(lambda path: (500, [], b"")) as server:
        crawl = scrapy.crawl("objects", *arguments, DMG_BASE_URL=server.base_url)
    check_one_line(crawl, 2, *words)
    assert "canary" not in crawl.err
    assert server.requested == []
    assert not crawl.folder.exists()


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("since=yesterday", "YYYY-MM-DD"),
        ("since=2026-02-30", "day is out of range"),
        ("page_size=0", "1"),
        ("page_size=1000", "100"),
        ("limit=-1", "from 1"),
        ("hasImages=perhaps", "true"),
        ("hasImages=false", "true"),
        ('type="vaas', '"'),
    ],
)
def test_a_malformed_argument_is_refused(argument: str, words: str) -> None:
    name, _, value = argument.partition("=")
    with pytest.raises(UsageError, match=f"objects: {name}=.*{words}"):
        ObjectsSpider.check(Settings(), {name: value})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://museum.example/v2/", "must be https"),
        ("http://[", "not the URL"),
        ("http://me:canary@127.0.0.1/", "password"),
        ("http://127.0.0.1:99999/", "not the URL"),
        ("https://mus eum.example/v2/", "not the URL"),
        ("https://museum.example/v2/#top", "not the URL"),
    ],
)
def test_a_malformed_base_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"DMG_BASE_URL .*{words}") as refused:
        ObjectsSpider.check(Settings({"DMG_BASE_URL": url}), {})
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("given", ["-s DOOR_TOKEN=canary", "-a door_token=canary"])
def test_a_key_that_a_policy_of_the_users_names_is_refused(scrapy: Scrapy, given: str) -> None:
    text = '[credential]\nenvironment = "DOOR_TOKEN"\nquery = "k"\npaths = ["."]\nask = "knock"\n'
    crawl = scrapy.policy(text, "another").crawl("objects", *given.split())
    check_one_line(crawl, 2, "DOOR_TOKEN", "environment")
    assert "canary" not in crawl.err
    harvest = scrapy.run("harvest", "dmg", *given.split()) if given.startswith("-s") else None
    assert harvest is None or (harvest.returncode == 2 and "canary" not in harvest.stderr)


@pytest.mark.parametrize("name", ["DMG_BASE_URL", "DMG_URL"])
def test_the_api_is_where_either_name_says(scrapy: Scrapy, name: str) -> None:
    with serving(lambda path: (410, [], b"")) as server:
        assert scrapy.crawl("objects", **{name: server.base_url}).code == 12
        assert scrapy.crawl("agents", "-s", f"{name}={server.base_url}", MPLUS_URL="x").code == 12
        elsewhere = {"DMG_BASE_URL": "http://127.0.0.1:9/"}
        assert scrapy.crawl("dcat", "-s", f"{name}={server.base_url}", **elsewhere).code == 12
    assert len(server.requested) == 3


def test_a_job_that_its_settings_break_has_a_certificate(scrapy: Scrapy) -> None:
    for setting, code in (("LOG_FILE=/no/such/folder/log", 14), ("LOOKAHEAD", 2)):
        crawl = scrapy.crawl("objects", "-a", "_job=nightly", "-s", setting)
        check_one_line(crawl, code, setting.partition("=")[2])
        job = json.loads((crawl.folder / "jobs" / "nightly.certificate.json").read_bytes())
        assert (job["verdict"], job["exit_code"]) == ("not_started", code)


def test_a_spider_that_is_not_there_is_a_usage_error(scrapy: Scrapy) -> None:
    check_one_line(scrapy.crawl("paintings"), 2, "paintings", "objects")


@pytest.mark.parametrize("missing", ["limits", "source", "checked"])
def test_a_policy_with_a_missing_field_is_named(scrapy: Scrapy, missing: str) -> None:
    tier = {
        "name": '"collections"',
        "paths": '["id/objects"]',
        "limits": "[{ requests = 10, seconds = 1 }]",
        "source": '"a letter"',
        "checked": "2026-11-22",
    }
    del tier[missing]
    text = "[[tier]]\n" + "\n".join(f"{key} = {value}" for key, value in tier.items())
    check_one_line(scrapy.policy(text).crawl("objects"), 2, missing, "dmg.toml")


def test_a_policy_that_is_no_toml_is_named(scrapy: Scrapy) -> None:
    check_one_line(scrapy.policy("limits: 5").crawl("objects"), 2, "dmg.toml", "TOML")


def test_a_budget_that_cannot_be_opened_stops_before_any_request(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with serving(lambda path: (500, [], b"")) as server:
        crawl = scrapy.crawl(
            "objects",
            DMG_BASE_URL=server.base_url,
            BUDGET_URL=f"sqlite:///{tmp_path}/file/budget.sqlite",
        )
    check_one_line(crawl, 2, "budget", "BUDGET_URL")
    assert server.requested == []


def test_an_unreachable_host_is_incomplete(scrapy: Scrapy) -> None:
    once = ("-s", "RETRY_TIMES=1", "-s", "RETRY_BACKOFF_BASE=0.01")
    crawl = scrapy.crawl("objects", *once, DMG_BASE_URL="http://127.0.0.1:9/v2/")
    assert crawl.code == 10
    assert "Traceback" not in crawl.err
    assert crawl.certificate["verdict"] == "incomplete"
    assert "refused" in crawl.certificate["reason"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", [("crawl", "objects"), ("harvest", "dmg")])
def test_a_signal_before_the_first_request_is_one_line_too(
    scrapy: Scrapy, command: tuple[str, ...], how: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as store:  # accepts, and says nothing
        url = f"redis://127.0.0.1:{store.getsockname()[1]}/0"
        process = scrapy.start(*command, BUDGET_URL=url)
        client, _ = store.accept()
        with client:
            process.send_signal(how)
            _, err = process.communicate(timeout=20)
    assert process.returncode == 11, err
    # A connection that is left open is reported, too, where warnings are errors.
    assert err.startswith("error: interrupted before the first request\n")
    assert "KeyboardInterrupt" not in err


@pytest.mark.parametrize(
    ("spider", "setting"), [(AgentsSpider, "DMG_BASE_URL"), (MplusTermsSpider, "MPLUS_URL")]
)
@pytest.mark.parametrize(
    "url",
    [
        "https://user:canary-1234@museum.test/v2/",
        "https://canary-1234@museum.test/v2/",
        "https://museum.test/v2/?apiKey=canary-1234",
        "https://museum.test/v2/#canary-1234",
        "user:canary-1234@museum.test/v2/",
        "https://museum.test:0/v2/?canary-1234",
        "ftp://canary-1234@museum.test/",
    ],
)
def test_a_key_in_a_base_url_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, spider: type[MuseumSpider], setting: str, url: str
) -> None:
    policy = spider.load_policy(Settings())
    monkeypatch.setenv(setting, url)
    for settings in (Settings({setting: url}), Settings()):
        with pytest.raises(UsageError, match=setting) as refused:
            spider.base(settings, policy)
        assert "canary" not in str(refused.value)


def test_a_password_in_a_base_url_is_in_no_output(scrapy: Scrapy) -> None:
    url = "https://user:canary-1234@museum.test/v2/"
    for given, environment in (([], {"DMG_BASE_URL": url}), (["-s", f"DMG_BASE_URL={url}"], {})):
        done = scrapy.run("crawl", "agents", *given, **environment)
        assert done.returncode == 2, done.stderr
        assert "DMG_BASE_URL" in done.stderr
        assert "canary" not in done.stdout + done.stderr

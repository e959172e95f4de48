"""What every spider of a museum has: its policy, its place, its arguments."""

from __future__ import annotations

import ipaddress
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler.errors import UsageFault
from mplus_crawler.policy import Policy, load_policy
from mplus_crawler.spiders.arguments import Parser, flag, parse_arguments


class MuseumSpider(Spider):
    """A spider of one museum's API.

    Leaves say which policy (:attr:`museum`) and setting (:attr:`base_setting`) apply, and which
    :attr:`kind` of item they give.
    """

    museum: ClassVar[str]
    base_setting: ClassVar[str]
    kind: ClassVar[str]
    policy: Policy
    base_url: str
    arguments: dict[str, str]
    fresh: bool
    canonical: Callable[[str], str]

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Without feeds of the user's, a harvest writes its snapshot under ``HARVEST_DIR``."""
        super().update_settings(settings)
        if not settings.getdict("FEEDS"):
            snapshot = f"{settings['HARVEST_DIR']}/{cls.name}.jsonl"
            options = {"format": "jsonlines", "overwrite": True}
            settings.set("FEEDS", {snapshot: options}, priority="spider")

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The spider that *crawler* runs."""
        assert isinstance(crawler.spider, cls), "no spider of a museum runs"
        return crawler.spider

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """The spider, its arguments checked; raises :class:`UsageFault`."""
        spider = super().from_crawler(crawler, *args)
        spider.arguments = cls.check(crawler.settings, kwargs)
        spider.fresh = spider.arguments.pop("fresh", "false") == "true"
        spider.policy = cls.load_policy(crawler.settings)
        spider.base_url = cls.base(crawler.settings, spider.policy)
        return spider

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """The arguments in the museum's spelling; :class:`UsageFault` on any that is wrong.

        Also checks policy and base URL, so that nothing is left to fail after the first request.
        """
        cls.base(settings, cls.load_policy(settings))
        allowed = {**cls.allowed_arguments(settings), "fresh": flag}
        return parse_arguments(cls.name, allowed, given)

    @classmethod
    @abstractmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """The arguments that the spider takes, and what each may be."""

    @classmethod
    def load_policy(cls, settings: BaseSettings) -> Policy:
        """The museum's policy, ``POLICY_DIR`` laid over it."""
        return load_policy(cls.museum, settings.get("POLICY_DIR"))

    @classmethod
    def base(cls, settings: BaseSettings, policy: Policy) -> str:
        """Where the API is, with a slash at the end: the setting's, else the policy's."""
        url = settings.get(cls.base_setting) or policy.base_url
        try:
            split = urlsplit(url)
            usable = split.scheme in ("http", "https") and split.hostname and not split.query
            usable = usable and split.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise UsageFault(f"{cls.base_setting} is no URL of an API: {url!r}; write https://…/")
        if split.scheme == "http" and not is_loopback(split.hostname or ""):
            raise UsageFault(f"{cls.base_setting} must be https (http is for loopback only): {url}")
        return url if url.endswith("/") else f"{url}/"

    @property
    def api(self) -> str:
        """The API in the budget's books: the museum and the place that counts."""
        split = urlsplit(self.base_url)
        port = split.port or {"https": 443, "http": 80}[split.scheme]
        return f"{self.museum}@{(split.hostname or '').rstrip('.')}:{port}"

    @property
    def identity(self) -> str:
        """Whom the museum counts: the address that requests come from."""
        return "address"

    def accept(self, request: Request, response: Response) -> None:
        """Check that *response* is what *request* asked for.

        Hands on what it read in ``request.cb_kwargs``; raises
        :class:`~mplus_crawler.hydra.PageFault` when the answer is worth asking for again.
        """


def request_of(failure: Failure) -> Request:
    """The request that failed, in an errback."""
    request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
    return request


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine: localhost or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

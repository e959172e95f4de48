"""The base class of all spiders: policy, base URL and arguments."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from mplus_crawler import __version__
from mplus_crawler.census import Census
from mplus_crawler.errors import UsageError
from mplus_crawler.museum.contract import OWN_FEED, Museum
from mplus_crawler.museum.policies.policy import Policy, Tier, base_settings
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.items import item_class
from mplus_crawler.spiders.arguments import Parser, flag, parse_arguments, run_id
from mplus_crawler.wire.addresses import is_loopback, is_public, origin
from mplus_crawler.wire.credentials import check_key, fingerprint, without_key
from mplus_crawler.wire.resolver import trust

Errback = Callable[[Failure], Any]

# The arguments of every spider, with the parsers of their values.
ALWAYS: Mapping[str, Parser] = {"fresh": flag, "accept": run_id}


class MuseumSpider(Museum):
    """A spider of one museum's API.

    To write one, first look whether :class:`~mplus_crawler.spiders.paged.PagedSpider` fits, which
    reads a collection that is listed in pages. For anything else:

    1. Set :attr:`museum`, the name of the policy file, and :attr:`name`, that of the spider.
    2. Set :attr:`kind`, the item's kind: there must be a ``schemas/KIND.schema.json``.
    3. Name the spider's arguments in :meth:`allowed_arguments`.
    4. Yield the first requests in :meth:`start`; check responses in :meth:`accept`; yield
       ``Records`` and further requests in the callbacks. Tell :attr:`census` the total.
    5. Make a record's columns in :meth:`columns`.
    6. Set :attr:`keyed` where requests need the policy's key, :attr:`private` where the records
       are for their owner only, :attr:`in_harvest` where ``scrapy harvest`` includes the spider,
       :attr:`session` where the API's cookies are kept, and :attr:`revalidates` where stored
       responses are revalidated.

    For example::

        class NewsSpider(MuseumSpider):
            museum, name, kind = "aviary", "news", "item"

            @classmethod
            def allowed_arguments(cls, settings):
                return {"year": year}

            async def start(self):
                yield Request(urljoin(self.base_url, "news.json"), dont_filter=True)

            def parse(self, response):
                items = response.json()
                self.census.total(len(items))
                yield Records(response.meta["retrieved_at"], [(None, item) for item in items])

            def columns(self, record, known_id):
                return {"id": record["id"], "label": record["title"]}
    """

    in_harvest: ClassVar[bool] = False

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Set the user agent and, without the user's own feeds, the snapshot in ``HARVEST_DIR``."""
        super().update_settings(settings)
        contact = settings["CONTACT_URL"]
        agent = f"mplus_crawler/{__version__}" + (f" (+{contact})" if contact else "")
        settings.set("USER_AGENT", agent, priority="spider")
        if not settings.getdict("FEEDS"):
            snapshot = f"{settings['HARVEST_DIR']}/{cls.name}.jsonl"
            options = {"format": "jsonlines", "overwrite": True, OWN_FEED: True}
            options["item_export_kwargs"] = {"sortable": True}
            settings.set("FEEDS", {snapshot: options}, priority="spider")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider; raise :class:`UsageError` for an invalid argument."""
        spider = super().from_crawler(crawler, *args)
        spider.arguments = cls.check(crawler.settings, kwargs)
        spider.fresh = spider.arguments.pop("fresh", "false") == "true"
        spider.accepted_run = spider.arguments.pop("accept", "")
        spider.policy = cls.load_policy(crawler.settings)
        spider.base_url = cls.base(crawler.settings, spider.policy)
        spider.lookahead = crawler.settings.getint("LOOKAHEAD") or spider.policy.in_flight
        spider.private = cls.is_private(spider.arguments)
        trust(spider.base_url)
        return spider

    @classmethod
    def check(cls, settings: BaseSettings, given: Mapping[str, str]) -> dict[str, str]:
        """Return the arguments in the museum's spelling; raise :class:`UsageError` if invalid.

        Policy, base URL and key are checked, too, so that nothing is left to fail after the
        first request. Raise :class:`AccessDeniedError` if a required key is not set.
        """
        item_class(getattr(cls, "kind", ""))
        policy = cls.load_policy(settings)
        cls.base(settings, policy)
        allowed = {**cls.allowed_arguments(settings), **ALWAYS}
        parsed = parse_arguments(cls.name, allowed, given)
        if cls.keyed:
            check_key(policy, cls.name)
        return parsed

    @classmethod
    @abstractmethod
    def allowed_arguments(cls, settings: BaseSettings) -> Mapping[str, Parser]:
        """Return the spider's arguments by name, each with the parser of its value."""

    @classmethod
    def summary(cls) -> str:
        """Return what the spider gives, in a line: the first one of its docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    @classmethod
    def is_private(cls, arguments: Mapping[str, str]) -> bool:
        """Whether the output must be readable by its owner only; *arguments* are checked."""
        return cls.private

    @classmethod
    def load_policy(cls, settings: BaseSettings) -> Policy:
        """Return the museum's policy, overlaid with the one in ``POLICY_DIR``."""
        return load_policy(cls.museum, settings.get("POLICY_DIR"))

    @classmethod
    def base_setting(cls, settings: BaseSettings) -> tuple[str, str]:
        """Return name and value of the setting for the API's base URL; empty if it is not set.

        It is ``<MUSEUM>_BASE_URL`` or ``<MUSEUM>_URL``; ``-s`` overrides the environment.
        """
        names = base_settings(cls.museum)
        for values in (settings, os.environ):
            for name in names:
                if (value := values.get(name)) is not None:
                    return name, value
        return names[0], ""

    @classmethod
    def base(cls, settings: BaseSettings, policy: Policy) -> str:
        """Return the API's base URL, from the setting or the policy, with a final slash."""
        setting, value = cls.base_setting(settings)
        url = value or policy.base_url
        if without_key(url, policy) != url:
            raise UsageError(
                f"{setting} contains the key; remove it from there: the key has a separate variable"
            )
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise UsageError(f"{setting} must not contain a user or password: write https://…/")
        try:
            split = urlsplit(url)
            usable = split.scheme in ("http", "https") and split.hostname and not split.query
            usable = usable and split.port != 0 and not split.fragment
            usable = usable and url.isprintable() and " " not in url
        except ValueError:
            usable = False
        if not usable:
            shown = "" if set(url) & set("?@#") else f": {url!r}"  # it may contain a key
            raise UsageError(
                f"{setting} is not the URL of an API{shown}; write https://…/ without a query"
            )
        if split.scheme == "http" and not is_loopback(split.hostname or ""):
            raise UsageError(f"{setting} must be https (http is for loopback only): {url}")
        return url if url.endswith("/") else f"{url}/"

    @cached_property
    def census(self) -> Census:
        """The counts of this harvest, from the first request on."""
        return Census.of(self.crawler)

    @property
    def limit(self) -> int | None:
        """The number of records to harvest at most: the argument ``limit``, if it is given."""
        limit = self.arguments.get("limit")
        return int(limit) if limit else None

    def requests_again(self, ids: Iterable[str], errback: Errback) -> Iterable[Request]:
        """Return requests for the records *ids*, whose batches repeat; none if that is impossible.

        A :class:`.PagedSpider` need not implement this: its :meth:`record_request` is enough.
        """
        return []

    def id_of(self, member: Any) -> str | None:
        """Return the id of *member*, a row of any list or a single record, if it has one."""
        found = self.columns(member, None).get("id") if isinstance(member, dict) else None
        return found if isinstance(found, str) else None

    @property
    def api(self) -> str:
        """The API's name in the budget store."""
        return self.api_at(self.base_url)

    @classmethod
    def api_at(cls, base_url: str) -> str:
        """Return the name of the API at *base_url* in the budget store: museum, host and port."""
        _, host, port = origin(base_url)
        return f"{cls.museum}@{host.rstrip('.')}:{port}"

    @property
    def identity(self) -> str:
        """What the museum counts requests by: the sender's address, or the key."""
        credential = self.policy.credential
        counted = credential is not None and credential.counted
        return f"key {fingerprint(self.policy)}" if counted else "address"

    def rate_limit_of(self, request: Request) -> tuple[str, Tier]:
        """Return what counts *request*: the API's name in the budget store, and the tier."""
        if request.meta.get("third_party"):
            return self.rate_limit_elsewhere(request.url)
        return self.api, self.policy.tier(request.url, self.base_url)

    def allows(self, url: str) -> bool:
        """Whether *url* may be requested: only if it has the API's own origin."""
        return origin(url) == origin(self.base_url)

    def rate_limit_elsewhere(self, url: str) -> tuple[str, Tier]:
        """Return what counts a request for a URL named by a record, such as an image.

        Each host is counted separately, whatever the port; a path of the API counts for its tier.
        """
        named = self.policy.named_tier(url, self.base_url)
        if named and origin(url) == origin(self.base_url):
            return self.api, named
        assert self.policy.images is not None, "the policy has no table [images]"
        host = origin(url)[1].rstrip(".")
        return f"images@{host}", self.policy.images.tier(host)

    def allows_elsewhere(self, url: str) -> bool:
        """Whether *url*, named by a record, may be requested: a public host, or the API's origin.

        Only requests with ``third_party`` in their meta are sent there.
        """
        try:
            there, here = origin(url), origin(self.base_url)
        except ValueError:
            return False
        # The address of the API's own host is not checked, so only its own origin is permitted.
        return there == here or (there[1] != here[1] and is_public(url))


def request_of(failure: Failure) -> Request:
    """Return the failed request; for errbacks."""
    request: Request = failure.request  # type: ignore[attr-defined]  # set by Scrapy
    return request

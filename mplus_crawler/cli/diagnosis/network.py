"""The museums' APIs can be reached, and the clock agrees with theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.errors import HarvestError
from mplus_crawler.policies.policy import Policy
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.wire.budget.budget import Account, BudgetUnavailableError, RateLimits
from mplus_crawler.wire.budget.stores import open_budget

_TIMEOUT = 20.0
# Seconds that a clock may be wrong: budgets and retention reckon in seconds and days.
_SKEW = 60.0
_CLOCK = "clock against the museum's"


def addresses(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Where the museums' APIs are."""
    for spider in _one_of_each(settings, museums):
        what = f"address of {spider.museum}"
        try:
            policy = spider.load_policy(settings)
        except HarvestError:
            continue  # has been told
        try:
            yield Check(what, spider.base(settings, policy))
        except HarvestError as fault:
            yield Check(what, str(fault), f"mend or unset {spider.base_setting}")


def apis(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """One request to each museum's API, out of its budget and without a key."""
    for spider in _one_of_each(settings, museums):
        # What is wrong with policy, address or budget has been told.
        with suppress(HarvestError, ValueError):
            policy = spider.load_policy(settings)
            yield from _ask(spider, policy, spider.base(settings, policy), settings)


def _one_of_each(settings: BaseSettings, museums: Sequence[str]) -> list[type[MuseumSpider]]:
    loader = get_spider_loader(settings)
    found: dict[str, type[MuseumSpider]] = {}
    for cls in map(loader.load, loader.list()):
        if issubclass(cls, MuseumSpider) and cls.in_harvest and cls.museum in museums:
            found.setdefault(cls.museum, cls)
    return list(found.values())


def _ask(
    spider: type[MuseumSpider], policy: Policy, url: str, settings: BaseSettings
) -> Iterator[Check]:
    what = f"API of {policy.name}"
    with closing(open_budget(settings.get("BUDGET_URL"))) as store:
        account = Account.of(
            spider.api_at(url), policy.tier(url, url), "address", settings.getfloat("RATE_SHARE")
        )
        try:
            grant = store.reserve(account, "doctor")
        except BudgetUnavailableError as fault:  # it opens, but takes nothing
            yield Check("budget", str(fault), "mend it, or name another with BUDGET_URL")
            return
        if grant.ticket is None:
            yield Check(what, f"not asked: its budget is spent for {grant.wait:.0f} s")
            return
        try:
            date = _date(url, settings["USER_AGENT"])
        except (OSError, HTTPException, ValueError) as error:
            said, cure = getattr(error, "reason", None) or error, "mend network, proxy or address"
            yield Check(what, f"{url} cannot be reached ({said})", cure)
            return
        finally:
            store.settle(account, grant.ticket, RateLimits())
    yield Check(what, f"{url} answers")
    yield _clock(date)


def _date(url: str, user_agent: str) -> str | None:
    """The ``Date`` of an answer, whatever its status."""
    request = Request(url, headers={"User-Agent": user_agent})
    try:
        with build_opener(_Stay).open(request, timeout=_TIMEOUT) as answer:
            date: str | None = answer.headers.get("Date")
    except HTTPError as error:
        date = error.headers.get("Date")
    return date


def _clock(date: str | None) -> Check:
    try:
        theirs = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return Check(_CLOCK, "its answer has no date")
    skew = (datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
    if abs(skew) <= _SKEW:
        return Check(_CLOCK, "they agree")
    return Check(_CLOCK, f"ours is {skew:+.0f} s from it", "set the clock, by NTP for instance")


class _Stay(HTTPRedirectHandler):
    """A redirect is an answer, too; nobody is asked elsewhere."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Follow nothing."""

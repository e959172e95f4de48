"""Checks of the museums' APIs: address, reachability, clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from scrapy.settings import BaseSettings
from scrapy.spiderloader import get_spider_loader

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.errors import HarvestError
from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.wire.addresses import is_loopback
from mplus_crawler.wire.budget.budget import Account, BudgetUnavailableError, RateLimits
from mplus_crawler.wire.budget.stores import open_budget

_TIMEOUT = 20.0
_MAX_SKEW = 60.0  # seconds: budgets count in seconds, retention in days
_CLOCK = "clock against the museum's"


def addresses(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Check that the addresses of the museums' APIs are valid."""
    for spider in _one_of_each(settings, museums):
        what = f"address of {spider.museum}"
        try:
            policy = spider.load_policy(settings)
        except HarvestError:
            continue  # already reported
        try:
            yield Check(what, spider.base(settings, policy))
        except HarvestError as error:
            setting, _ = spider.base_setting(settings)
            yield Check(what, str(error), f"correct or unset {setting}")


def apis(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Send one request to each museum's API, counted in its budget and without a key."""
    for spider in _one_of_each(settings, museums):
        # Problems with policy, address or budget are already reported.
        with suppress(HarvestError, ValueError):
            policy = spider.load_policy(settings)
            yield from _request(spider, policy, spider.base(settings, policy), settings)


def _one_of_each(settings: BaseSettings, museums: Sequence[str]) -> list[type[MuseumSpider]]:
    loader = get_spider_loader(settings)
    found: dict[str, type[MuseumSpider]] = {}
    for cls in map(loader.load, loader.list()):
        if issubclass(cls, MuseumSpider) and cls.in_harvest and cls.museum in museums:
            found.setdefault(cls.museum, cls)
    return list(found.values())


def _request(
    spider: type[MuseumSpider], policy: Policy, url: str, settings: BaseSettings
) -> Iterator[Check]:
    what = f"API of {policy.name}"
    own = settings.copy()
    spider.update_settings(own)
    with closing(open_budget(settings.get("BUDGET_URL"))) as store:
        account = Account.of(
            spider.api_at(url), policy.tier(url, url), "address", settings.getfloat("RATE_SHARE")
        )
        try:
            grant = store.reserve(account, "doctor")
        except BudgetUnavailableError as error:  # it can be opened, but not written
            yield Check("budget", str(error), "repair it, or choose another with BUDGET_URL")
            return
        if grant.ticket is None:
            yield Check(what, f"not requested: its rate limit is used up for {grant.wait:.0f} s")
            return
        try:
            date = _date(url, own["USER_AGENT"])
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            fix = "check network, proxy and address"
            yield Check(what, f"{url} cannot be reached ({reason})", fix)
            return
        finally:
            store.settle(account, grant.ticket, RateLimits())
    yield Check(what, f"{url} responds")
    yield _clock(date)


def _date(url: str, user_agent: str) -> str | None:
    """Return the ``Date`` header of the response, whatever its status."""
    request = Request(url, headers={"User-Agent": user_agent})
    try:
        direct = [ProxyHandler({})] if is_loopback(urlsplit(url).hostname or "") else []
        with build_opener(_NoRedirect, *direct).open(request, timeout=_TIMEOUT) as response:
            date: str | None = response.headers.get("Date")
    except HTTPError as error:
        date = error.headers.get("Date")
    return date


def _clock(date: str | None) -> Check:
    try:
        theirs = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return Check(_CLOCK, "its response has no date")
    skew = (datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
    if abs(skew) <= _MAX_SKEW:
        return Check(_CLOCK, "they agree")
    return Check(_CLOCK, f"they differ by {skew:+.0f} s", "set the clock, for example with NTP")


class _NoRedirect(HTTPRedirectHandler):
    """Returns a redirect as the response, and follows none."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Follow no redirect."""

"""Retries: the one place that judges a response and decides to send its request again."""

from __future__ import annotations

import logging
import random
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Response
from scrapy.utils.misc import load_object

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import InvalidResponseError, UnreadableResponseError, counted, one_line
from mplus_crawler.museum.components import Component
from mplus_crawler.records.batch import stamp
from mplus_crawler.wire.addresses import origin
from mplus_crawler.wire.breaker import Breaker
from mplus_crawler.wire.failures import describe, is_timeout, is_unreachable
from mplus_crawler.wire.outage import Outage
from mplus_crawler.wire.throttle import Throttle

logger = logging.getLogger(__name__)

# A 203 is a 200 that a proxy has changed (RFC 9110 section 15.3.4): its contents are checked.
_ACCEPTED = (200, 203)
# Sent by gateways whose server is too slow.
_TOO_SLOW = (504, 524)
# The wait for a server, in units of RETRY_BACKOFF_BASE: two minutes.
_PATIENCE = 240
# Seconds for a response until the server has sent one: two attempts, and a minute is not over.
FIRST_TIMEOUT = 25.0
# Seconds between checks of a waiting request whether the server is back.
_LOOK_UP = 0.2


class RetriesExhaustedError(IgnoreRequest):
    """A request that failed on every attempt; *status* is that of the last response.

    *not_retryable*: the response shows that no other attempt can succeed. *unreadable*: the
    response cannot be parsed.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        *,
        not_retryable: bool = False,
        unreadable: bool = False,
    ) -> None:
        super().__init__(one_line(reason))
        self.status = status
        self.not_retryable = not_retryable
        self.unreadable = unreadable

    @property
    def on_record(self) -> bool:
        """Whether the server responds, so that a record may be the cause and smaller pages work."""
        return self.unreadable or self.status is not None


class RetryMiddleware(Component):
    """Passes accepted responses, retries the others, and gives up in the end.

    A request is retried ``RETRY_TIMES`` times after an exponentially growing, fully jittered
    pause (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    Statuses and exceptions are those of ``RETRY_HTTP_CODES`` and ``RETRY_EXCEPTIONS``; the
    spider's ``accept`` judges responses with status 200.

    When the server is away, requests wait for it instead and lose no retry. It is away if it cannot
    be reached, or if there are failures in a row (``RETRY_BREAKER`` of them, all attempts of a
    request, or two minutes) and the spider's health check, if it has one, fails, too. If it
    succeeds, bad records are the cause. After two minutes the crawl stops; see :class:`.Outage`.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self._census = Census.of(crawler)
        self._throttle = Throttle.of(crawler)
        self._times = settings.getint("RETRY_TIMES")
        self._back_off_times = settings.getint("RETRY_BACK_OFF_TIMES")
        self._most_elsewhere = settings.getint("RETRY_BREAKER")
        self._base = settings.getfloat("RETRY_BACKOFF_BASE")
        self._longest = settings.getfloat("RETRY_BACKOFF_MAX")
        self._timeout = settings.getfloat("DOWNLOAD_TIMEOUT")
        self._outage = Outage(_PATIENCE * self._base)
        self._failures_elsewhere: Counter[str] = Counter()
        self._breaker = Breaker(crawler, self._outage)
        self._codes = {int(code) for code in settings.getlist("RETRY_HTTP_CODES")}
        self._exceptions = tuple(
            load_object(exception) for exception in settings.getlist("RETRY_EXCEPTIONS")
        )

    async def process_request(self, request: Request) -> None:
        """Set the time-out, and hold *request* while another one probes a server that is away."""
        if request.meta.get("download_timeout") in (None, self._timeout, FIRST_TIMEOUT):
            first = min(self._timeout, FIRST_TIMEOUT)
            request.meta["download_timeout"] = self._timeout if self._outage.responded else first
        exempt = ("probe", "health_check", "third_party")
        if any(map(request.meta.get, exempt)) or not self._is_to_api(request):
            return
        while self._outage.probing:
            await self._throttle.pause(_LOOK_UP)

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        """Return *response* if it is accepted, else the request for its retry."""
        if request.meta.get("third_party"):  # no other host decides on the harvest
            request.meta.setdefault("retrieved_at", _now())
            return response
        if not request.meta.get("replayed") and self._is_to_api(request):
            self._outage.responded = True
        if response.status in request.meta.get("handle_httpstatus_list", ()):
            self._succeeded(request)
            return response
        if reason := self._museum.access_denied(response):
            self._census.stop(Verdict.REFUSED, reason)
            raise IgnoreRequest(f"{response.status}")
        if response.status == 429:
            return self._retry_after_back_off(request, response)
        if reason := self._museum.not_retryable(response):
            self._succeeded(request)
            raise RetriesExhaustedError(reason, not_retryable=True)
        if response.status in self._codes:
            reason = f"the museum responded with {response.status}"
            return await self._failed(request, reason, response.status)
        if response.status in _ACCEPTED:
            return await self._judge(request, response)
        self._succeeded(request)
        if response.status == 304:  # RevalidationMiddleware has replaced requested ones
            return self._retry(request, "the museum responded with 304 to an unconditional request")
        raise IgnoreRequest(f"the museum responded with {response.status}")

    async def process_exception(self, request: Request, exception: Exception) -> Request | None:
        """Return the request for a retry, if *exception* is transient."""
        timeout = request.meta.get("download_timeout") or self._timeout
        if not isinstance(exception, (*self._exceptions, DownloadCancelledError)):
            self._outage.over()  # this says nothing about the server
            return None
        reason = await describe(exception, request, timeout)
        if isinstance(exception, DownloadCancelledError):
            self._succeeded(request)
            raise RetriesExhaustedError(reason)
        if request.meta.get("third_party"):
            return self._retry(request, reason)
        unreachable, timed_out = is_unreachable(exception), is_timeout(exception)
        return await self._failed(request, reason, unreachable=unreachable, timed_out=timed_out)

    def _succeeded(self, request: Request) -> None:
        """Note that the server has responded without an error."""
        if request.meta.get("replayed"):
            return
        if not self._is_to_api(request):
            self._failures_elsewhere.pop(urlsplit(request.url).netloc, None)
            return
        self._outage.over()
        if not request.meta.get("health_check"):
            self._breaker.succeeded()

    async def _judge(self, request: Request, response: Response) -> Request | Response:
        """Return *response* if the spider accepts it, else the request for its retry.

        An invalid response does not end an outage: gateways send such pages for a server that is
        away.
        """
        request.meta.setdefault("retrieved_at", _now())
        try:
            self._museum.accept(request, response)
        except InvalidResponseError as error:
            if request.meta.get("probe") and not await self._breaker.is_healthy():
                request.meta.pop("retrieved_at")
                self._outage.failed()
                return self._wait(request, str(error))
            return self._retry_invalid(request, response, error)
        self._succeeded(request)
        return response

    def _retry_invalid(
        self, request: Request, response: Response, error: InvalidResponseError
    ) -> Request | Response:
        """Return the retry of an invalid response; in the end, its readable part is accepted."""
        request.meta.pop("retrieved_at")
        unreadable = isinstance(error, UnreadableResponseError)
        if unreadable and request.meta.get("parse_error") == str(error):
            raise RetriesExhaustedError(f"{error}, twice", unreadable=True)
        request.meta["parse_error"] = str(error)
        try:
            return self._retry(request, str(error))
        except RetriesExhaustedError as gave_up:
            if error.page is None:
                gave_up.unreadable = unreadable
                raise
        self._census.doubt(f"{request.url}: {error}")
        request.meta.update(retrieved_at=_now(), accepted_invalid=True, skip_ledger=True)
        request.cb_kwargs["page"] = error.page
        return response

    async def _failed(
        self,
        request: Request,
        reason: str,
        status: int | None = None,
        *,
        unreachable: bool = False,
        timed_out: bool = False,
    ) -> Request:
        """Return the retry of a request that failed at the server: at once, or when it is back."""
        if request.meta.get("health_check"):
            raise RetriesExhaustedError(reason, status)
        if not self._is_to_api(request):
            return self._retry_elsewhere(request, reason, status)
        self._outage.failed(unreachable=unreachable)
        if status in _TOO_SLOW or timed_out:
            request = self._museum.part_of(request) or request
        if unreachable or await self._breaker.is_away(request, status):
            return self._wait(request, reason)
        return self._retry(request, reason, status)

    def _is_to_api(self, request: Request) -> bool:
        """Whether *request* goes to the API, rather than to a host of images."""
        return origin(request.url) == origin(self._museum.base_url)

    def _retry_elsewhere(self, request: Request, reason: str, status: int | None) -> Request:
        """The retry at an image host, which ends no harvest; raises if the host always fails."""
        host = urlsplit(request.url).netloc
        self._failures_elsewhere[host] += 1
        if self._failures_elsewhere[host] > self._most_elsewhere:
            raise RetriesExhaustedError(f"{host} is unavailable: {reason}", status)
        return self._retry(request, reason, status)

    def _wait(self, request: Request, reason: str) -> Request:
        """Return *request* once the server is back, without losing a retry, until patience ends."""
        outage = self._outage
        if outage.probing and not request.meta.get("probe"):
            return self._copy(request, meta={})
        if not outage.exhausted:
            outage.probing = True
            logger.warning("%s; waiting %.0f s for the server", reason, outage.pause)
            return self._copy(request, meta={"retry_delay": outage.pause, "probe": True})
        if outage.responded:
            verdict, waited = Verdict.STOPPED, f"{counted(outage.failures, 'error')} in a row"
            why = (
                f"the server is unavailable: {waited} in {outage.seconds:.0f} s, the last: {reason}"
            )
        else:
            verdict, host = Verdict.INCOMPLETE, urlsplit(request.url).netloc
            why = f"{host} has never responded in {counted(outage.failures, 'attempt')}: {reason}"
        self._census.stop(verdict, why)
        raise IgnoreRequest(reason)

    def _retry(self, request: Request, reason: str, status: int | None = None) -> Request:
        tried = request.meta.get("retry_times", 0)
        most = request.meta.get("max_retry_times", self._times)
        if status is not None:
            most = request.meta.get("max_error_retries", most)
        if tried >= most:
            raise RetriesExhaustedError(f"{reason}, {counted(tried + 1, 'time')}", status)
        pause = random.uniform(0, min(self._longest, self._base * 2**tried))
        logger.info("%s: %s; retrying in %.1f s", request.url, reason, pause)
        return self._copy(request, meta={"retry_times": tried + 1, "retry_delay": pause})

    def _retry_after_back_off(self, request: Request, response: Response) -> Request:
        """Return the retry after too many requests: the throttle backs off, no retry is lost."""
        times = request.meta.get("back_off_times", 0)
        if times >= self._back_off_times:
            reason = f"the museum refuses with {response.status}, {counted(times + 1, 'time')}"
            self._census.stop(Verdict.STOPPED, reason)
            raise IgnoreRequest(reason)
        return self._copy(request, meta={"back_off_times": times + 1})

    def _copy(self, request: Request, meta: dict[str, float]) -> Request:
        request = self._museum.retry_of(request)
        return request.replace(
            dont_filter=True,
            priority=request.priority + 1,
            meta={**request.meta, "replayed": False, "probe": False, **meta},
        )


def _now() -> str:
    return stamp(datetime.now(UTC))

"""Retries: the one place that judges an answer and decides to ask again."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.utils.misc import load_object

from mplus_crawler.census import Census, Verdict
from mplus_crawler.errors import InvalidResponseError, UnreadableResponseError
from mplus_crawler.museum.components import Component
from mplus_crawler.museum.contract import Museum
from mplus_crawler.records.batch import stamp

logger = logging.getLogger(__name__)

# A refusal for coming too often: the throttle has parked the tier, asking again costs no patience.
_PARKED = (429,)


class RetriesExhaustedError(IgnoreRequest):
    """A request that failed as often as patience allows; *status* is that of the last answer.

    *not_retryable*: any other one like it would fail, too. *unreadable*: the response cannot be
    parsed.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        *,
        not_retryable: bool = False,
        unreadable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.not_retryable = not_retryable
        self.unreadable = unreadable

    @property
    def on_record(self) -> bool:
        """Whether the server responds; a record may be the cause, and smaller pages without it."""
        return self.unreadable or self.status is not None


class RetryMiddleware(Component):
    """Passes accepted answers, asks again for others, and gives up in the end.

    A failure is retried ``RETRY_TIMES`` times after an exponentially growing, fully jittered
    pause (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)
    that the throttle waits. After ``RETRY_BREAKER`` errors of the server's in a row, whichever
    requests they answered, the crawl stops, unless the spider has a witness that the server is
    well, and only these requests fail. Statuses and exceptions are those of Scrapy's
    ``RETRY_HTTP_CODES`` and ``RETRY_EXCEPTIONS``; the spider's ``accept`` judges what answered 200.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self._census = Census.of(crawler)
        self._times = settings.getint("RETRY_TIMES")
        self._parked_times = settings.getint("RETRY_BACK_OFF_TIMES")
        self._breaker = settings.getint("RETRY_BREAKER")
        self._errors_in_a_row = 0
        self._vouched = 0
        self._most_vouched = settings.getint("LOOKAHEAD")  # so many pages can be bad at a time
        self._base = settings.getfloat("RETRY_BACKOFF_BASE")
        self._longest = settings.getfloat("RETRY_BACKOFF_MAX")
        self._codes = {int(code) for code in settings.getlist("RETRY_HTTP_CODES")}
        self._exceptions = tuple(
            load_object(exception) for exception in settings.getlist("RETRY_EXCEPTIONS")
        )

    async def process_response(self, request: Request, response: Response) -> Request | Response:
        """*response* when it is accepted, else the request again."""
        if request.meta.get("third_party"):  # what isn't the museum's doesn't decide on its harvest
            request.meta.setdefault("retrieved_at", _now())
            return response
        if response.status in request.meta.get("handle_httpstatus_list", ()):
            return response
        spider = Museum.of(self._crawler)
        if reason := spider.access_denied(response):
            self._census.stop(Verdict.REFUSED, reason)
            raise IgnoreRequest(f"{response.status}")
        if response.status in _PARKED:
            return self._again_when_free(request, response)
        if reason := spider.not_retryable(response):
            raise RetriesExhaustedError(reason, not_retryable=True)
        if response.status in self._codes:
            await self._break_circuit(response.status)
            return self._again(request, f"the museum answered {response.status}", response.status)
        self._errors_in_a_row = 0
        self._vouched = 0 if not request.meta.get("health_check") else self._vouched + 1
        if response.status == 304:  # one that was asked for has become the former answer by now
            return self._again(request, "the museum answered 304, unasked")
        if response.status != 200:
            raise IgnoreRequest(f"the museum answered {response.status}")
        request.meta.setdefault("retrieved_at", _now())
        try:
            spider.accept(request, response)
        except InvalidResponseError as fault:
            return self._faulty(request, response, fault)
        return response

    def process_exception(self, request: Request, exception: Exception) -> Request | None:
        """The request again where the exception may pass."""
        if isinstance(exception, self._exceptions):
            return self._again(request, _told(exception))
        return None

    def _faulty(
        self, request: Request, response: Response, fault: InvalidResponseError
    ) -> Request | Response:
        """Ask again; in the end take what could be read, and say what is missing."""
        request.meta.pop("retrieved_at")
        unreadable = isinstance(fault, UnreadableResponseError)
        if unreadable and request.meta.get("parse_error") == str(fault):
            raise RetriesExhaustedError(f"{fault}, twice", unreadable=True)
        request.meta["parse_error"] = str(fault)
        try:
            return self._again(request, str(fault))
        except RetriesExhaustedError as gave_up:
            if fault.page is None:
                gave_up.unreadable = unreadable
                raise
        self._census.doubt(f"{request.url}: {fault}")
        request.meta.update(retrieved_at=_now(), accepted_invalid=True, skip_ledger=True)
        request.cb_kwargs["page"] = fault.page
        return response

    async def _break_circuit(self, status: int) -> None:
        """Stop rather than hammer a server that has nothing but errors."""
        self._errors_in_a_row += 1
        if self._errors_in_a_row != self._breaker or await self._is_well():
            return
        reason = f"the museum answered {self._breaker} errors in a row, lastly {status}"
        self._census.stop(Verdict.STOPPED, reason)
        raise IgnoreRequest(reason)

    async def _is_well(self) -> bool:
        """Whether the server answers what the spider has for a witness."""
        witness = Museum.of(self._crawler).health_check()
        if witness is None or self._vouched >= self._most_vouched:
            return False
        meta = {**witness.meta, "health_check": True, "skip_ledger": True, "max_retry_times": 0}
        try:
            await self._crawler.engine.download_async(witness.replace(meta=meta))
        except Exception as error:  # whatever it is, nobody vouches
            logger.info("%s: %s", witness.url, _told(error))
            return False
        return True

    def _again(self, request: Request, reason: str, status: int | None = None) -> Request:
        tried = request.meta.get("retry_times", 0)
        most = request.meta.get("max_retry_times", self._times)
        if tried >= (most if status is None else request.meta.get("max_error_retries", most)):
            raise RetriesExhaustedError(f"{reason}, {tried + 1} times", status)
        pause = random.uniform(0, min(self._longest, self._base * 2**tried))
        logger.info("%s: %s; again in %.1f s", request.url, reason, pause)
        return self._copy(request, meta={"retry_times": tried + 1, "retry_delay": pause})

    def _again_when_free(self, request: Request, response: Response) -> Request:
        parked = request.meta.get("back_off_times", 0)
        if parked >= self._parked_times:
            reason = f"the museum refuses with {response.status}, {parked + 1} times"
            self._census.stop(Verdict.STOPPED, reason)
            raise IgnoreRequest(reason)
        return self._copy(request, meta={"back_off_times": parked + 1})

    def _copy(self, request: Request, meta: dict[str, float]) -> Request:
        self._crawler.stats.inc_value("retry/count")
        request = Museum.of(self._crawler).retry_of(request)
        return request.replace(
            dont_filter=True,
            priority=request.priority + 1,
            meta={**request.meta, "replayed": False, **meta},
        )


def _told(exception: Exception) -> str:
    """What went wrong, without the objects that Twisted prints inside of it."""
    text = str(exception).rstrip(".")
    return type(exception).__name__ if not text or "<" in text else text


def _now() -> str:
    return stamp(datetime.now(UTC))

"""M+ on the network: gate, sessions, statistics and faults around its responses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cached_property
from itertools import count
from secrets import token_urlsafe
from time import monotonic
from typing import Any

from aiohttp import web

from mplus_crawler.sandbox.facts.mplus import FACTS, MESSAGE
from mplus_crawler.sandbox.faults import Due, delay
from mplus_crawler.sandbox.mplus.calls import CallRequest
from mplus_crawler.sandbox.mplus.execution import Operation
from mplus_crawler.sandbox.mplus.faults import Faults
from mplus_crawler.sandbox.mplus.gate import instead
from mplus_crawler.sandbox.mplus.museum import Museum, refused
from mplus_crawler.sandbox.mplus.roots import Call
from mplus_crawler.sandbox.mplus.statistics import Statistics
from mplus_crawler.sandbox.options import Options
from mplus_crawler.sandbox.responses import HTML, Response, tagged, unless_fresh
from mplus_crawler.sandbox.wire import Delivery

_COOKIE = "connect.sid"
_PREFLIGHT = FACTS["headers"] | FACTS["preflight"]


class Front:
    """Handles every call; the first one loads the collection."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sessions: set[str] = set()
        self._numbers = count(1)
        self.statistics = Statistics()

    @cached_property
    def museum(self) -> Museum:
        """The museum; raise ValueError if its data or faults are invalid."""
        return Museum(self._options)

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.museum.faults

    def move_to(self, day: int) -> None:
        """Move to another day with an empty cache; statistics and active faults stay."""
        self._options = replace(self._options, day=day)
        if "museum" in self.__dict__:
            self.museum = Museum(self._options, self.museum.faults)

    def museum_of(self, day: int) -> Museum:
        """Return the museum as it is on a day, without faults."""
        return Museum(replace(self._options, day=day, mplus_faults=()))

    def clear(self) -> None:
        """Remove all faults."""
        if "museum" in self.__dict__:
            self.museum.faults.clear()

    def reset(self) -> None:
        """Reset the statistics and empty the cache."""
        self.statistics.reset()
        if "museum" in self.__dict__:
            self.museum.cache.clear()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Respond to one call."""
        arrival, delivery = monotonic(), Delivery(request)
        self.statistics.arrived(arrival)
        roots: list[tuple[str, Any]] = []
        try:
            await self._exchange(await _call_request(request), roots, delivery)
        except ConnectionError:
            pass  # the client left before the end of the response
        finally:
            self.statistics.responded(arrival, roots, delivery.status)
        return delivery.response

    async def _exchange(
        self, request: CallRequest, roots: list[tuple[str, Any]], delivery: Delivery
    ) -> None:
        operation = self.museum.operation(request)
        if isinstance(operation, Operation):
            roots += [(step.name, operation.arguments(step)) for step in operation.roots]
        due = self.faults.of_call([(name, given.get("page", 0)) for name, given in roots])
        call = Call(next(self._numbers))
        response = self._refusal(request, due) or self._respond(request, operation, call, delivery)
        if wait := self._options.latency + delay(due) + call.wait:
            await asyncio.sleep(wait)
        await delivery.send(response, due)
        if self.faults.move_records(due):
            self.museum.forget()

    def _refusal(self, request: CallRequest, due: Due) -> Response | None:
        """The response of a gate in front of the API, if any."""
        if self._options.mplus_key and request.key != self._options.mplus_key:
            return refused(401, MESSAGE["key"])
        return instead(due)

    def _respond(
        self, request: CallRequest, operation: Operation | Response, call: Call, delivery: Delivery
    ) -> Response:
        if request.method == "OPTIONS":
            response = tagged(Response(200, b"OK", dict(_PREFLIGHT)))
        elif isinstance(operation, Response):
            response = operation
        else:
            response = self.museum.execute(operation, call)
            self.statistics.writes += call.writes
        if response.headers["Content-Type"] == HTML and response.status != 200:
            return response  # sent before sessions are handled
        self._keep_session(response, delivery.request)
        if request.method != "GET":
            return response
        return unless_fresh(response, delivery.request.headers)

    def _keep_session(self, response: Response, request: web.Request) -> None:
        """Start a session for every call without the cookie of one."""
        if request.cookies.get(_COOKIE) in self._sessions:
            return
        session = f"s%3A{token_urlsafe(24)}.{token_urlsafe(32)}"
        self._sessions.add(session)
        self.statistics.sessions += 1
        response.headers["Set-Cookie"] = f"{_COOKIE}={session}; Path=/; HttpOnly"


async def _call_request(request: web.Request) -> CallRequest:
    return CallRequest(
        method=request.method,
        path=request.path,
        query=request.query_string,
        content_type=request.headers.get("Content-Type", ""),
        authorization=request.headers.get("Authorization", ""),
        body=await request.read(),
    )

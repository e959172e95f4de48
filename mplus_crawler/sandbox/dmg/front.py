"""Gent's museum on the network: its responses with limits, statistics and faults."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic, time

from aiohttp import web

from mplus_crawler.sandbox.dmg import effects
from mplus_crawler.sandbox.dmg.data import Collection, Sizes
from mplus_crawler.sandbox.dmg.days import age
from mplus_crawler.sandbox.dmg.faults import Faults
from mplus_crawler.sandbox.dmg.limits import UNLIMITED, Statistics, Tier, read_tiers
from mplus_crawler.sandbox.dmg.museum import Museum
from mplus_crawler.sandbox.dmg.responses import page_of_html, plain_json
from mplus_crawler.sandbox.dmg.routes import Place, locate
from mplus_crawler.sandbox.facts.dmg import FACTS
from mplus_crawler.sandbox.faults import Due, delay
from mplus_crawler.sandbox.options import Options
from mplus_crawler.sandbox.responses import Response, unless_fresh
from mplus_crawler.sandbox.schema_changes import SchemaChanges
from mplus_crawler.sandbox.wire import Delivery

_CORS = {"Access-Control-Allow-Origin": "*"}
_METHODS = {"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE"}
_COMMON: dict[str, str] = FACTS["headers"] | _CORS


class Front:
    """Handles every request: applies limits, gets the museum's response, applies faults."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._local_base = ""
        self.museum = self.museum_of(options.day)
        self.statistics = Statistics(read_tiers(options.limits, options.window_scale))
        self.faults = Faults(self.museum, options.seed, options.faults)
        self._links_are_local = options.links == "local"
        self._v1_lives = options.v1 == "live"
        self._latency = options.latency

    def bound_to(self, base_url: str) -> None:
        """Set the server's address, for local links."""
        if self._links_are_local:
            self._local_base = base_url
            self.move_to(self._options.day)

    def move_to(self, day: int) -> None:
        """Move to another day; statistics and active faults stay."""
        self.museum = self.museum_of(day)
        self.faults.follow(self.museum)

    def museum_of(self, day: int) -> Museum:
        """Return the museum as it is on a day."""
        options = self._options
        sizes = Sizes(options.objects, options.agents, options.exhibitions, options.concepts)
        rows = Collection(sizes, options)
        age(rows, day)
        schema = SchemaChanges(options.schema_changes, day)
        museum = Museum(rows, schema, options.api_key, options.v1)
        if self._local_base:
            museum.base = rows.base = self._local_base
        return museum

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Respond to one request."""
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_CORS | _METHODS)
        place, arrival = locate(request.raw_path), time()
        tier = self._tier(place)
        tally = self.statistics.arrived(tier, place.path, arrival)
        delivery = Delivery(request)
        try:
            await self._exchange(place, tier, delivery)
        except ConnectionError:
            pass  # the client left before the end of its response
        finally:
            self.statistics.responded(tally, place.target, arrival, delivery.status)
        return delivery.response

    def _tier(self, place: Place) -> Tier | None:
        """Return the tier of *place*; version 1 shared one with version 2."""
        old = place.name == "v1" and self._v1_lives
        return self.statistics.tier(FACTS["v1"]["counted_as"] if old else place.path.lower())

    async def _exchange(self, place: Place, tier: Tier | None, delivery: Delivery) -> None:
        allowed, rate = self._admit(tier, delivery.request)
        if not allowed:
            body = {"status": 429, "error": FACTS["message"]["too_many"]}
            await delivery.send(_with(rate, plain_json(429, body)), ())
            return
        due = self.faults.due(place, tier.name if tier else UNLIMITED)
        if wait := self._latency + delay(due):
            await asyncio.sleep(wait)
        response = effects.instead(due) or self._respond(place, delivery.request, due)
        await delivery.send(_with(rate, response), due)
        self.faults.move_rows(due)

    def _admit(self, tier: Tier | None, request: web.Request) -> tuple[bool, Mapping[str, str]]:
        if tier is None:
            return True, {}
        meter, now = self.statistics.meter(tier, _client(request)), monotonic()
        allowed = meter.hit(now)
        return allowed, meter.headers(now, allowed)

    def _respond(self, place: Place, request: web.Request, due: Due) -> Response:
        if request.method not in ("GET", "HEAD"):
            path = place.target.partition("?")[0]
            return page_of_html(404, f"Cannot {request.method} {path}")
        if any(fault.kind == "database" for fault in due):
            return self.museum.failing(place)
        headers = request.headers
        response = self.museum.respond(place, headers, lambda page: effects.change(page, due))
        return unless_fresh(response, headers)


def _with(rate: Mapping[str, str], response: Response) -> Response:
    response.headers = {**_COMMON, **rate, **response.headers}
    return response


def _client(request: web.Request) -> str:
    """Return the client that limits count: the last forwarded address, since there is one proxy."""
    forwarded = request.headers.get("X-Forwarded-For")
    return forwarded.rpartition(",")[2].strip() if forwarded else request.remote or ""

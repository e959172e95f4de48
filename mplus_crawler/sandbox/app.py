"""The sandbox on the network: an aiohttp application, and a server in a thread for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from threading import Thread
from time import monotonic, time
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from mplus_crawler.sandbox.dmg import spoilt
from mplus_crawler.sandbox.dmg.answers import Answer, page_of_html, plain_json, unless_fresh
from mplus_crawler.sandbox.dmg.data import Collection, Sizes
from mplus_crawler.sandbox.dmg.facts import FACTS, Json
from mplus_crawler.sandbox.dmg.faults import Due, Faults
from mplus_crawler.sandbox.dmg.limits import UNLIMITED, Statistics, Tier, read_tiers
from mplus_crawler.sandbox.dmg.museum import Museum
from mplus_crawler.sandbox.dmg.routes import ROOT, Place, locate
from mplus_crawler.sandbox.dmg.wire import Delivery
from mplus_crawler.sandbox.options import Options

T = TypeVar("T")

_CORS = {"Access-Control-Allow-Origin": "*"}
_METHODS = {"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE"}
_SHUTDOWN_SECONDS = 0.1


class Front:
    """Takes every request: limits it, lets the museum answer, and spoils what faults say."""

    def __init__(self, options: Options) -> None:
        sizes = Sizes(options.objects, options.agents, options.exhibitions, options.concepts)
        self._rows = Collection(sizes, options.seed, options.invalid, options.rights)
        self.museum = Museum(self._rows, options.api_key, options.v1)
        self.statistics = Statistics(read_tiers(options.limits, options.window_scale))
        self.faults = Faults(self.museum, options.seed, options.faults)
        self._links_are_local = options.links == "local"
        self._latency = options.latency

    def bound_to(self, base_url: str) -> None:
        """Learn where the server listens, which local links need."""
        if self._links_are_local:
            self.museum.base = self._rows.base = base_url

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to the museum."""
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_CORS | _METHODS)
        place, arrival = locate(request.raw_path), time()
        tier = self.statistics.tier(place.path.lower())
        tally = self.statistics.arrived(tier, place.path, arrival)
        delivery = Delivery(request)
        try:
            await self._exchange(place, tier, delivery)
        except ConnectionError:
            pass  # the client left before the end of its answer
        finally:
            self.statistics.answered(tally, place.target, arrival, delivery.status)
        return delivery.response

    async def _exchange(self, place: Place, tier: Tier | None, delivery: Delivery) -> None:
        allowed, rate = self._admit(tier, delivery.request)
        if not allowed:
            body = {"status": 429, "error": FACTS["message"]["too_many"]}
            await delivery.send(plain_json(429, body), rate, ())
            return
        due = self.faults.due(place, tier.name if tier else UNLIMITED)
        if wait := self._latency + spoilt.delay(due):
            await asyncio.sleep(wait)
        answer = spoilt.instead(due) or self._answer(place, delivery.request, due)
        await delivery.send(answer, rate, due)
        self.faults.move_rows(due)

    def _admit(self, tier: Tier | None, request: web.Request) -> tuple[bool, Mapping[str, str]]:
        if tier is None:
            return True, {}
        meter, now = self.statistics.meter(tier, _client(request)), monotonic()
        allowed = meter.hit(now)
        return allowed, meter.headers(now, allowed)

    def _answer(self, place: Place, request: web.Request, due: Due) -> Answer:
        if request.method not in ("GET", "HEAD"):
            path = place.target.partition("?")[0]
            return page_of_html(404, f"Cannot {request.method} {path}")
        asked = request.headers
        answer = self.museum.answer(place, asked, lambda page: spoilt.change(page, due))
        return unless_fresh(answer, asked)

    async def control(self, request: web.Request) -> web.Response:
        """The sandbox's own addresses, which no museum has and no limit counts."""
        route = (request.method, request.match_info["control"])
        if route not in _CONTROLS:
            raise web.HTTPNotFound
        try:
            found = _CONTROLS[route](self, request.query.get("log") == "1", await request.read())
        except ValueError as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(found)

    def _change_faults(self, body: bytes) -> Json:
        specs = json.loads(body)
        if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
            raise ValueError("faults: a JSON list of specs is wanted")
        self.faults.add(*specs)
        return {"added": len(specs)}

    def _clear_faults(self) -> Json:
        self.faults.clear()
        return {}

    def _reset(self) -> Json:
        self.statistics.reset()
        return {}


_CONTROLS: Mapping[tuple[str, str], Callable[[Front, bool, bytes], Json]] = {
    ("GET", "stats"): lambda front, with_log, _: front.statistics.report(with_log),
    ("GET", "truth"): lambda front, _, __: front.museum.truth(),
    ("POST", "faults"): lambda front, _, body: front._change_faults(body),
    ("DELETE", "faults"): lambda front, _, __: front._clear_faults(),
    ("POST", "reset"): lambda front, _, __: front._reset(),
}


MUSEUM = web.AppKey("MUSEUM", Front)


def create_app(options: Options) -> web.Application:
    """The sandbox as an aiohttp application."""
    app = web.Application()
    app.on_response_prepare.append(_forget_server)
    app[MUSEUM] = front = Front(options)
    app.router.add_route("*", "/__{control}", front.control)
    app.router.add_route("*", "/{path:.*}", front.answer)
    return app


async def start(options: Options) -> tuple[web.AppRunner, str]:
    """Start serving; what to clean up in the end, and the base URL. OSError if it can't listen."""
    app = create_app(options)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError:
        await runner.cleanup()
        raise
    host = f"[{options.host}]" if ":" in options.host else options.host
    base_url = f"http://{host}:{runner.addresses[0][1]}{ROOT}"
    app[MUSEUM].bound_to(base_url)
    return runner, base_url


class Sandbox:
    """A sandbox that runs in a thread while a ``with`` block lasts; keywords are the flags' names.

    ::

        with Sandbox(objects=500, limits="off", faults=["status:code=503,path=objects"]) as museum:
            harvest(museum.base_url)
            assert museum.stats()["tiers"]["collections"]["too_many"] == 0
    """

    base_url: str

    def __init__(self, **options: Any) -> None:
        self._options = Options(**options)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._runner, self.base_url = self._run(start(self._options))
        except BaseException:
            self._stop()
            raise
        self._front = self._runner.app[MUSEUM]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._runner.cleanup())
        self._stop()

    def stats(self, log: bool = False) -> Json:
        """What ``GET /__stats`` says."""
        return self._call(lambda: self._front.statistics.report(log))

    def truth(self) -> Json:
        """What ``GET /__truth`` says."""
        return self._call(self._front.museum.truth)

    def fault(self, spec: str) -> None:
        """Put one more fault in force."""
        self._call(lambda: self._front.faults.add(spec))

    def clear(self) -> None:
        """Take all faults away again."""
        self._call(self._front.faults.clear)

    def reset(self) -> None:
        """Forget all requests and start all windows anew."""
        self._call(self._front.statistics.reset)

    def _call(self, function: Callable[[], T]) -> T:
        async def called() -> T:
            return function()

        return self._run(called())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _forget_server(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)


def _client(request: web.Request) -> str:
    """Whom the limits count: the last forwarded address, as behind the museum's one proxy."""
    forwarded = request.headers.get("X-Forwarded-For")
    return forwarded.rpartition(",")[2].strip() if forwarded else request.remote or ""

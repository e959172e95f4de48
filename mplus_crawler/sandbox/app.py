"""The sandbox as an aiohttp application, and as a server in a thread for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from mplus_crawler.sandbox.dmg.front import Front as Gent
from mplus_crawler.sandbox.dmg.routes import ROOT
from mplus_crawler.sandbox.facts.dmg import Json
from mplus_crawler.sandbox.facts.mplus import FACTS
from mplus_crawler.sandbox.history import truth_on
from mplus_crawler.sandbox.mplus.calls import is_here
from mplus_crawler.sandbox.mplus.front import Front as Mplus
from mplus_crawler.sandbox.options import Options

T = TypeVar("T")

_SHUTDOWN_SECONDS = 0.1
_LARGEST_BODY = 8 * 1024 * 1024  # each museum refuses what is too large for it


class Museums:
    """Both museums, and the control endpoints of the sandbox."""

    def __init__(self, options: Options) -> None:
        self.gent = Gent(options)
        self.mplus = Mplus(options)
        if options.mplus_data or options.mplus_faults:
            _ = self.mplus.museum  # fail at the start if they are wrong

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Pass the request to the museum that has its path."""
        museum = self.mplus if is_here(request.path) else self.gent
        return await museum.respond(request)

    async def control(self, request: web.Request) -> web.Response:
        """Respond to a control endpoint; rate limits ignore them. ``?museum=mplus`` selects M+."""
        route = (request.method, request.match_info["control"])
        if route not in _CONTROLS:
            raise web.HTTPNotFound
        try:
            found = _CONTROLS[route](self, request.query, await request.read())
        except ValueError as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(found)

    def stats(self, log: bool) -> Json:
        """Return the requests counted: Gent's, and M+'s under ``mplus``."""
        gent = self.gent.statistics.report(log)
        return gent | {"mplus": self.mplus.statistics.report(log)}

    def truth(self, museum: str, day: int | None, since: int) -> Json:
        """Return what a complete harvest of a museum contains, now or on a day without faults.

        With *day*: and what changed on that day, and since the end of day *since*.
        """
        front = self.mplus if museum == "mplus" else self.gent
        if day is None:
            return front.museum.truth()
        return truth_on(front.museum_of, day, since)

    def move_to(self, day: int) -> Json:
        """Move both museums to another day."""
        if day < 0:
            raise ValueError(f"day: {day} is not 0 or more")
        self.gent.move_to(day)
        self.mplus.move_to(day)
        return {"day": day}

    def change_faults(self, museum: str, specs: object) -> Json:
        """Add faults to a museum."""
        if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
            raise ValueError("faults: send a JSON list of specs")
        (self.mplus if museum == "mplus" else self.gent).faults.add(*specs)
        return {"added": len(specs)}

    def clear_faults(self) -> Json:
        """Remove the faults of both museums."""
        self.gent.faults.clear()
        self.mplus.clear()
        return {}

    def reset(self) -> Json:
        """Reset counts and limits, and M+'s cache."""
        self.gent.statistics.reset()
        self.mplus.reset()
        return {}


_Query = Mapping[str, str]
_CONTROLS: Mapping[tuple[str, str], Callable[[Museums, _Query, bytes], Json]] = {
    ("GET", "stats"): lambda museums, query, _: museums.stats(query.get("log") == "1"),
    ("GET", "truth"): lambda museums, query, _: museums.truth(
        query.get("museum", ""),
        int(query["day"]) if "day" in query else None,
        int(query.get("since", 0)),
    ),
    ("POST", "day"): lambda museums, query, _: museums.move_to(int(query.get("day", ""))),
    ("POST", "faults"): lambda museums, query, body: museums.change_faults(
        query.get("museum", ""), json.loads(body)
    ),
    ("DELETE", "faults"): lambda museums, _, __: museums.clear_faults(),
    ("POST", "reset"): lambda museums, _, __: museums.reset(),
}


MUSEUMS = web.AppKey("MUSEUMS", Museums)


def create_app(options: Options) -> web.Application:
    """Return the sandbox as an aiohttp application."""
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.on_response_prepare.append(_mark)
    app[MUSEUMS] = museums = Museums(options)
    app.router.add_route("*", "/__{control}", museums.control)
    app.router.add_route("*", "/{path:.*}", museums.respond)
    return app


async def start(options: Options) -> tuple[web.AppRunner, str, str]:
    """Start serving; return the runner to clean up, and the URLs of Gent and M+.

    Raises OSError if the port cannot be used, ValueError if the data set is missing.
    """
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
    server = f"http://{host}:{runner.addresses[0][1]}"
    app[MUSEUMS].gent.bound_to(f"{server}{ROOT}")
    return runner, f"{server}{ROOT}", f"{server}{FACTS['paths'][0]}"


class Sandbox:
    """A sandbox in a thread, for the time of a ``with`` block; keywords are the flags' names.

    ::

        with Sandbox(objects=500, limits="off", faults=["status:code=503,path=objects"]) as museum:
            harvest(museum.base_url)
            assert museum.stats()["tiers"]["collections"]["too_many"] == 0
    """

    base_url: str
    mplus_url: str

    def __init__(self, **options: Any) -> None:
        self._options = Options(**options)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._runner, self.base_url, self.mplus_url = self._run(start(self._options))
        except BaseException:
            self._stop()
            raise
        self._museums = self._runner.app[MUSEUMS]
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
        """Return what ``GET /__stats`` returns."""
        return self._call(lambda: self._museums.stats(log))

    def truth(self, museum: str = "", day: int | None = None, since: int = 0) -> Json:
        """Return what ``GET /__truth`` returns; of M+ if *museum* is ``mplus``."""
        return self._call(lambda: self._museums.truth(museum, day, since))

    def move_to(self, day: int) -> None:
        """Move to another day; statistics and active faults stay."""
        self._call(lambda: self._museums.move_to(day))

    def fault(self, spec: str, museum: str = "") -> None:
        """Add a fault; to M+ if *museum* is ``mplus``."""
        self._call(lambda: self._museums.change_faults(museum, [spec]))

    def clear(self) -> None:
        """Remove all faults."""
        self._call(self._museums.clear_faults)

    def reset(self) -> None:
        """Reset counts and limits, and M+'s cache."""
        self._call(self._museums.reset)

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


async def _mark(_: web.Request, response: web.StreamResponse) -> None:
    """Say that the data are invented, instead of which server this is."""
    response.headers.popall("Server", None)
    response.headers["Sandbox"] = "invented data"

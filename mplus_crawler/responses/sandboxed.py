"""Distinguishes invented data of the sandbox from a museum's.

The sandbox sends the header ``Sandbox`` with every response. At the policy's own address the header
is ignored, so that a museum's records are never marked. A server that does not send it, such as a
proxy of the museum, counts as the museum.
"""

from __future__ import annotations

from functools import cached_property

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.http import Response

from mplus_crawler.census import Census, Verdict
from mplus_crawler.museum.components import Extension, Handlers
from mplus_crawler.records.rights import INVENTED
from mplus_crawler.wire.addresses import origin

HEADER = "Sandbox"


class SandboxWatch(Extension):
    """Extension: finds out from responses whether the data are invented."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.invented = False

    def handlers(self) -> Handlers:
        """Return the handlers of Scrapy's signals."""
        return {
            signals.response_downloaded: self.look,
            signals.response_received: self.look_at_replayed,
        }

    def look(self, response: Response, request: Request) -> None:
        """Look for the header in *response*, if that is the API's."""
        sent = HEADER in response.headers and not request.meta.get("third_party")
        if sent and not self.invented and not self._at_museum:
            self.learn()

    def look_at_replayed(self, response: Response, request: Request) -> None:
        """As :meth:`look`, for a response from the ledger."""
        if request.meta.get("replayed"):
            self.look(response, request)

    def learn(self) -> None:
        """Mark all further records; stop a harvest that has delivered unmarked ones."""
        self.invented = True
        census = Census.of(self._crawler)
        if census.delivered:
            census.stop(
                Verdict.FAILED,
                "some responses come from the sandbox and some do not; start afresh with "
                "-a fresh=true",
            )

    def named(self, source: str) -> str:
        """Return *source*, a museum's name, with a note if the data are invented."""
        return f"{source}{INVENTED}" if self.invented else source

    @cached_property
    def _at_museum(self) -> bool:
        return origin(self._museum.base_url) == origin(self._museum.policy.base_url)

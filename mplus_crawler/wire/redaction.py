"""Redaction: a key that an answer repeats is struck out before anybody reads the answer.

Done twice: next to the wire, since a redirect's address would be logged, and again once a
compressed body is open. It is the only change ever made to what a museum says, and it is noted.
"""

from __future__ import annotations

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.http.headers import Headers

from mplus_crawler.census import Census
from mplus_crawler.museum.components import Component
from mplus_crawler.museum.contract import Museum
from mplus_crawler.wire.credentials import spellings

STRUCK = b"key-struck-out"


def redacted(crawler: Crawler, response: Response) -> Response:
    """*response* without the key, in its headers and its body."""
    spider = Museum.of(crawler)
    for secret in spellings(spider.policy) if spider.keyed else ():
        fields = [(name, value) for name, found in response.headers.items() for value in found]
        if secret in response.body or any(secret in field for pair in fields for field in pair):
            Census.of(crawler).note("an answer repeated the key: it was struck out")
            headers = Headers()
            for name, value in fields:
                headers.appendlist(_without(secret, name), _without(secret, value))
            response = response.replace(headers=headers, body=_without(secret, response.body))
    return response


def _without(secret: bytes, text: bytes) -> bytes:
    return text.replace(secret, STRUCK)


class RedactionMiddleware(Component):
    """Looks once more at answers that came compressed."""

    def process_response(self, request: Request, response: Response) -> Response:
        """*response* without the key."""
        return redacted(self._crawler, response)

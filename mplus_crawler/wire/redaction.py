"""Redaction: a key that a response repeats is removed before any component reads it.

It is the only change ever made to what a museum sends, and it is noted.
"""

from __future__ import annotations

from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.http.headers import Headers

from mplus_crawler.census import Census
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

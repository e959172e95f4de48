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


def redacted(crawler: Crawler, response: Response) -> Response:
    """*response* without the key, in its headers and its body."""
    removed = spellings(Museum.of(crawler).policy).removed
    headers, body = Headers(), removed(response.body)
    for name, values in response.headers.items():
        for value in values:
            headers.appendlist(removed(name), removed(value))
    if body == response.body and headers == response.headers:
        return response
    Census.of(crawler).note("a response repeated the key: the key was struck out")
    return response.replace(headers=headers, body=body)

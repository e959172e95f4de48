"""Crawlee: the first page names the last one, then eight pages at a time.

::

    python crawlee_peer.py FIRST_URL FILE [REQUESTS SECONDS]
"""

from __future__ import annotations

import asyncio
import math
import sys

import orjson
from crawlee import ConcurrencySettings
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.storage_clients import MemoryStorageClient


async def main() -> None:
    """Write the members of all pages to a file, one per line; exit 1 if a request failed."""
    first, file, *limit = sys.argv[1:]
    per_minute = int(limit[0]) / float(limit[1]) * 60 if limit else math.inf
    crawler = HttpCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=8,
            max_concurrency=8,
            desired_concurrency=8,
            max_tasks_per_minute=per_minute,
        ),
        storage_client=MemoryStorageClient(),
        max_request_retries=5,
    )
    with open(file, "wb") as out:  # noqa: ASYNC230  # a write is short

        @crawler.router.default_handler
        async def read(context: HttpCrawlingContext) -> None:
            page = orjson.loads(await context.http_response.read())
            out.writelines(
                orjson.dumps(member, option=orjson.OPT_APPEND_NEWLINE)
                for member in page["hydra:member"]
            )
            if context.request.url == first:
                last = -(-page["hydra:totalItems"] // len(page["hydra:member"]))
                await context.add_requests(
                    [first.replace("page=1&", f"page={n}&") for n in range(2, last + 1)]
                )

        statistics = await crawler.run([first])
    sys.exit(1 if statistics.requests_failed else 0)


if __name__ == "__main__":
    asyncio.run(main())

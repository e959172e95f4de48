"""A loop of requests, eight threads wide on request.

::

    python download_loop.py FIRST_URL FILE [THREADS]
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3 import Retry

RETRY = Retry(total=5, backoff_factor=0.1, status_forcelist=(429, 500, 502, 503, 504))


def main() -> None:
    """Write the members of all pages to a file, one per line."""
    first, file, *threads = sys.argv[1:]
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=RETRY, pool_maxsize=8))

    def read(url: str, attempts: int = 5) -> dict[str, Any]:
        try:
            response = session.get(url, timeout=60)
        except ChunkedEncodingError:  # a truncated body, which urllib3 does not retry
            if attempts == 1:
                raise
            return read(url, attempts - 1)
        response.raise_for_status()
        page: dict[str, Any] = orjson.loads(response.content)
        return page

    with open(file, "wb") as out:

        def write(page: dict[str, Any]) -> None:
            out.writelines(
                orjson.dumps(member, option=orjson.OPT_APPEND_NEWLINE)
                for member in page["hydra:member"]
            )

        page = read(first)
        write(page)
        if threads:
            last = -(-page["hydra:totalItems"] // len(page["hydra:member"]))
            urls = [first.replace("page=1&", f"page={n}&") for n in range(2, last + 1)]
            with ThreadPoolExecutor(int(threads[0])) as pool:
                for page in pool.map(read, urls):
                    write(page)
            return
        while following := page["hydra:view"].get("hydra:next"):
            page = read(following)
            write(page)


if __name__ == "__main__":
    main()

"""A loop of requests, eight threads wide on request.

::

    python download_loop.py BASE_URL FILE ROWS_PER_PAGE [THREADS]
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

RETRY = Retry(total=5, backoff_factor=0.1, status_forcelist=(429, 500, 502, 503, 504))


def main() -> None:
    """Write the members of all pages to a file, one per line."""
    base_url, file, rows, *threads = sys.argv[1:]
    first = f"{base_url}id/objects?page=1&itemsPerPage={rows}&fullRecord=true"
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=RETRY, pool_maxsize=8))

    def read(url: str) -> dict[str, object]:
        response = session.get(url, timeout=60)
        response.raise_for_status()
        page: dict[str, object] = orjson.loads(response.content)
        return page

    with open(file, "wb") as out:

        def write(page: dict[str, object]) -> None:
            out.writelines(
                orjson.dumps(member, option=orjson.OPT_APPEND_NEWLINE)
                for member in page["hydra:member"]
            )

        page = read(first)
        write(page)
        if threads:
            last = -(-int(str(page["hydra:totalItems"])) // int(rows))
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

"""Reading the certificates of former runs in ``HARVEST_DIR/runs/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from scrapy.settings import BaseSettings

from mplus_crawler.errors import DeliveryError
from mplus_crawler.feeds.certificate import names_of_runs
from mplus_crawler.feeds.names import CERTIFICATE, RUNS
from mplus_crawler.storage.destination import destination
from mplus_crawler.verification import seal


def certificates(settings: BaseSettings, spider: str) -> Iterator[Mapping[str, Any]]:
    """Yield the certificates of *spider*'s runs, the newest first; damaged ones are skipped.

    Raises :class:`DeliveryError` if the folder cannot be read.
    """
    folder, pattern = destination(settings).below(RUNS), names_of_runs(spider)
    try:
        for name in sorted(folder.names(), reverse=True):
            if name.endswith(CERTIFICATE) and pattern.fullmatch(name):
                found = _sound(folder.read(name))
                if found is not None:
                    yield found
    except OSError as error:
        raise DeliveryError(f"{folder.uri('')} cannot be read ({error})") from None


def _sound(content: bytes | None) -> Mapping[str, Any] | None:
    """Return the certificate in *content*, if its seal is right."""
    try:
        found: Mapping[str, Any] = orjson.loads(content or b"")
        return found if found["seal"] == seal(found) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

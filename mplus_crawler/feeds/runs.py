"""Reading the certificates of former runs in ``HARVEST_DIR/runs/``."""

from __future__ import annotations

from collections.abc import Iterator

from scrapy.settings import BaseSettings

from mplus_crawler.errors import DeliveryError
from mplus_crawler.feeds.certificate import names_of_runs
from mplus_crawler.feeds.former import Certificate, sealed_certificate
from mplus_crawler.feeds.names import CERTIFICATE, RUNS
from mplus_crawler.storage.destination import destination


def certificates(settings: BaseSettings, spider: str) -> Iterator[Certificate]:
    """Yield the certificates of *spider*'s runs, the newest first; damaged ones are skipped.

    Raises :class:`DeliveryError` if the folder cannot be read.
    """
    folder, pattern = destination(settings).below(RUNS), names_of_runs(spider)
    try:
        names = [name for name in folder.names() if pattern.fullmatch(name)]
        for name in sorted(names, reverse=True):
            if name.endswith(CERTIFICATE) and (found := sealed_certificate(folder.read(name))):
                yield found
    except OSError as error:
        raise DeliveryError(f"{folder.uri('')} cannot be read ({error})") from None

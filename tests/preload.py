"""What a command imports, imported once: the fork server of tests/command.py starts with this.

Left out is what a command decides for itself: the settings, which read the environment, and
Twisted's reactor.
"""

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

OF_OTHERS = (
    "boto3",
    "scrapy.cmdline",
    "scrapy.core.downloader.handlers.http11",
    "scrapy.core.scheduler",
    "scrapy.downloadermiddlewares.httpcompression",
    "scrapy.extensions.feedexport",
    "scrapy.spidermiddlewares.referer",
    "scrapy.squeues",
    "twisted.internet.asyncioreactor",
)


def modules(package: str) -> Iterator[str]:
    """The names of all modules in *package*."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        yield module.name


for name in (*OF_OTHERS, *modules("scrapy.commands"), *modules("mplus_crawler")):
    if name != "mplus_crawler.settings":
        import_module(name)
assert "twisted.internet.reactor" not in sys.modules
gc.collect()
gc.freeze()  # a collection in a fork would copy every page it looks at

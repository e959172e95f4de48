"""What a command imports, imported once: the fork server of tests/command.py starts with this.

Left out is what a command decides for itself: the settings, which read the environment, and
Twisted's reactor.
"""

import gc
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from boto3.session import Session
from botocore.loaders import JSONFileLoader

OF_OTHERS = (
    "scrapy.cmdline",
    "encodings.idna",
    "scrapy.core.downloader.handlers.http11",
    "scrapy.core.scheduler",
    "scrapy.dupefilters",
    "scrapy.extensions.closespider",
    "scrapy.extensions.corestats",
    "scrapy.extensions.feedexport",
    "scrapy.extensions.logcount",
    "scrapy.extensions.memusage",
    "scrapy.extensions.throttle",
    "scrapy.logformatter",
    "scrapy.pqueues",
    "scrapy.squeues",
    "scrapy.statscollectors",
    "scrapy.utils.engine",
    "twisted.internet.asyncioreactor",
)


def modules(package: str) -> Iterator[str]:
    """The names of all modules in *package*."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        yield module.name


PACKAGES = (
    "scrapy.commands",
    "scrapy.downloadermiddlewares",
    "scrapy.spidermiddlewares",
    "mplus_crawler",
)
for name in (*OF_OTHERS, *(name for package in PACKAGES for name in modules(package))):
    if name != "mplus_crawler.settings":
        import_module(name)
assert "twisted.internet.reactor" not in sys.modules
# The description of S3 is half a megabyte of JSON, which each client reads anew.
read_file = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda self, path: read_file(path)
Session().client("s3", "us-east-1")
gc.collect()
gc.freeze()  # a collection in a fork would copy every page it looks at

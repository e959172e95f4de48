"""Commands of ``scrapy`` in this project; importing them makes streams and errors safe."""

from mplus_crawler.cli.console import report_uncaught
from mplus_crawler.storage.streams import prepare_streams

prepare_streams()
report_uncaught()

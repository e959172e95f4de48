"""Commands of ``scrapy`` in this project; importing them makes the standard streams safe."""

from mplus_crawler.storage.streams import prepare_streams

prepare_streams()

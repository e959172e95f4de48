from setuptools import setup

setup(entry_points={"scrapy": ["settings = mplus_crawler.settings"]})

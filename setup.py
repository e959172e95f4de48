from setuptools import setup

setup(license="MIT", entry_points={"scrapy": ["settings = mplus_crawler.settings"]})

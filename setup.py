import sys

from setuptools import find_packages, setup

if sys.version_info < (3, 11):  # noqa: UP036  # older pips report a missing Scrapy instead
    sys.exit("mplus_crawler needs Python 3.11 or newer; this is {}.{}".format(*sys.version_info))

# Here, since pyproject.toml cannot put a folder from elsewhere into the package it finds.
setup(
    license="MIT",
    packages=[*find_packages(include=["mplus_crawler*"]), "mplus_crawler.schemas"],
    package_dir={"mplus_crawler.schemas": "schemas"},
)

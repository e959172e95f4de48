from setuptools import find_packages, setup

# Here, since pyproject.toml cannot put a folder from elsewhere into the package it finds.
setup(
    license="MIT",
    packages=[*find_packages(include=["mplus_crawler*"]), "mplus_crawler.schemas"],
    package_dir={"mplus_crawler.schemas": "schemas"},
)

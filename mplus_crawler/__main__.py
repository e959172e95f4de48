"""``python -m mplus_crawler``: the same as ``mplus-crawler``."""

from mplus_crawler.cli.tool import main

if __name__ == "__main__":
    main()

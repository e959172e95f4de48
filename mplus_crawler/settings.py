"""Scrapy settings. Each line that differs from Scrapy's default says why.

The settings of the contract are also read from the environment; ``-s`` takes precedence.
"""

import os

from scrapy.settings import default_settings

from mplus_crawler import __version__

BOT_NAME = "mplus_crawler"
SPIDER_MODULES = ["mplus_crawler.spiders"]
NEWSPIDER_MODULE = "mplus_crawler.spiders"
COMMANDS_MODULE = "mplus_crawler.cli.commands"  # crawl exits with the verdict

# The contract with users: see the table in docs/settings.md.
HARVEST_DIR = os.environ.get("HARVEST_DIR", "data")
BUDGET_URL = os.environ.get("BUDGET_URL")
POLICY_DIR = os.environ.get("POLICY_DIR")
RATE_SHARE = os.environ.get("RATE_SHARE", "0.9")
THROTTLE_MAX_WAIT = os.environ.get("THROTTLE_MAX_WAIT", "900")
LOOKAHEAD = os.environ.get("LOOKAHEAD")  # else the policy's in_flight
RESUME_MAX_AGE = os.environ.get("RESUME_MAX_AGE", "86400")
HARVEST_STATE_DIR = os.environ.get("HARVEST_STATE_DIR")
MAX_REJECT_SHARE = os.environ.get("MAX_REJECT_SHARE", "0.01")
MAX_DELETE_SHARE = os.environ.get("MAX_DELETE_SHARE", "0.02")
RECORD = os.environ.get("RECORD")  # 0 or 1; unset, spreadsheets only leave the column out
CONTACT_URL = os.environ.get("CONTACT_URL", "https://example.org/mplus_crawler")

# Lets museums see who sends the requests. Spiders rebuild it from CONTACT_URL, which -s may set.
USER_AGENT = f"mplus_crawler/{__version__} (+{CONTACT_URL})"
DEFAULT_REQUEST_HEADERS = {
    "Accept": "application/ld+json, application/json",
    "Accept-Encoding": "gzip, deflate, br, zstd",
}
ROBOTSTXT_OBEY = False  # APIs have terms of use; robots.txt is about web pages

# Security.
DOWNLOAD_VERIFY_CERTIFICATES = True  # Scrapy's default trusts any certificate
REMOTE_CONTROL_ENABLED = False  # opens a local port that runs any Python posted to it
TELNETCONSOLE_ENABLED = False  # opens a port, and logs its password
COOKIES_ENABLED = False  # downloads a list of domains; wire/session.py keeps cookies
DOWNLOAD_MAXSIZE = 32 * 1024 * 1024  # a page has half a megabyte; Scrapy allows a gigabyte
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 60
REFERRER_POLICY = "no-referrer"  # of no use to an API
METAREFRESH_ENABLED = False  # HTML is never a valid response
# What is listed under a name in _BASE stays when a user's settings add to that name's list.
DOWNLOAD_HANDLERS_BASE = {
    "http": "mplus_crawler.wire.handler.BudgetedDownloadHandler",
    "https": "mplus_crawler.wire.handler.BudgetedDownloadHandler",
    **dict.fromkeys(("data", "file", "ftp", "s3")),  # a response must not name a local file
}

TWISTED_DNS_RESOLVER = "mplus_crawler.wire.resolver.PublicResolver"  # no private addresses

DOWNLOADER_MIDDLEWARES_BASE = {
    **{
        name: place
        for name, place in default_settings.DOWNLOADER_MIDDLEWARES_BASE.items()
        # Scrapy imports all that its lists name, even if disabled; this one is slow to import.
        if not name.endswith(".CookiesMiddleware")
    },
    "mplus_crawler.wire.origin.OriginGuard": 40,
    # It returns what it can of a damaged body; wire/bodies.py checks each to its end.
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,  # OriginGuard is stricter
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,  # wire/proxy.py replaces it
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,  # it gives up too early
    "mplus_crawler.responses.ledger.LedgerMiddleware": 540,
    "mplus_crawler.wire.retry.RetryMiddleware": 550,
    "mplus_crawler.responses.revalidation.RevalidationMiddleware": 560,
    "mplus_crawler.wire.session.SessionMiddleware": 700,
    "mplus_crawler.wire.proxy.ProxyMiddleware": 750,
    "mplus_crawler.wire.throttle.ThrottleMiddleware": 880,
}
SPIDER_MIDDLEWARES_BASE = {
    **default_settings.SPIDER_MIDDLEWARES_BASE,
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,  # long chains of pages are deep
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,  # it drops requests silently
}
ITEM_PIPELINES_BASE = {
    "mplus_crawler.feeds.pipelines.NormalisePipeline": 100,
    "mplus_crawler.spiders.dmg.manifests.ManifestPipeline": 120,
    "mplus_crawler.feeds.pipelines.RightsPipeline": 150,
    "mplus_crawler.feeds.pipelines.DigestPipeline": 190,
    "mplus_crawler.feeds.pipelines.ValidatePipeline": 200,
}
EXTENSIONS_BASE = {
    # Of Scrapy's, all but two that open ports.
    "scrapy.extensions.corestats.CoreStats": 0,
    "scrapy.extensions.logcount.LogCount": 0,
    "scrapy.extensions.memusage.MemoryUsage": 0,
    "scrapy.extensions.closespider.CloseSpider": 0,
    "scrapy.extensions.feedexport.FeedExporter": 0,
    "scrapy.extensions.throttle.AutoThrottle": 0,
    # The census comes first: the verdict is known before files are published.
    "mplus_crawler.census.Census": -30,
    "mplus_crawler.wire.throttle.Throttle": -20,
    "mplus_crawler.responses.ledger.Ledger": -10,
    "mplus_crawler.responses.revalidation.Revalidation": -5,
    "mplus_crawler.responses.lifecycle.LifecycleWatch": 0,
    "mplus_crawler.responses.sandboxed.SandboxWatch": 0,
    "mplus_crawler.spiders.reconciliation.Reconciliation": 90,
    "mplus_crawler.feeds.changes.extension.Changes": 95,
    "mplus_crawler.feeds.sentinel.Sentinel": 95,
    "mplus_crawler.feeds.publication.Publication": 100,
    "mplus_crawler.cli.progress.ProgressExtension": 110,
}
FEED_EXPORTERS_BASE = {
    **default_settings.FEED_EXPORTERS_BASE,
    **dict.fromkeys(
        ("jsonlines", "jsonl", "jl"), "mplus_crawler.feeds.exporters.JsonLinesExporter"
    ),
    "csv": "mplus_crawler.feeds.exporters.CsvExporter",
    "json": "mplus_crawler.feeds.exporters.JsonExporter",
    **dict.fromkeys(("parquet", "sqlite"), "mplus_crawler.feeds.exporters.TableExporter"),
    "xlsx": "mplus_crawler.feeds.exporters.SpreadsheetExporter",
    **dict.fromkeys(("marshal", "pickle")),  # reading such files runs code
    "xml": None,  # names such as "@id" cannot be elements
}
FEED_STORAGES_BASE = {
    **default_settings.FEED_STORAGES_BASE,
    **dict.fromkeys(("", "file"), "mplus_crawler.feeds.storage.StagedFeedStorage"),
    "s3": "mplus_crawler.feeds.storage.S3FeedStorage",
    "stdout": "mplus_crawler.feeds.stream.OutputStorage",
    **dict.fromkeys(("ftp", "gs")),  # they cannot publish whole files only
}

# The budget sets the pace; AutoThrottle only slows down when the server does.
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 0  # the budget already spaces requests
AUTOTHROTTLE_TARGET_CONCURRENCY = 16  # twice in_flight: its latency includes our own work
AUTOTHROTTLE_MAX_DELAY = 5  # more would only add to the response time
CONCURRENT_REQUESTS_PER_DOMAIN = 8
DOWNLOAD_DELAY = 0.001  # at 0, Scrapy 2.19 does not enforce the slot's concurrency
DOWNLOAD_DELAY_JITTER = 0
CONCURRENT_ITEMS = 1  # an item is a page, and Scrapy starts this many tasks per response

# Beside Scrapy's: 421 (RFC 9110), 425 (RFC 8470), and all other errors of servers and gateways,
# but not 501 and 505, which never change.
RETRY_HTTP_CODES = [408, 421, 425, 429, 500, 502, 503, 504, *range(506, 600)]
RETRY_TIMES = 5  # with Scrapy's 2, a second of errors loses a page
RETRY_BACK_OFF_TIMES = 10
RETRY_BREAKER = 12
RETRY_BACKOFF_BASE = 0.5
RETRY_BACKOFF_MAX = 30

WARN_ON_GENERATOR_RETURN_VALUE = False  # checks our source again for each response
LOG_LEVEL = "INFO"  # DEBUG costs 140 ms of CPU per page of 100
MEDIA_ALLOW_REDIRECTS = True  # image hosts redirect; OriginGuard checks each step
LOG_FORMAT = "%(asctime)s %(levelname)s: %(message)s"
LOGSTATS_INTERVAL = os.environ.get("LOGSTATS_INTERVAL", "5")
STATS_DUMP = False  # the certificate has the counts

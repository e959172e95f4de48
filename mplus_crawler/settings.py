"""Wiring. A line that differs from Scrapy's default says why.

The settings of the contract are read from the environment, too; ``-s`` wins.
"""

import os

from scrapy.settings import default_settings

from mplus_crawler import __version__

BOT_NAME = "mplus_crawler"
SPIDER_MODULES = ["mplus_crawler.spiders"]
NEWSPIDER_MODULE = "mplus_crawler.spiders"
COMMANDS_MODULE = "mplus_crawler.cli.commands"  # a crawl whose exit code tells the truth

# The contract with users: see the table in README.md.
DMG_BASE_URL = os.environ.get("DMG_BASE_URL")
MPLUS_URL = os.environ.get("MPLUS_URL")
HARVEST_DIR = os.environ.get("HARVEST_DIR", "data")
BUDGET_URL = os.environ.get("BUDGET_URL")
POLICY_DIR = os.environ.get("POLICY_DIR")
RATE_SHARE = os.environ.get("RATE_SHARE", "0.9")
THROTTLE_MAX_WAIT = os.environ.get("THROTTLE_MAX_WAIT", "900")
LOOKAHEAD = os.environ.get("LOOKAHEAD", "4")
RESUME_MAX_AGE = os.environ.get("RESUME_MAX_AGE", "86400")
HARVEST_STATE_DIR = os.environ.get("HARVEST_STATE_DIR")
MAX_REJECT_SHARE = os.environ.get("MAX_REJECT_SHARE", "0.01")
CONTACT_URL = os.environ.get("CONTACT_URL", "https://example.org/mplus_crawler")

# Museums can tell who asks, and reach them.
USER_AGENT = f"mplus_crawler/{__version__} (+{CONTACT_URL})"
DEFAULT_REQUEST_HEADERS = {"Accept": "application/ld+json, application/json"}
ROBOTSTXT_OBEY = False  # an API under terms of use of its own; robots.txt is for pages

# A safe profile.
DOWNLOAD_VERIFY_CERTIFICATES = True  # Scrapy's default trusts any certificate
REMOTE_CONTROL_ENABLED = False  # a local port that runs whatever Python is posted to it
TELNETCONSOLE_ENABLED = False  # another port, its password in the log
COOKIES_ENABLED = False  # it would ask the web for domain names; sessions are ours to keep
DOWNLOAD_MAXSIZE = 32 * 1024 * 1024  # a page is half a megabyte; a gigabyte is an accident
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 60
REFERRER_POLICY = "no-referrer"  # an API has no use for it
METAREFRESH_ENABLED = False  # HTML has no say here
DOWNLOAD_HANDLERS = {
    "http": "mplus_crawler.wire.handler.BudgetedDownloadHandler",
    "https": "mplus_crawler.wire.handler.BudgetedDownloadHandler",
    **dict.fromkeys(("data", "file", "ftp", "s3")),  # an answer must not name a file
}

TWISTED_DNS_RESOLVER = "mplus_crawler.wire.resolver.PublicResolver"  # nor lead into this network

# Scrapy imports what its own lists name even when it is off; cookies take longest.
DOWNLOADER_MIDDLEWARES_BASE = {
    name: place
    for name, place in default_settings.DOWNLOADER_MIDDLEWARES_BASE.items()
    if not name.endswith(".CookiesMiddleware")
}
DOWNLOADER_MIDDLEWARES = {
    "mplus_crawler.wire.origin.OriginGuard": 40,
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,  # the guard is stricter
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,  # it drops what it should ask again
    "mplus_crawler.responses.ledger.LedgerMiddleware": 540,
    "mplus_crawler.wire.retry.RetryMiddleware": 550,
    "mplus_crawler.responses.revalidation.RevalidationMiddleware": 560,
    "mplus_crawler.wire.redaction.RedactionMiddleware": 580,  # just after decompression
    "mplus_crawler.wire.session.SessionMiddleware": 700,
    "mplus_crawler.wire.throttle.ThrottleMiddleware": 880,
}
SPIDER_MIDDLEWARES = {
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,  # a chain is as deep as it has pages
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,  # it drops without a word
}
ITEM_PIPELINES = {
    "mplus_crawler.feeds.pipelines.NormalisePipeline": 100,
    "mplus_crawler.spiders.dmg.manifests.ManifestPipeline": 120,
    "mplus_crawler.feeds.pipelines.RightsPipeline": 150,
    "mplus_crawler.feeds.pipelines.ValidatePipeline": 200,
}
# That list has two open ports.
EXTENSIONS_BASE = {
    "scrapy.extensions.corestats.CoreStats": 0,
    "scrapy.extensions.logcount.LogCount": 0,
    "scrapy.extensions.memusage.MemoryUsage": 0,
    "scrapy.extensions.closespider.CloseSpider": 0,
    "scrapy.extensions.feedexport.FeedExporter": 0,
    "scrapy.extensions.throttle.AutoThrottle": 0,
}
EXTENSIONS = {
    # The census comes first: the verdict stands before anything is published.
    "mplus_crawler.census.Census": -30,
    "mplus_crawler.wire.throttle.Throttle": -20,
    "mplus_crawler.responses.ledger.Ledger": -10,
    "mplus_crawler.responses.revalidation.Revalidation": -5,
    "mplus_crawler.responses.lifecycle.LifecycleWatch": 0,
    "mplus_crawler.spiders.reconciliation.Reconciliation": 90,
    "mplus_crawler.feeds.publication.Publication": 100,
    "mplus_crawler.cli.progress.ProgressExtension": 110,
}
FEED_EXPORTERS = {
    **dict.fromkeys(
        ("jsonlines", "jsonl", "jl"), "mplus_crawler.feeds.exporters.JsonLinesExporter"
    ),
    "csv": "mplus_crawler.feeds.exporters.CsvExporter",
    "json": "mplus_crawler.feeds.exporters.JsonExporter",
    **dict.fromkeys(("marshal", "pickle")),  # files that run code when they are read
    "xml": None,  # names such as "@id" cannot be elements
}
FEED_STORAGES = {
    **dict.fromkeys(("", "file"), "mplus_crawler.feeds.storage.StagedFeedStorage"),
    "s3": "mplus_crawler.feeds.storage.S3FeedStorage",
    **dict.fromkeys(("ftp", "gs")),  # they would put half a harvest under the real name
}

# Speed is the budget's concern; AutoThrottle only slows down for a server that has become slow.
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 0  # five seconds before the second request are five lost
AUTOTHROTTLE_TARGET_CONCURRENCY = 8
AUTOTHROTTLE_MAX_DELAY = 5  # a server that needs a minute is served by waiting for its answers
CONCURRENT_REQUESTS_PER_DOMAIN = 8
DOWNLOAD_DELAY = 0.001  # without any, Scrapy 2.19 does not keep to the slot's concurrency
DOWNLOAD_DELAY_JITTER = 0
CONCURRENT_ITEMS = 1  # an item is a page; Scrapy starts so many tasks with every response

RETRY_TIMES = 5  # Scrapy's 2 lose a page to a burst of errors of a second
RETRY_BACK_OFF_TIMES = 10
RETRY_BREAKER = 12
RETRY_BACKOFF_BASE = 0.5
RETRY_BACKOFF_MAX = 30

WARN_ON_GENERATOR_RETURN_VALUE = False  # a lint of our source, run again for each response
LOG_LEVEL = "INFO"  # DEBUG costs 140 ms of CPU for a page of 100
MEDIA_ALLOW_REDIRECTS = True  # image hosts move their files; the guard looks at each step
LOG_FORMAT = "%(asctime)s %(levelname)s: %(message)s"
LOGSTATS_INTERVAL = os.environ.get("LOGSTATS_INTERVAL", "5")
STATS_DUMP = False  # the certificate has what counts

"""The contract between the runtime and the spiders: what the runtime may use."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self
from urllib.parse import quote

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.museum.policies.policy import Policy, Tier
from mplus_crawler.protocols.validators import StoredResponse

# No request will succeed after one of these: the key is refused, or the API is gone.
_REFUSED = (401, 403, 410)
# The option of the feed that a harvest writes where the user names none.
OWN_FEED = "own_feed"


class Museum(Spider):
    """A museum's spider, as middlewares, pipelines and extensions know it.

    Spiders inherit from :class:`mplus_crawler.spiders.base.MuseumSpider`, which implements the
    abstract methods. In a spider:

    1. Set :attr:`museum` (the policy's name) and :attr:`kind` (the schema's name).
    2. Check responses in :meth:`accept`: raise ``InvalidResponseError`` to have one retried.
    3. Make the columns of a record in :meth:`columns`.
    4. Override the other methods only where the museum differs from the default.

    ::

        class PostersSpider(MuseumSpider):
            name = "posters"
            museum = "example"
            kind = "poster"

            def accept(self, request: Request, response: Response) -> None:
                request.cb_kwargs["posters"] = read_posters(response.body)

            def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
                return {"id": record["id"], "label": record["title"]}
    """

    museum: ClassVar[str]  # the policy: museum/policies/MUSEUM.toml
    kind: ClassVar[str]  # the item's schema: schemas/KIND.schema.json
    api_version: ClassVar[str] = ""  # where it is not the policy's current version
    keyed: ClassVar[bool] = False  # the API needs a key
    has_snapshot: ClassVar[bool] = True  # a run without arguments harvests all there is
    # A record that the source no longer has is deleted: it is published whole, as one release.
    absence_proves_deletion: ClassVar[bool] = False
    # Arguments that say how or where records are requested, not which.
    selects_nothing: ClassVar[frozenset[str]] = frozenset({"page_size"})
    linked_data: ClassVar[bool] = False  # `record` is JSON-LD
    private: bool = False  # the output must be readable by its owner only
    session: ClassVar[bool] = False  # the API's cookies are sent back to it
    revalidates: ClassVar[bool] = False  # requests are conditional on the last harvest's responses
    policy: Policy
    base_url: str  # ends with a slash
    lookahead: int  # pages that are requested at the same time
    arguments: dict[str, str]  # checked, in the museum's spelling
    fresh: bool  # do not resume an unfinished harvest
    accepted_run: str  # publish this run, which was held back; empty: none

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The spider that *crawler* runs."""
        assert isinstance(crawler.spider, cls), "no spider of a museum runs"
        return crawler.spider

    @classmethod
    @abstractmethod
    def load_policy(cls, settings: BaseSettings) -> Policy:
        """The museum's policy, overlaid with the one in ``POLICY_DIR``."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the museum counts requests by: the sender's address, or the key."""

    @abstractmethod
    def rate_limit_of(self, request: Request) -> tuple[str, Tier]:
        """What counts *request*: the API's name in the budget, and its tier."""

    @abstractmethod
    def allows(self, url: str) -> bool:
        """Whether *url* may be requested: only URLs on the API's own origin."""

    @abstractmethod
    def allows_elsewhere(self, url: str) -> bool:
        """Whether *url*, which a record names, may be requested: see ``Meta.third_party``."""

    @abstractmethod
    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of the source's *record*; *known_id* is its id where it has none itself."""

    @property
    def api_url(self) -> str:
        """The address of the API, with its version, as the certificate names it."""
        return self.base_url

    def uri(self, id_: str) -> str:
        """Return the record's URI, which no record of another kind or museum has.

        If the museum gives it none, the URI is made of the API's address, the kind and *id_*.
        """
        base = self.policy.uri_base
        kind = self.kind.removeprefix(f"{self.museum.partition('_')[0]}_")
        return f"{base}#{kind}/{quote(id_.removeprefix(base))}"

    def record_url(self, id_: str) -> str | None:
        """The URL of the record *id_*; ``None`` if records have no separate page."""
        return None

    @classmethod
    def spelling(cls, policy: Policy, base_url: str) -> Callable[[str], str]:
        """Return the function that spells URIs of the museum, and at *base_url*, canonically."""
        return str

    def certified(self) -> dict[str, Any]:
        """Entries of the certificate that only this spider has."""
        return {}

    def accept(self, request: Request, response: Response) -> None:
        """Check that *response* is valid, and put what was parsed into ``request.cb_kwargs``.

        Raise :class:`~mplus_crawler.errors.InvalidResponseError` to have the request retried.
        """

    def access_denied(self, response: Response) -> str:
        """Why the museum refuses all further requests, in words; empty if it does not."""
        if response.status not in _REFUSED:
            return ""
        credential = self.policy.credential if self.keyed and response.status != 410 else None
        key = f": the key in {credential.environment} is not accepted" if credential else ""
        return f"{response.status} from {response.url}{key}"

    def not_retryable(self, response: Response) -> str:
        """Why *response* is not retryable, in words; empty if it is."""
        return ""

    def health_check(self) -> Request | None:
        """A request that succeeds whenever the server is healthy.

        It distinguishes an outage from records on which a healthy server fails.
        """
        return None

    def stored_response(self, request: Request) -> StoredResponse | None:
        """A former response to *request* that the spider can rebuild, beside those on disk."""
        return None

    def part_of(self, request: Request) -> Request | None:
        """A part of *request*, which took the server too long; the spider sends the others.

        None where it has no parts.
        """
        return None

    def retry_of(self, request: Request) -> Request:
        """The retry of *request*: the same request, unless a cache must be bypassed."""
        return request

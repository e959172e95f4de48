"""What the runtime may ask of a museum's spider: the contract between it and the spiders."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self
from urllib.parse import quote

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings

from mplus_crawler.policies.policy import Policy, Tier
from mplus_crawler.protocols.validators import StoredResponse

# Answered by a museum's key or gate; asking again, or for something else, cannot help.
_REFUSED = (401, 403, 410)


class Museum(Spider):
    """A museum's spider, as middlewares, pipelines and extensions know it."""

    museum: ClassVar[str]
    kind: ClassVar[str]
    keyed: ClassVar[bool] = False
    private: bool = False
    session: ClassVar[bool] = False
    revalidates: ClassVar[bool] = False
    policy: Policy
    base_url: str
    arguments: dict[str, str]
    fresh: bool

    @classmethod
    def of(cls, crawler: Crawler) -> Self:
        """The spider that *crawler* runs."""
        assert isinstance(crawler.spider, cls), "no spider of a museum runs"
        return crawler.spider

    @classmethod
    @abstractmethod
    def load_policy(cls, settings: BaseSettings) -> Policy:
        """The museum's policy, ``POLICY_DIR`` laid over it."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Whom the museum counts: the address that requests come from, or the key."""

    @abstractmethod
    def rate_limit_of(self, request: Request) -> tuple[str, Tier]:
        """Who counts *request*: the API in the budget's books, and the tier there."""

    @abstractmethod
    def allows(self, url: str) -> bool:
        """Whether *url* may be requested: only what stays on the API's own origin."""

    @abstractmethod
    def allows_elsewhere(self, url: str) -> bool:
        """Whether *url*, which a record names, may be requested."""

    @abstractmethod
    def columns(self, record: Any, known_id: str | None) -> dict[str, Any]:
        """The columns of the source's *record*; *known_id* is for one that names none itself."""

    def uri(self, id_: str) -> str:
        """Return the record's URI, which no record of another kind or museum has.

        For a record that has none of the museum's: the address of the API, its kind and *id_*.
        """
        base = self.policy.uri_base
        kind = self.kind.removeprefix(f"{self.museum.partition('_')[0]}_")
        return f"{base}#{kind}/{quote(id_.removeprefix(base))}"

    def certified(self) -> dict[str, Any]:
        """What the certificate says beside the counts that every harvest has."""
        return {}

    def accept(self, request: Request, response: Response) -> None:
        """Check that *response* is what *request* asked for.

        Hands on what it read in ``request.cb_kwargs``; raises
        :class:`~mplus_crawler.errors.InvalidResponseError` when the request is worth retrying.
        """

    def access_denied(self, response: Response) -> str:
        """Why the museum gives nothing more to whoever asks, in words; empty where it may."""
        if response.status not in _REFUSED:
            return ""
        wanted = self.policy.credential if self.keyed and response.status != 410 else None
        key = f": the key in {wanted.environment} is not accepted" if wanted else ""
        return f"{response.status} from {response.url}{key}"

    def not_retryable(self, response: Response) -> str:
        """Why asking again for *response* cannot help, in words; empty where it may."""
        return ""

    def health_check(self) -> Request | None:
        """What a server that is well answers even while it fails on records that break it."""
        return None

    def stored_response(self, request: Request) -> StoredResponse | None:
        """The former answer to *request* that the spider has at hand, beside those on disk."""
        return None

    def retry_of(self, request: Request) -> Request:
        """*request* as it is to be asked again: the same, unless a cache is in the way."""
        return request

"""A museum's policy: which requests its API permits, how often, and on which terms.

The shipped ones are TOML files beside this module; :mod:`.reading` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from mplus_crawler.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limit:
    """*requests* in any window of *seconds*."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tier:
    """Paths that the museum counts together, and the limits that apply to them at once."""

    limits: tuple[Limit, ...]
    source: str
    checked: date
    name: str = ""
    paths: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Requests per second that the strictest limit permits in the long run."""
        return min(limit.requests / limit.seconds for limit in self.limits)


@dataclass(frozen=True, slots=True)
class Credential:
    """The key that the museum issues, and where it goes.

    It comes from the variable *environment*, and goes with requests below *paths*: in the
    *header* (after the word *scheme*, if any), or in the parameter *query* of the URL; one of
    the two is set. *ask* tells users in one line how to get a key. If *counted*, the museum
    counts requests by key, not by address.
    """

    environment: str
    paths: tuple[str, ...]
    ask: str
    header: str = ""
    scheme: str = ""
    query: str = ""
    counted: bool = False


@dataclass(frozen=True, slots=True)
class ImageLicence:
    """One of the museum's terms of use for images, and the URIs and labels that mean it.

    *slug* is its name in arguments. Only where *download* is true may an image be fetched.
    """

    name: str
    slug: str
    uris: tuple[str, ...]
    url: str
    summary: str
    download: bool
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quoted:
    """A publisher whose texts are quoted in records: its hosts, and the licence of the texts."""

    name: str
    hosts: tuple[str, ...]
    licence: str
    licence_url: str
    summary: str


@dataclass(frozen=True, slots=True)
class RootField:
    """A root field of a GraphQL API.

    A page has *per_page* records, or *ids_per_page* ids. *cache_busters* are filters that change
    the key in the server's cache, but not the result.
    """

    name: str
    per_page: int
    ids_per_page: int
    cache_busters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GraphQL:
    """The limits of a GraphQL API, and its root fields by name.

    Pages reach the first *window* records in either order, and hold at most *nested* distinct
    nested records. *reserved_sizes* are page sizes that the server itself uses: its cache would
    mix up its responses with ours.
    """

    window: int
    nested: int
    reserved_sizes: tuple[int, ...]
    roots: Mapping[str, RootField]

    @property
    def page_sizes(self) -> tuple[int, ...]:
        """Page sizes that no other query may use."""
        return (*self.reserved_sizes, *(root.per_page for root in self.roots.values()))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A published data set: its *archive*, and the origins to which a download is redirected."""

    archive: str
    redirects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Images:
    """Which images are fetched by default, and how often an image host may be requested.

    *licences* are slugs of terms; *hosts* are tiers of hosts with separate limits, by name.
    """

    licences: tuple[str, ...]
    usual: Tier
    hosts: Mapping[str, Tier]

    def tier(self, host: str) -> Tier:
        """The tier of *host*, named after it: no two hosts share a limit."""
        return replace(self.hosts.get(host, self.usual), name=host)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the API: its place relative to ``base_url``, and the day on which it ends."""

    name: str
    path: str
    status: str
    sunset: date | None = None


@dataclass(frozen=True, slots=True)
class Stability:
    """What the museum promises of a version of its API, in its own words.

    *removed*, *retyped*, *uri* and *endpoint* are changes that require a new version; *added* is
    one that does not. *promise* is the sentence that says so, at *source*.
    """

    promise: str
    removed: str
    retyped: str
    uri: str
    endpoint: str
    added: str
    source: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One museum's facts. ``base_url`` is the canonical one and ends with a slash.

    ``uri_base`` begins the URIs of records to which the museum gives none; ``roles_of_others`` are
    the roles of constituents who did not make the object.
    """

    key: str
    name: str
    base_url: str
    licence: str
    terms: str
    attribution: str
    contact: str
    retention_days: int
    tiers: tuple[Tier, ...]
    uri_base: str
    document: dict[str, Any]
    licence_url: str | None = None
    page_size: int = 100
    in_flight: int = 8
    credential: Credential | None = None
    licences: tuple[ImageLicence, ...] = ()
    quoted: tuple[Quoted, ...] = ()
    link: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)
    roles_of_others: tuple[str, ...] = ()
    graphql: GraphQL | None = None
    dataset: Dataset | None = None
    images: Images | None = None
    versions: tuple[Version, ...] = ()
    stability: Stability | None = None

    def tier(self, url: str, base_url: str) -> Tier:
        """The tier that counts a request for *url* when the API is at *base_url*.

        Paths match by whole segments, in any case, with doubled and trailing slashes
        ignored, as the museum's router does; the longest match wins. A path without a tier
        gets the strictest one.
        """
        return self.named_tier(url, base_url) or self.strictest

    def named_tier(self, url: str, base_url: str) -> Tier | None:
        """Return the tier whose paths include that of *url*, if there is one."""
        segments = _segments(urlsplit(url).path)
        matches = [
            (len(named), tier)
            for tier in self.tiers
            for named in (_below(base_url, path) for path in tier.paths)
            if segments[: len(named)] == named
        ]
        return max(matches, key=lambda match: match[0])[1] if matches else None

    def is_below(self, url: str, base_url: str, paths: tuple[str, ...]) -> bool:
        """Whether *url* is below one of *paths*, by whole segments."""
        segments = _segments(urlsplit(url).path)
        places = (_below(base_url, path) for path in paths)
        return ".." not in segments and any(segments[: len(place)] == place for place in places)

    def version(self, name: str) -> Version:
        """The version of that name; raise :class:`UsageError` if the policy has none."""
        for version in self.versions:
            if version.name == name:
                return version
        raise UsageError(f"the policy of {self.name} has no [[version]] {name!r}")

    @property
    def current_version(self) -> str:
        """The name of the API's current version; empty if the museum names none."""
        return next((one.name for one in self.versions if one.status == "current"), "")

    @property
    def strictest(self) -> Tier:
        """The tier with the lowest rate."""
        return min(self.tiers, key=lambda tier: tier.rate)


def base_settings(key: str) -> tuple[str, str]:
    """The two names of the setting that says where the API of the museum *key* is."""
    name = key.upper().replace("-", "_")
    return f"{name}_BASE_URL", f"{name}_URL"


def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(part).lower() for part in path.split("/") if part)


@cache
def _below(base_url: str, path: str) -> tuple[str, ...]:
    return _segments(urlsplit(urljoin(base_url, path)).path)

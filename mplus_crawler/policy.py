"""The museums' policies: what may be asked of each API, how often, and on which terms.

Policies are TOML files checked against ``schemas/policy.schema.json``. Those of
``POLICY_DIR`` are laid over the shipped ones: its keys win, and a tier replaces the
tier of its name (``paths`` may be left out, ``source`` and ``checked`` may not).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import jsonschema_rs
import orjson

from mplus_crawler.errors import UsageFault


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in any window of so many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tier:
    """Paths that share one counter at the museum, and the limits that hold for it at once."""

    name: str
    paths: tuple[str, ...]
    limits: tuple[Limit, ...]
    source: str
    checked: date

    @property
    def rate(self) -> float:
        """Requests a second that the tightest of the limits allows in the long run."""
        return min(limit.requests / limit.seconds for limit in self.limits)


@dataclass(frozen=True, slots=True)
class Credential:
    """The key that the museum gives out, and how it wants to see it.

    It comes from the variable *environment*, and goes as *header* (after the word *scheme*, if
    any) with requests below *paths*. *ask* says in a line how to get one. Where *counted*, the
    museum's limits are the key's, not the address's.
    """

    environment: str
    header: str
    paths: tuple[str, ...]
    ask: str
    scheme: str = ""
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Term:
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
    """Whose texts stand in the museum's records, on which hosts they are, and their licence."""

    name: str
    hosts: tuple[str, ...]
    licence: str
    licence_url: str
    summary: str


@dataclass(frozen=True, slots=True)
class Root:
    """A root field of a GraphQL API, and how it is paged.

    *per_page* records are asked for in a call, ids alone in lists of *listed*; *salts* are
    filters that change the key of the server's cache and not the result.
    """

    name: str
    per_page: int
    listed: int
    salts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A published data set: its *archive*, where a download is sent on to, its release."""

    archive: str
    redirects: tuple[str, ...]
    released: date


@dataclass(frozen=True, slots=True)
class Images:
    """Which images are fetched unless others are named, and how often a host may be asked.

    *licences* are slugs of terms; *hosts* are tiers of hosts with limits of their own, by name.
    """

    licences: tuple[str, ...]
    usual: Tier
    hosts: Mapping[str, Tier]

    def tier(self, host: str) -> Tier:
        """The tier of *host*, which bears its name: no two hosts share a limit."""
        return replace(self.hosts.get(host, self.usual), name=host)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the API: its place relative to ``base_url``, and the day on which it ends."""

    name: str
    path: str
    status: str
    sunset: date | None


@dataclass(frozen=True, slots=True)
class Policy:
    """One museum's facts. ``base_url`` is the canonical one and ends with a slash.

    ``window`` and ``nested`` are limits of a GraphQL API: how many records pages reach, and
    how many distinct ones may be nested in a page; ``taken`` are sizes of page that its server
    uses by itself.
    """

    key: str
    name: str
    base_url: str
    licence: str
    licence_url: str | None
    terms: str
    attribution: str
    contact: str
    retention_days: int
    page_size: int
    in_flight: int
    tiers: tuple[Tier, ...]
    credential: Credential | None
    licences: tuple[Term, ...]
    quoted: tuple[Quoted, ...]
    link: str
    pages: Mapping[str, str]
    window: int
    nested: int
    taken: tuple[int, ...]
    roots: Mapping[str, Root]
    dataset: Dataset | None
    images: Images | None
    versions: tuple[Version, ...]
    document: dict[str, Any]

    def tier(self, url: str, base_url: str) -> Tier:
        """The tier that counts a request for *url* when the API is at *base_url*.

        Paths match by whole segments, in any case, with doubled and trailing slashes
        ignored, as the museum's router does; the longest match wins. What no tier names
        gets the strictest.
        """
        return self.named_tier(url, base_url) or self.strictest

    def named_tier(self, url: str, base_url: str) -> Tier | None:
        """The tier that names the path of *url*, if any does."""
        asked = _segments(urlsplit(url).path)
        matches = [
            (len(named), tier)
            for tier in self.tiers
            for named in (_below(base_url, path) for path in tier.paths)
            if asked[: len(named)] == named
        ]
        return max(matches, key=lambda match: match[0])[1] if matches else None

    def is_below(self, url: str, base_url: str, paths: tuple[str, ...]) -> bool:
        """Whether *url* is below one of *paths*, by whole segments."""
        asked = _segments(urlsplit(url).path)
        places = (_below(base_url, path) for path in paths)
        return ".." not in asked and any(asked[: len(place)] == place for place in places)

    def version(self, name: str) -> Version:
        """The version of that name; raises :class:`UsageFault` where the policy lacks it."""
        for version in self.versions:
            if version.name == name:
                return version
        raise UsageFault(f"the policy of {self.name} has no [[version]] {name!r}")

    @property
    def strictest(self) -> Tier:
        """The tier that allows least."""
        return min(self.tiers, key=lambda tier: tier.rate)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(part).lower() for part in path.split("/") if part)


@cache
def _below(base_url: str, path: str) -> tuple[str, ...]:
    return _segments(urlsplit(urljoin(base_url, path)).path)


def load_policy(key: str, overlay: str | Path | None = None) -> Policy:
    """The policy of the museum *key* (``dmg``, ``mplus``), with ``POLICY_DIR`` laid over it.

    Raises :class:`UsageFault` that names file and field when one is missing or wrong.
    """
    shipped = resources.files("mplus_crawler.policies") / f"{key}.toml"
    document = _read(shipped.read_text("utf-8"), f"{key}.toml") if shipped.is_file() else {}
    source = f"policy {key}.toml"
    if overlay:
        folder = Path(overlay)
        if not folder.is_dir():
            raise UsageFault(f"POLICY_DIR {folder} is not a folder; name one that holds {key}.toml")
        file = folder / f"{key}.toml"
        if file.is_file():
            source = f"policy {file}"
            document = _lay_over(document, _read(_text(file), str(file)))
    return _policy(key, document, source)


def policy_keys(overlay: str | Path | None = None) -> list[str]:
    """The museums that have a policy, shipped or in ``POLICY_DIR``."""
    names = {entry.name for entry in resources.files("mplus_crawler.policies").iterdir()}
    if overlay and Path(overlay).is_dir():
        names |= {entry.name for entry in Path(overlay).iterdir()}
    return sorted(name[: -len(".toml")] for name in names if name.endswith(".toml"))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFault(f"policy {file} cannot be read: {error}") from None


@cache  # a harvest asks for its policy some times, and a command for those of all spiders
def _read(text: str, source: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageFault(f"policy {source} is not TOML: {error}") from None


def _lay_over(shipped: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**shipped, **overlay}
    if isinstance(tiers := overlay.get("tier"), list):
        known = {tier["name"]: tier for tier in shipped.get("tier", [])}
        for tier in tiers:
            if not isinstance(tier, dict) or not isinstance(tier.get("name"), str):
                known[str(len(known))] = tier
                continue
            inherited = known.get(tier["name"], {})
            paths = {"paths": inherited["paths"]} if "paths" in inherited else {}
            known[tier["name"]] = {**paths, **tier}
        merged["tier"] = list(known.values())
    if isinstance(images := overlay.get("images"), dict):
        merged["images"] = _lay_images_over(shipped.get("images", {}), images)
    return merged


def _lay_images_over(shipped: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Limits come with a source of their own; a host replaces the host of its name."""
    limited = ("limits", "source", "checked")
    kept = {k: v for k, v in shipped.items() if k not in limited or "limits" not in overlay}
    hosts = overlay.get("host", [])
    if isinstance(hosts, list):
        hosts = [*shipped.get("host", []), *hosts]
    return {**kept, **overlay, **({"host": hosts} if hosts else {})}


@cache
def _validator() -> jsonschema_rs.Draft7Validator:
    schema = orjson.loads((resources.files("schemas") / "policy.schema.json").read_bytes())
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def _policy(key: str, document: Mapping[str, Any], source: str) -> Policy:
    plain = orjson.loads(orjson.dumps(document))
    for error in _validator().iter_errors(plain):
        where = ".".join(str(part) for part in error.instance_path) or "top level"
        raise UsageFault(f"{source}: {where}: {error.message}; see schemas/policy.schema.json")
    facts = ("name", "base_url", "licence", "terms", "attribution", "contact", "retention_days")
    return Policy(
        key=key,
        tiers=tuple(map(_tier, plain["tier"])),
        licence_url=plain.get("licence_url"),
        page_size=plain.get("page_size", 100),
        in_flight=plain.get("in_flight", 8),
        credential=_credential(plain.get("credential")),
        licences=tuple(Term(**_tuples(term)) for term in plain.get("term", [])),
        quoted=tuple(Quoted(**_tuples(quoted)) for quoted in plain.get("quoted", [])),
        link=plain.get("link", ""),
        pages=plain.get("pages", {}),
        window=plain.get("paging", {}).get("window", 0),
        nested=plain.get("paging", {}).get("nested", 0),
        taken=tuple(plain.get("paging", {}).get("taken", [])),
        roots={root["name"]: Root(**_tuples(root)) for root in plain.get("root", [])},
        dataset=_dataset(plain.get("dataset")),
        images=_images(plain.get("images")),
        versions=tuple(map(_version, plain.get("version", []))),
        document=plain,
        **{fact: plain[fact] for fact in facts},
    )


def _version(facts: dict[str, Any]) -> Version:
    sunset = facts.get("sunset")
    day = date.fromisoformat(sunset) if sunset else None
    return Version(facts["name"], facts["path"], facts["status"], day)


def _dataset(facts: dict[str, Any] | None) -> Dataset | None:
    if not facts:
        return None
    released = date.fromisoformat(facts["released"])
    return Dataset(facts["archive"], tuple(facts["redirects"]), released)


def _tier(facts: dict[str, Any]) -> Tier:
    return Tier(
        name=facts.get("name", ""),
        paths=tuple(facts.get("paths", ())),
        limits=tuple(
            Limit(limit["requests"], float(limit["seconds"])) for limit in facts["limits"]
        ),
        source=facts["source"],
        checked=date.fromisoformat(facts["checked"]),
    )


def _images(facts: dict[str, Any] | None) -> Images | None:
    if facts is None:
        return None
    hosts = {host["name"].lower(): _tier(host) for host in facts.get("host", [])}
    return Images(tuple(facts["licences"]), _tier(facts), hosts)


def _credential(facts: dict[str, Any] | None) -> Credential | None:
    return Credential(**_tuples(facts)) if facts else None


def _tuples(facts: dict[str, Any]) -> dict[str, Any]:
    """*facts* with what is listed as tuples, which nobody can change."""
    return {key: tuple(fact) if isinstance(fact, list) else fact for key, fact in facts.items()}

"""Reading policies: TOML files, checked against ``schemas/policy.schema.json``.

Files in ``POLICY_DIR`` override the shipped ones: their keys win, and a tier replaces the one
of its name (``paths`` may be left out, ``source`` and ``checked`` may not).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import orjson

from mplus_crawler import schema_folder
from mplus_crawler.errors import UsageError
from mplus_crawler.museum.policies.policy import Policy


def load_policy(key: str, overlay: str | Path | None = None) -> Policy:
    """The policy of the museum *key* (``dmg``, ``mplus``), overridden by ``POLICY_DIR``.

    Raise :class:`UsageError` with file and field if one is missing or wrong.
    """
    shipped = resources.files("mplus_crawler.museum.policies") / f"{key}.toml"
    document = _read(shipped.read_text("utf-8"), f"{key}.toml") if shipped.is_file() else {}
    source = f"policy {key}.toml"
    if overlay:
        folder = Path(overlay)
        if not folder.is_dir():
            raise UsageError(f"POLICY_DIR {folder} is not a folder; name one that holds {key}.toml")
        file = folder / f"{key}.toml"
        if file.is_file():
            source = f"policy {file}"
            document = _lay_over(document, _read(_text(file), str(file)))
    return _policy(key, document, source)


def policy_from(key: str, document: Mapping[str, Any]) -> Policy:
    """The policy of the museum *key* as *document* has it, such as the one in a certificate.

    Raise :class:`UsageError` with the field that is missing or wrong.
    """
    return _policy(key, document, f"policy of {key} in a certificate")


def policy_keys(overlay: str | Path | None = None) -> list[str]:
    """The museums that have a policy, shipped or in ``POLICY_DIR``."""
    names = {entry.name for entry in resources.files("mplus_crawler.museum.policies").iterdir()}
    if overlay and Path(overlay).is_dir():
        names |= {entry.name for entry in Path(overlay).iterdir()}
    return sorted(name[: -len(".toml")] for name in names if name.endswith(".toml"))


def key_names(overlay: str | Path | None = None) -> set[str]:
    """The variables that hold museums' keys, by any policy, shipped or in ``POLICY_DIR``.

    Files that cannot be read, or are not policies, are skipped.
    """
    shipped = resources.files("mplus_crawler.museum.policies")
    places = [shipped, *([Path(overlay)] if overlay and Path(overlay).is_dir() else [])]
    names = set()
    for place in places:
        for file in place.iterdir():
            if file.name.endswith(".toml"):
                with suppress(OSError, ValueError):  # TOMLDecodeError is one
                    credential = tomllib.loads(file.read_text("utf-8")).get("credential")
                    names.add(credential.get("environment") if isinstance(credential, dict) else "")
    return {name for name in names if isinstance(name, str) and name}


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"policy {file} cannot be read: {error}") from None


@cache  # a harvest reads its policy several times; some commands read those of all spiders
def _read(text: str, source: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"policy {source} is not TOML: {error}") from None


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
    if isinstance(graphql := overlay.get("graphql"), dict):
        merged["graphql"] = {"root": shipped.get("graphql", {}).get("root", []), **graphql}
    if isinstance(images := overlay.get("images"), dict):
        merged["images"] = _lay_images_over(shipped.get("images", {}), images)
    return merged


def _lay_images_over(shipped: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return both merged: limits bring their own source, a host replaces the one of its name."""
    limited = ("limits", "source", "checked")
    kept = {k: v for k, v in shipped.items() if k not in limited or "limits" not in overlay}
    hosts = overlay.get("host", [])
    if isinstance(hosts, list):
        hosts = [*shipped.get("host", []), *hosts]
    return {**kept, **overlay, **({"host": hosts} if hosts else {})}


@cache
def _validator() -> jsonschema_rs.Draft7Validator:
    schema = orjson.loads((schema_folder() / "policy.schema.json").read_bytes())
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def _policy(key: str, document: Mapping[str, Any], source: str) -> Policy:
    plain = orjson.loads(orjson.dumps(document))
    for error in _validator().iter_errors(plain):
        where = ".".join(str(part) for part in error.instance_path) or "top level"
        raise UsageError(f"{source}: {where}: {error.message}; see schemas/policy.schema.json")
    facts = {
        "uri_base": plain["base_url"],
        **plain,
        "key": key,
        "document": plain,
        "tiers": plain["tier"],
        "licences": plain.get("term", []),
        "versions": plain.get("version", []),
        "roles_of_others": plain.get("makers", {}).get("roles_of_others", []),
        "images": _images(plain.get("images")),
        "graphql": _graphql(plain.get("graphql")),
    }
    return msgspec.convert(facts, Policy)


def _graphql(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    return facts and {**facts, "roots": {root["name"]: root for root in facts["root"]}}


def _images(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    hosts = {host["name"].lower(): host for host in facts.get("host", [])}
    return {"licences": facts["licences"], "usual": facts, "hosts": hosts}

"""Checks of what is installed and configured: versions, policies, keys, settings."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.cli.values import check_values
from mplus_crawler.errors import HarvestError
from mplus_crawler.museum.policies.policy import Policy
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.wire.credentials import is_sendable, secret

# The packages that a harvest needs most; pyproject.toml lists all.
REQUIRED = ("scrapy>=2.19", "scrapy-jsonschema", "jsonschema<5", "jsonschema-rs", "orjson")
# The path of a key that all of a museum's spiders need.
_WHOLE_API = "."
_PLACEHOLDER = re.compile(r"\bexample\.(com|net|org)\b")  # reserved by RFC 2606


def versions() -> Iterator[Check]:
    """Check the versions of Python and of the packages a harvest needs."""
    yield Check("Python", platform.python_version())  # the package refuses older ones
    for requirement in map(Requirement, REQUIRED):
        fix = f"pip install '{requirement}'"
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Check(requirement.name, "not installed", fix)
            continue
        yield Check(requirement.name, found, "" if found in requirement.specifier else fix)


def policies(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Check that policies are valid; report when their limits were compared with the sources."""
    for key, policy in _policies(settings, museums):
        if isinstance(policy, HarvestError):
            yield Check(f"policy {key}", str(policy), "correct the file, or unset POLICY_DIR")
        else:
            checked = min(tier.checked for tier in policy.tiers)
            yield Check(f"policy {key}", f"valid, {policy.name}, checked {checked}")


def clock(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Check that the clock is not before the day on which a policy was checked."""
    policies = [policy for _, policy in _policies(settings, museums) if isinstance(policy, Policy)]
    checked = max((tier.checked for policy in policies for tier in policy.tiers), default=date.min)
    now = datetime.now(UTC)
    fix = "" if now.date() >= checked else "set the clock: policies were checked after this date"
    yield Check("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC", fix)


def keys(settings: BaseSettings, museums: Sequence[str], *, required: bool) -> Iterator[Check]:
    """Check that keys are set; never print them. A missing one fails only if *required*."""
    for _, policy in _policies(settings, museums):
        if isinstance(policy, HarvestError) or policy.credential is None:
            continue
        credential, found = policy.credential, secret(policy)
        fix = ""
        if required and not found and _WHOLE_API in credential.paths:
            fix = credential.ask
        elif found and not is_sendable(found):
            fix = f"set {credential.environment} again: it contains characters that no key has"
        what = "every spider" if _WHOLE_API in credential.paths else "private_objects"
        state = "set" if found else f"not set; {what} of {policy.name} needs it"
        yield Check(f"key {credential.environment}", state, fix)


def notices(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Yield what museums ask of their users."""
    for key, policy in _policies(settings, museums):
        if isinstance(policy, Policy) and (notice := policy.document.get("notice")):
            yield Check(f"note on {key}", notice)


def contact(settings: BaseSettings) -> Iterator[Check]:
    """Warn if museums cannot reach the user: ``CONTACT_URL`` is still an example."""
    address = settings["CONTACT_URL"] or "none"
    fix = "set CONTACT_URL to your own page or address" if _PLACEHOLDER.search(address) else ""
    yield Check("contact", address, fix, warning=True)


def security(settings: BaseSettings) -> Iterator[Check]:
    """Check that TLS is verified and no port is opened."""
    ports = ("TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED")
    try:
        verified = settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
        opened = [name for name in ports if settings.getbool(name)]
    except ValueError:
        return  # reported with the settings
    yield Check(
        "TLS verification",
        "on" if verified else "off: the server's identity is not checked",
        "" if verified else "remove DOWNLOAD_VERIFY_CERTIFICATES=False",
    )
    yield Check(
        "listening ports",
        f"opened by {', '.join(opened)}" if opened else "none",
        f"remove {', '.join(opened)} from your settings" if opened else "",
    )


def values(settings: BaseSettings) -> Iterator[Check]:
    """Check that numbers are in range and switches are on or off."""
    try:
        check_values(settings)
        yield Check("settings", "numbers are in range, switches are on or off")
    except HarvestError as error:
        yield Check("settings", str(error), "correct that setting, or unset it")


def _policies(
    settings: BaseSettings, museums: Sequence[str]
) -> Iterator[tuple[str, Policy | HarvestError]]:
    overlay = settings.get("POLICY_DIR")
    for key in museums:
        try:
            yield key, load_policy(key, overlay)
        except HarvestError as error:
            yield key, error

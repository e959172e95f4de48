"""What is installed and configured: versions, policies, keys, doors that ought to be shut."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from scrapy.settings import BaseSettings

from mplus_crawler.cli.diagnosis.check import Check
from mplus_crawler.cli.preflight import check_values
from mplus_crawler.errors import HarvestError
from mplus_crawler.policies.policy import Policy
from mplus_crawler.policies.reading import load_policy
from mplus_crawler.wire.credentials import is_sendable, secret

# What a harvest stands on; pyproject.toml has all of it.
REQUIRED = ("scrapy>=2.19", "scrapy-jsonschema", "jsonschema<5", "jsonschema-rs", "orjson")
# Museums whose spiders all need the key; elsewhere it opens one stream more.
_KEY_OPENS_ALL = "."


def versions() -> Iterator[Check]:
    """Python and the packages that matter."""
    yield Check("Python", platform.python_version())  # an older one never comes so far
    for requirement in map(Requirement, REQUIRED):
        cure = f"pip install '{requirement}'"
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Check(requirement.name, "not installed", cure)
            continue
        yield Check(requirement.name, found, "" if found in requirement.specifier else cure)


def policies(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Each museum's policy: valid, and when its limits were last compared with their sources."""
    for key, policy in _policies(settings, museums):
        if isinstance(policy, HarvestError):
            yield Check(f"policy {key}", str(policy), "mend the file, or unset POLICY_DIR")
        else:
            checked = min(tier.checked for tier in policy.tiers)
            yield Check(f"policy {key}", f"valid, {policy.name}, checked {checked}")


def clock(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """The clock is not before the day on which a policy was checked."""
    policies = [policy for _, policy in _policies(settings, museums) if isinstance(policy, Policy)]
    checked = max((tier.checked for policy in policies for tier in policy.tiers), default=date.min)
    now = datetime.now(UTC)
    cure = "" if now.date() >= checked else "set the clock: it is before the policies were checked"
    yield Check("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC", cure)


def keys(settings: BaseSettings, museums: Sequence[str]) -> Iterator[Check]:
    """Whether keys are there; never what they are."""
    for _, policy in _policies(settings, museums):
        if isinstance(policy, HarvestError) or policy.credential is None:
            continue
        wanted, found = policy.credential, secret(policy)
        cure = ""
        if not found and _KEY_OPENS_ALL in wanted.paths:
            cure = wanted.ask
        elif found and not is_sendable(found):
            cure = f"set {wanted.environment} anew: it holds characters that no key has"
        state = "set" if found else f"not set; only {', '.join(wanted.paths)} needs it"
        yield Check(f"key {wanted.environment}", "not set" if cure and not found else state, cure)


def doors(settings: BaseSettings) -> Iterator[Check]:
    """TLS is verified, and no port is opened."""
    ports = ("TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED")
    try:
        verified = settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
        opened = [name for name in ports if settings.getbool(name)]
    except ValueError:
        return  # is told among the settings
    yield Check(
        "TLS verification",
        "on" if verified else "off: anybody can pose as the museum",
        "" if verified else "remove DOWNLOAD_VERIFY_CERTIFICATES=False",
    )
    yield Check(
        "listening ports",
        f"opened by {', '.join(opened)}" if opened else "none",
        f"remove {', '.join(opened)} from your settings" if opened else "",
    )


def values(settings: BaseSettings) -> Iterator[Check]:
    """Settings that are numbers or switches are."""
    try:
        check_values(settings)
        yield Check("settings", "numbers are in their ranges, switches on or off")
    except HarvestError as fault:
        yield Check("settings", str(fault), "mend that setting, or unset it")


def _policies(
    settings: BaseSettings, museums: Sequence[str]
) -> Iterator[tuple[str, Policy | HarvestError]]:
    overlay = settings.get("POLICY_DIR")
    for key in museums:
        try:
            yield key, load_policy(key, overlay)
        except HarvestError as fault:
            yield key, fault

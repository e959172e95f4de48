"""``ATTRIBUTION.md``: credits and terms of use for the snapshots in this directory.

It is made from certificates alone; each holds its museum's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mplus_crawler.errors import counted, printable
from mplus_crawler.feeds.former import Certificate, snapshot_certificate
from mplus_crawler.feeds.names import CERTIFICATE
from mplus_crawler.storage.destination import Destination

_HEAD = """# Attribution

Credits and terms of use for the snapshots in this directory.
The column `attribution` of a record is its credit line, ready to print.
"""
_NO_PERMISSION = "Images and texts without a known licence: no permission."
_WHAT = {"records": "data", "images": "images", "texts": "quoted texts"}


def attribution_with(certificate: Certificate, destination: Destination) -> str:
    """Return the text for the snapshot with this *certificate* and those at *destination*.

    Raises OSError.
    """
    snapshots = {certificate["spider"]: certificate}
    for name in destination.names():
        found = snapshot_certificate(destination.read(name)) if name.endswith(CERTIFICATE) else None
        if found and name == f"{found['spider']}{CERTIFICATE}":
            snapshots.setdefault(found["spider"], found)
    return attribution(snapshots.values())


def attribution(certificates: Iterable[Certificate]) -> str:
    """Return the text for the complete harvests with these *certificates*, grouped by terms.

    A museum may publish its data on more than one set of terms.
    """
    by_terms: dict[tuple[str, str], list[Certificate]] = {}
    for one in sorted(certificates, key=lambda one: (one["source"], one["spider"])):
        by_terms.setdefault((one["source"], _terms(one["policy"])), []).append(one)
    sections = [_HEAD]
    for (source, terms), harvests in by_terms.items():
        names = ", ".join(_clean(harvest["spider"]) for harvest in harvests)
        sections += [f"## {_clean(source)}: {names}\n", terms]
        sections += [part for harvest in harvests for part in _snapshot(harvest)]
    return "\n".join(sections)


def _terms(policy: Mapping[str, Any]) -> str:
    days = policy["retention_days"]
    facts = {
        "credit": _clean(policy["attribution"]),
        "licence of the data": _link(policy["licence"], policy.get("licence_url")),
        "terms of use": _clean(policy["terms"]),
        "contact": _clean(policy["contact"]),
        "may be kept": f"{counted(days, 'day')}, then refreshed or deleted" if days else "no limit",
    }
    listed = "".join(f"- {name}: {fact}\n" for name, fact in facts.items())
    duties = "".join(f"- {duty}\n" for duty in _duties(policy))
    return f"{listed}\nConditions:\n\n{duties}"


def _duties(policy: Mapping[str, Any]) -> Iterator[str]:
    yield from map(_clean, policy.get("obligations", ()))
    for term in policy.get("term", ()):
        yield f"Images under {_link(term['name'], term['url'])}: {_clean(term['summary'])}."
    for quoted in policy.get("quoted", ()):
        licence = _link(quoted["licence"], quoted["licence_url"])
        yield f"Texts from {_clean(quoted['name'])} ({licence}): {_clean(quoted['summary'])}."
    yield _NO_PERMISSION


def _snapshot(harvest: Certificate) -> Iterator[str]:
    yield f"### {_clean(harvest['spider'])}\n"
    yield f"From {_clean(harvest['api'])}, complete on {_clean(harvest['finished_at'])}.\n"
    if harvest.get("private"):
        yield "Its records, and the counts in its certificate, may be read by their owner only.\n"
        return
    yield f"{counted(harvest['unique'], 'record')}.\n"
    rows = [
        (_WHAT.get(what, what), _clean(name), str(count))
        for what, counts in harvest.get("licences", {}).items()
        for name, count in counts.items()
    ]
    lines = (("kind", "licence", "count"), ("---",) * 3, *rows)
    yield "".join(f"| {' | '.join(line)} |\n" for line in lines if rows)


def _link(name: str, url: str | None) -> str:
    return f"[{_clean(name)}]({url})" if url else _clean(name)


def _clean(text: str) -> str:
    """*text* as one line without marks that Markdown would interpret."""
    return printable(text).replace("|", "\\|").replace("<", "&lt;")

"""``ATTRIBUTION.md``: what whoever uses the snapshots beside it owes to whom, in words.

It is made of nothing but certificates, each of which carries its museum's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from mplus_crawler.errors import ExitCode
from mplus_crawler.records.rights import one_line
from mplus_crawler.storage.destination import Destination
from mplus_crawler.verification import seal

Certificate = Mapping[str, Any]

_NAME = "ATTRIBUTION.md"

_HEAD = """# Attribution

Beside this file lie snapshots of museums' data. Whoever uses them owes what stands here.
The column `attribution` of a record is its line of credit, ready to print.
"""
_NO_PERMISSION = (
    "Images and texts whose licence is unknown, or of which nothing is said: no permission."
)
_WHAT = {"records": "data", "images": "images", "texts": "texts from elsewhere"}


def attribute(destination: Destination, certificate: Certificate) -> None:
    """Write what is owed for the harvest of *certificate* and other complete ones beside it.

    Raises OSError where that cannot be done.
    """
    snapshots = {certificate["spider"]: certificate}
    for name in destination.names():
        if name.endswith(".certificate.json") and (found := _complete(destination.read(name))):
            snapshots.setdefault(found["spider"], found)
    destination.write(_NAME, attribution(snapshots.values()).encode())


def _complete(content: bytes | None) -> Certificate | None:
    """A certificate of ours, as its seal shows, if it is that of a complete harvest."""
    try:
        found = orjson.loads(content or b"")
        whole = found["seal"] == seal(found) and found["exit_code"] == ExitCode.COMPLETE
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if whole else None


def attribution(certificates: Iterable[Certificate]) -> str:
    """The text for the complete harvests that *certificates* are of.

    Those on the same terms are together: a museum may offer its data in more than one way.
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
        "whom to ask": _clean(policy["contact"]),
        "may be kept": f"{days} days, then refreshed or deleted" if days else "no limit",
    }
    listed = "".join(f"- {name}: {fact}\n" for name, fact in facts.items())
    duties = "".join(f"- {duty}\n" for duty in _duties(policy))
    return f"{listed}\nWhat is asked and forbidden:\n\n{duties}"


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
    yield f"From {_clean(harvest['base_url'])}, complete on {_clean(harvest['finished_at'])}.\n"
    if harvest.get("private"):
        yield "What it holds is for its owner alone, and so are the counts in its certificate.\n"
        return
    yield f"{harvest['unique']} records.\n"
    rows = [
        (_WHAT.get(what, what), _clean(name), str(count))
        for what, counts in harvest.get("licences", {}).items()
        for name, count in counts.items()
    ]
    lines = (("of", "licence", "how many"), ("---",) * 3, *rows)
    yield "".join(f"| {' | '.join(line)} |\n" for line in lines if rows)


def _link(name: str, url: str | None) -> str:
    return f"[{_clean(name)}]({url})" if url else _clean(name)


def _clean(text: str) -> str:
    """*text* as one line that no mark in it can break out of."""
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")

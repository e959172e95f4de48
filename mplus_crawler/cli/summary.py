"""The summary of a harvest, on standard error: standard output may be a feed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mplus_crawler import program
from mplus_crawler.cli.console import TextTable, print_error, print_table
from mplus_crawler.errors import ExitCode, HarvestError, counted, printable

# A resumed harvest is found again by the API's address and the folder of its state.
_FOLDERS = ("HARVEST_DIR", "HARVEST_STATE_DIR")
_MOST_CHANGES = 5  # of the records' shape
_ABSENT = ("gone", "not_found")


def print_summary(certificate: Mapping[str, Any], base_settings: Collection[str]) -> None:
    """Print the outcome of a harvest; *base_settings* name its API's address."""
    expected = certificate["expected"]["last"]
    lines = [
        f"{certificate['spider']}: {certificate['verdict']} (exit {certificate['exit_code']})",
        f"  reason: {certificate['reason']}",
        f"  source: {certificate['source']}",
        f"  API: {certificate['api']}",
        f"  started {certificate['started_at']}, took {certificate['duration_s']:,} s",
        f"  expected {'unknown' if expected is None else f'{expected:,}'}, "
        f"unique {certificate['unique']:,}, duplicates {certificate['duplicates']:,}",
        *_rejected(certificate),
        *_changes(certificate),
        f"  requests {certificate['requests']['sent']:,}",
        *(
            f"  note: {note}{f' ({times} times)' if times > 1 else ''}"
            for note, times in certificate["notes"].items()
        ),
        *_changed(certificate),
        *(
            f"  feed: {feed['uri']}, {counted(feed['items'], 'record')}"
            for feed in certificate["feeds"]
        ),
    ]
    if command := _resume(certificate):
        lines.append(
            f"  {_purpose(certificate['verdict'])}: {with_environment(command, base_settings)}"
        )
    print_error("\n".join(f"{line[:2]}{printable(line[2:])}" for line in lines))


def _changes(certificate: Mapping[str, Any]) -> list[str]:
    """Return the sentence on what has changed, if the harvest has replaced a snapshot."""
    changes = certificate["changes"]
    return [f"  {changes['summary']}"] if changes else []


def _rejected(certificate: Mapping[str, Any]) -> list[str]:
    """Return a line for records that were rejected, and one for those that do not exist."""
    reasons = dict(certificate["rejected_by"])
    absent = {name: reasons.pop(name) for name in _ABSENT if name in reasons}
    lines = []
    if reasons:
        where = f", see {file['uri']}" if (file := certificate["rejects"]) else ""
        lines.append(f"{_counted('rejected', reasons)}{where}")
    if absent:
        lines.append(_counted("absent", absent))
    return lines


def _changed(certificate: Mapping[str, Any]) -> list[str]:
    """Return a few lines about changes in the shape of the records."""
    changes = (certificate["contract"] or {}).get("changes", [])
    lines = [f"  {change['message']}" for change in changes[:_MOST_CHANGES]]
    if left := len(changes) - len(lines):
        lines.append(
            f"  {counted(left, 'more change')}: {program()} contract {certificate['spider']}"
        )
    return lines


def _counted(what: str, reasons: Mapping[str, int]) -> str:
    counts = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    return f"  {what} {sum(reasons.values()):,}: {counts}"


def _resume(certificate: Mapping[str, Any]) -> str | None:
    """Return the command that resumes the harvest; none if access was denied."""
    return None if certificate["verdict"] == "refused" else certificate["resume"]


def _purpose(verdict: str) -> str:
    """Return the purpose of the command to run after a harvest with *verdict*."""
    return "to publish it" if verdict == "held_back" else "to resume"


def with_environment(resume: str, base_settings: Collection[str]) -> str:
    """Return the command *resume* with the variables of the environment that it needs."""
    names = [name for name in (*sorted(base_settings), *_FOLDERS) if name in os.environ]
    return " ".join([*(f"{name}={shlex.quote(os.environ[name])}" for name in names), resume])


@dataclass(frozen=True, slots=True)
class SpiderResult:
    """How one spider of several ended, and what it delivered."""

    spider: str
    exit_code: ExitCode
    verdict: str
    reason: str
    records: int = 0
    rejects: int = 0
    requests: int = 0
    seconds: int = 0
    resume: str | None = None
    changes: str = ""

    @classmethod
    def of(cls, spider: str, exit_code: ExitCode, certificate: dict[str, Any] | None) -> Self:
        """Return the result of a spider that has run; without *certificate*, of a failed one."""
        if certificate is None:
            return cls(spider, exit_code, "failed", "ended without a verdict")
        return cls(
            spider,
            exit_code,
            str(certificate["verdict"]),
            certificate["reason"],
            certificate["unique"],
            certificate["rejected"] + certificate["unreadable"],
            certificate["requests"]["sent"],
            certificate["duration_s"],
            _resume(certificate),
            "".join(line.strip() for line in _changes(certificate)),
        )

    @classmethod
    def not_started(cls, spider: str, error: HarvestError) -> Self:
        """Return the result of a spider that failed its checks."""
        return cls(spider, error.exit_code, "not started", str(error))


def print_results(results: Sequence[SpiderResult], base_settings: Collection[str]) -> None:
    """Print a table of *results*, the reasons of those that failed, and how to resume."""
    table = TextTable(("spider", "verdict"), ("exit", "records", "rejects", "requests", "time"))
    for result in results:
        numbers = (result.records, result.rejects, result.requests)
        table.add_row(
            result.spider,
            printable(result.verdict),
            str(int(result.exit_code)),
            *(f"{number:,}" for number in numbers),
            f"{result.seconds:,} s",
        )
    print_table(table, to_error=True)
    said: dict[str, list[str]] = {}  # one reason may concern several spiders
    for result in results:
        text = result.reason.removeprefix(f"{result.spider} ")
        if text := text if result.exit_code else result.changes:
            said.setdefault(printable(text), []).append(result.spider)
    for text, spiders in said.items():
        print_error(f"{', '.join(spiders)}: {text}")
    for result in {result.resume: result for result in results if result.resume}.values():
        command = with_environment(result.resume or "", base_settings)
        print_error(f"{_purpose(result.verdict)}: {command}")

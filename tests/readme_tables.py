"""The tables in README.md and docs/ that code knows best: ``python -m tests.readme_tables``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageMetadata, distribution
from pathlib import Path
from typing import Any

from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from mplus_crawler.census import Verdict
from mplus_crawler.errors import ExitCode
from mplus_crawler.museum.policies.policy import Limit, Policy, Tier, base_settings
from mplus_crawler.museum.policies.reading import load_policy, policy_keys
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.settings import SPIDER_MODULES
from mplus_crawler.spiders.base import ALWAYS, MuseumSpider
from mplus_crawler.spiders.meanings import MEANINGS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = (README, *sorted((ROOT / "docs").glob("*.md")))

# Settings without a default value state what is used instead.
SETTINGS: dict[str, tuple[str, str | None]] = {
    "DMG_BASE_URL": (
        "address of the API of Design Museum Gent; plain http only on this computer",
        "the policy's `base_url`",
    ),
    "MPLUS_URL": (
        "address of the API of M+; plain http only on this computer",
        "the policy's `base_url`",
    ),
    "HARVEST_DIR": ("folder of snapshots, rejected files and certificates", None),
    "HARVEST_STATE_DIR": (
        "folder of the saved responses of unfinished harvests",
        "`.state` in `HARVEST_DIR`",
    ),
    "RESUME_MAX_AGE": (
        "how many seconds after its start an unfinished harvest can be resumed; an older one "
        "starts afresh; for M+, two weeks is both the default and the maximum",
        None,
    ),
    "BUDGET_URL": (
        "where requests are counted: `sqlite:///FILE` (four slashes with an absolute path) or "
        "`redis://HOST/0` (requires `pip install redis`); processes with the same store share the "
        "limits",
        "a file in the user's state folder",
    ),
    "POLICY_DIR": ("folder of policy files that override parts of the shipped ones", "none"),
    "RATE_SHARE": ("share of every limit that may be used, 0.01 to 1", None),
    "THROTTLE_MAX_WAIT": (
        "seconds that a request may wait for the rate limit; a longer wait stops the harvest "
        "(exit 11)",
        None,
    ),
    "LOOKAHEAD": (
        "maximum number of pages requested at the same time",
        "the policy's `in_flight`: 8 for Design Museum Gent, 2 for M+",
    ),
    "MAX_REJECT_SHARE": ("share of records that may be rejected or unreadable, 0 to 1", None),
    "RECORD": (
        "0 leaves the column `record` out of feeds given by `-o` and `-O`, 1 keeps it; "
        "snapshots always have it",
        "1; 0 for spreadsheets",
    ),
    "MAX_DELETE_SHARE": (
        "share of a snapshot's records that may be missing from the next one; if more are missing, "
        "the new one is held back (exit 15)",
        None,
    ),
    "CONTACT_URL": ("part of the User-Agent, so that the museum can contact you", None),
    "LOGSTATS_INTERVAL": ("seconds between progress lines; 0 for none", None),
}

EXIT_CODES: dict[ExitCode, tuple[tuple[Verdict, ...], str]] = {
    ExitCode.COMPLETE: (
        (Verdict.COMPLETE, Verdict.COMPLETE_WITH_DRIFT),
        "every record is in the feed or named in the rejected file; with drift: the collection "
        "changed during the harvest, and a comparison of ids shows that none is missing",
    ),
    ExitCode.FAILED: ((Verdict.FAILED,), "any other failure"),
    ExitCode.USAGE: (
        (),
        "an argument, setting or policy is wrong, or the same harvest is already running: "
        "nothing was requested, no file was replaced",
    ),
    ExitCode.INCOMPLETE: ((Verdict.INCOMPLETE,), "pages or records are missing"),
    ExitCode.STOPPED: (
        (Verdict.STOPPED,),
        "stopped early by a limit, repeated errors or Ctrl-C; run the command in the certificate "
        "to resume",
    ),
    ExitCode.REFUSED: (
        (Verdict.REFUSED,),
        "the museum responded with 401, 403 or 410, or has retired that version of its API",
    ),
    ExitCode.CONTRACT_BROKEN: (
        (Verdict.CONTRACT_BROKEN,),
        "more records were rejected or unreadable than `MAX_REJECT_SHARE` allows",
    ),
    ExitCode.UNDELIVERED: (
        (Verdict.UNDELIVERED,),
        "a file could not be written; a folder that cannot be written is reported before any "
        "request",
    ),
    ExitCode.HELD_BACK: (
        (Verdict.HELD_BACK,),
        "complete, but not published, because it is so much smaller than the snapshot "
        "(`MAX_DELETE_SHARE`); the new records are in `<spider>.held.jsonl`, and "
        "`-a accept=RUN` publishes them",
    ),
}

_MARKED = re.compile(r"(<!-- table:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class OutdatedError(Exception):
    """The descriptions here do not match the code."""


def spider_classes() -> list[type[MuseumSpider]]:
    """All spiders, in the order in which they stand in their modules."""
    loader = SpiderLoader.from_settings(Settings({"SPIDER_MODULES": SPIDER_MODULES}))
    classes = [loader.load(name) for name in loader.list()]
    return [cls for cls in classes if issubclass(cls, MuseumSpider)]


def settings_defaults() -> dict[str, str | None]:
    """The settings that are read from the environment, with their defaults.

    settings.py has them, but for those that say where museums' APIs are.
    """
    tree = ast.parse((ROOT / "mplus_crawler" / "settings.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    bases = {name for key in policy_keys() for name in base_settings(key)}
    return dict.fromkeys(name for name in SETTINGS if name in bases) | {
        name: default[0] if default else None
        for call in calls
        if ast.unparse(call.func) == "os.environ.get"
        for name, *default in [[ast.literal_eval(argument) for argument in call.args]]
    }


def spiders() -> str:
    """A row for each spider."""
    rows = [
        (code(cls.name), cls.summary(), code(getattr(cls, "path", ""))) for cls in spider_classes()
    ]
    return table(("spider", "what", "path"), rows)


def arguments_of_spiders() -> str:
    """A row for each spider, with the arguments that it takes."""
    rows = [(code(cls.name), codes(arguments_of(cls))) for cls in spider_classes()]
    return table(("spider", "arguments"), rows)


def arguments() -> str:
    """A row for each argument that any spider takes."""
    taken = {name for cls in spider_classes() for name in arguments_of(cls)}
    same("MEANINGS", MEANINGS, "the spiders", taken)
    rows = [(code(name), code(value), text) for name, (value, text) in MEANINGS.items()]
    return table(("argument", "value", "meaning"), rows)


def columns() -> str:
    """The columns of each museum's records: the shared ones first, then each kind's own."""
    museums: dict[str, dict[str, Any]] = {}
    for cls in spider_classes():
        schemas = museums.setdefault(cls.load_policy(Settings()).name, {})
        schemas[cls.kind] = ITEM_CLASSES[cls.kind].jsonschema
    return "\n\n".join(
        museum_columns(museum, schemas) for museum, schemas in sorted(museums.items())
    )


def museum_columns(museum: str, schemas: Mapping[str, Any]) -> str:
    """The same for one museum, whose *schemas* are by kind."""
    shared = [
        name
        for name in next(iter(schemas.values()))["required"]
        if all(name in schema["required"] for schema in schemas.values())
    ]
    envelope = [row for name in shared for row in shared_column(name, schemas)]
    sections = [section(f"{museum}: every record", 2, envelope)]
    for schema in schemas.values():
        own = [(name, of) for name, of in schema["properties"].items() if name not in shared]
        kind = schema["properties"]["kind"]["const"]
        sections.append(section(f"`{kind}`: further columns", 3, [column(*each) for each in own]))
    return "\n\n".join(sections)


def shared_column(name: str, schemas: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Its row for most kinds, and one for each further meaning, with the kinds that have it."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, schema in schemas.items():
        row = column(name, schema["properties"][name], f"The {kind}'s")
        kinds.setdefault(row, []).append(kind)
    usual, *others = sorted(kinds, key=lambda row: -len(kinds[row]))
    yield usual
    for code_, holds, meaning in others:
        yield code_, holds, f"{codes(kinds[code_, holds, meaning])}: {meaning}"


def section(title: str, level: int, rows: Iterable[tuple[str, ...]]) -> str:
    """A table of columns under its heading."""
    return f"{'#' * level} {title}\n\n{table(('column', 'holds', 'meaning'), rows)}"


def settings() -> str:
    """A row for each setting of ours."""
    defaults = settings_defaults()
    same("SETTINGS", SETTINGS, "settings.py", defaults)
    rows = []
    for name, (meaning, stand_in) in SETTINGS.items():
        default = defaults[name]
        if (default is None) is (stand_in is None):
            raise OutdatedError(f"{name}: its default in settings.py is {default!r}")
        rows.append((code(name), meaning, stand_in or code(default or "")))
    return table(("setting", "meaning", "default"), rows)


def exit_codes() -> str:
    """A row for each exit code of ``scrapy crawl``."""
    same("EXIT_CODES", EXIT_CODES, "errors.py", list(ExitCode))
    described = [verdict for verdicts, _ in EXIT_CODES.values() for verdict in verdicts]
    same("EXIT_CODES", described, "census.py", list(Verdict))
    rows = []
    for exit_code, (verdicts, meaning) in sorted(EXIT_CODES.items()):
        for verdict in verdicts:
            if verdict.exit_code != exit_code:
                raise OutdatedError(f"{verdict} has the exit code {verdict.exit_code}")
        rows.append((str(exit_code), codes(verdicts), meaning))
    return table(("code", "verdict", "meaning"), rows)


def limits() -> str:
    """A row for each tier of each museum, and for its hosts of images."""
    rows = [
        (
            policy.name,
            name,
            paths,
            " and ".join(map(rate, tier.limits)),
            tier.source,
            str(tier.checked),
        )
        for policy in policies()
        for name, paths, tier in counted(policy)
    ]
    return table(("museum", "tier", "paths", "limit", "source", "checked"), rows)


def counted(policy: Policy) -> Iterator[tuple[str, str, Tier]]:
    """What is counted on its own: name, paths or hosts, and limits."""
    for tier in policy.tiers:
        yield tier.name, codes(tier.paths), tier
    if images := policy.images:
        for host, tier in images.hosts.items():
            yield "images", code(host), tier
        yield "images", "each host of images", images.usual


def terms() -> str:
    """A row for each museum."""
    rows = []
    for policy in policies():
        page = policy.document.get("licence_url")
        licence = f"[{policy.licence}]({page})" if page else policy.licence
        kept = f"{policy.retention_days} days" if policy.retention_days else "no limit"
        source = "API" if policy.dataset is None else "published data set"
        name = f"{policy.name}, {source}"
        rows.append((name, licence, policy.attribution, policy.terms, policy.contact, kept))
    return table(("museum", "licence", "credit", "terms", "contact", "may be kept"), rows)


def licences() -> str:
    """A row for each package that a harvest installs, by requirements.txt."""
    rows = []
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            rows.append((name, version, licence(distribution(name).metadata)))
    return table(("package", "version", "licence"), rows)


def licence(metadata: PackageMetadata) -> str:
    """A package's licence: its expression, or its classifiers, or its own words."""
    classes = [one for one in metadata.get_all("Classifier") or [] if one.startswith("License ::")]
    names = [re.sub(r"^.*:: ", "", one) for one in classes]
    expressions = metadata.get_all("License-Expression") or names or [metadata["License"]]
    return ", ".join(expressions)


TABLES: Mapping[str, Callable[[], str]] = {
    make.__name__: make
    for make in (
        *(spiders, exit_codes, settings, limits, terms),
        *(arguments, arguments_of_spiders, columns, licences),
    )
}


def rewritten(text: str) -> str:
    """*text* with every marked table made anew."""
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]]()}\n\n{mark[3]}", text)


def arguments_of(cls: type[MuseumSpider]) -> list[str]:
    """The names of the arguments that a spider takes."""
    return [*cls.allowed_arguments(Settings()), *ALWAYS]


def policies() -> Iterator[Policy]:
    """The policies that are shipped."""
    return map(load_policy, policy_keys())


def rate(limit: Limit) -> str:
    """A limit to read."""
    return f"{limit.requests:,} in {limit.seconds:g} s"


def column(name: str, schema: Mapping[str, Any], owner: str = "The record's") -> tuple[str, ...]:
    """A column's row; *owner* is what its description names the record by."""
    meaning = schema["description"].replace(owner, "The record's")
    if schema.get("only") == "api":
        meaning += " API only; always empty in the published data set."
    return code(name), shape(schema), meaning


def shape(schema: Mapping[str, Any]) -> str:
    """What a column holds, in a word."""
    named = schema.get("type", "string")
    types = {named} if isinstance(named, str) else set(named)
    if "array" in types:
        return {"string": "list", "integer": "list"}.get(schema["items"].get("type"), "JSON")
    words = {"integer": "number", "number": "number", "boolean": "true or false", "object": "JSON"}
    return next((word for name, word in words.items() if name in types), "text")


def same(here: str, described: Iterable[Any], there: str, present: Iterable[Any]) -> None:
    """Raise :class:`Outdated` unless both are the same names."""
    if missing := set(present) - set(described):
        raise OutdatedError(f"{here} lacks {sorted(missing)}")
    if extra := set(described) - set(present):
        raise OutdatedError(f"{here} has {sorted(extra)}; {there} has not")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *(tuple(map(cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """*text* as it can stand in a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """*text* as code, nothing if it is empty."""
    return text and f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    """Each of *texts* as code."""
    return ", ".join(map(code, texts))


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(rewritten(document.read_text("utf-8")), "utf-8")

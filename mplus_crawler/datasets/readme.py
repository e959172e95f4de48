"""``README.md`` of a package: what is in it, how to use it, and what each column means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mplus_crawler.datasets.database import dictionary, views
from mplus_crawler.datasets.description import CRATE, DATABASE, PARQUET, Description
from mplus_crawler.datasets.relations import referred
from mplus_crawler.errors import counted, printable
from mplus_crawler.verification.package import PACKAGE_CERTIFICATE

README = "README.md"
# Files that are written when the text has been.
LATER_FILES = {
    README: "What the package contains, and what each column means.",
    CRATE: "The package and its files (RO-Crate 1.2).",
    PACKAGE_CERTIFICATE: "Size and SHA-256 of every other file, sealed.",
}
_VIEW = re.compile(r"^((?:-- .*\n)*)CREATE VIEW (\w+)", re.MULTILINE)
_USE = f"""## How to use it

```python
import pandas as pd

{{kind}} = pd.read_parquet("{{kind}}{PARQUET}")
```

```sh
sqlite3 {DATABASE} "SELECT id, label FROM search WHERE search MATCH 'wood*' LIMIT 10"
```

In the search index, each group of one to four adjacent Chinese characters is a word: `水墨`.
For more than four, separate them with spaces, and add quotation marks: `"紙 本 水 墨 設 色"`.
Lists are Parquet lists, or tables in the database; CSV has ` | ` between their values.
The column `attribution` of a record is its credit line, ready to print: see `ATTRIBUTION.md`.
"""
_CHECK = """## How to check it

`scrapy verify FOLDER` compares every file with `package.certificate.json`, which is sealed.
`certificates/` has the certificates of the harvests, with requests, counts and verdict.
"""


def readme(package: Description) -> str:
    """Return the text for *package*."""
    return "\n".join(_sections(package))


def _sections(package: Description) -> Iterator[str]:
    yield f"# {_clean(package.title)}\n"
    yield f"{_clean(package.summary)}\n"
    yield _facts(package)
    yield "## Snapshots\n"
    yield _table(("kind", "records", "rejected", "harvested", "verdict"), _snapshots(package))
    yield from _left_out(package)
    yield "## Files\n"
    files = [(f"`{file.path}`", _clean(file.description)) for file in package.files]
    later = [(f"`{name}`", description) for name, description in LATER_FILES.items()]
    yield _table(("file", "what it is"), [*files, *later])
    yield from _use(package)
    yield f"## How to cite it\n\n{_clean(package.citation)}\n"
    yield _CHECK
    yield from _columns(package)
    yield from _database(package)


def _facts(package: Description) -> str:
    policy = package.policy
    facts = {
        "version": package.version,
        "licence of the data": f"[{_clean(policy['licence'])}]({package.licence_url})",
        "terms of use": _clean(policy["terms"]),
        "credit": _clean(policy["attribution"]),
        "contact": _clean(policy["contact"]),
        "read": f"{package.began} to {package.created}",
        "made with": package.software,
    }
    if commit := (package.snapshots[0].certificate.get("origin") or {}).get("commit"):
        facts["release"] = f"commit {commit}"
    if package.expires:
        days = policy["retention_days"]
        facts["refresh or delete by"] = (
            f"{package.expires}: the museum allows {counted(days, 'day')}; "
            "`expires_at` has the time of each record"
        )
    return "".join(f"- {name}: {fact}\n" for name, fact in facts.items())


def _snapshots(package: Description) -> Iterator[Sequence[str]]:
    for one in package.snapshots:
        facts = one.certificate
        counts = (f"{facts['unique']:,}", f"{facts['rejected'] + facts['unreadable']:,}")
        yield (one.kind.table, *counts, facts["finished_at"], facts["verdict"])


def _left_out(package: Description) -> Iterator[str]:
    if package.withheld:
        yield (
            "The records are left out, since the museum wants them refreshed or deleted after "
            f"{counted(package.policy['retention_days'], 'day')}. "
            "Certificates and changes contain none of the museum's content.\n"
        )
    if package.missing:
        yield f"Without a snapshot: {', '.join(kind.table for kind in package.missing)}.\n"


def _use(package: Description) -> Iterator[str]:
    if not package.withheld:
        kinds = [one.kind.table for one in package.snapshots]
        yield _USE.format(kind="objects" if "objects" in kinds else kinds[0])


def _columns(package: Description) -> Iterator[str]:
    written = {one.kind.table for one in package.snapshots if not package.withheld}
    for table in package.tables:
        if table.name in written:
            yield f"## Columns of {table.name}\n\n{_clean(table.description)}\n"
            rows = [
                (
                    f"`{one.name}`",
                    f"list of {one.kind}" if one.repeats else one.kind,
                    _clean(one.description),
                )
                for one in table.schema
            ]
            yield _table(("column", "type", "meaning"), rows)


def _database(package: Description) -> Iterator[str]:
    if package.withheld:
        return
    yield f"## Tables of {DATABASE}\n"
    yield (
        "Every id that a record refers to has a row in its table. If no snapshot lists that id, "
        "the row has `listed = 0`. The table `columns` has this dictionary, too.\n"
    )
    stubs = sorted(referred(package.tables) - {table.name for table in package.tables})
    tables = [
        (
            f"`{name}`",
            ", ".join(f"`{one.name}`" for one in columns),
            ", ".join(f"`{one.name}` → `{one.refers.to}`" for one in columns if one.refers),
        )
        for name, columns in dictionary(package.tables, stubs)
    ]
    yield _table(("table", "columns", "refers to"), tables)
    found = _VIEW.findall(views(package.museum))
    if found:
        yield "Views:\n"
        yield "".join(f"- `{name}`{_about(comment)}\n" for comment, name in found)


def _about(comment: str) -> str:
    text = " ".join(line.removeprefix("-- ") for line in comment.splitlines())
    return f": {text}" if text else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _clean(text: str) -> str:
    """Return *text* as one line without marks that Markdown would interpret."""
    return printable(text).replace("|", "\\|").replace("<", "&lt;")

"""``CITATION.cff``: Citation File Format 1.2.0, which is YAML; JSON strings are YAML too.

https://github.com/citation-file-format/citation-file-format
"""

from __future__ import annotations

import json
import re

from mplus_crawler.datasets.description import Description

CITATION = "CITATION.cff"

# SPDX's names of the licences of Creative Commons differ from the usual ones in their hyphens.
_CREATIVE_COMMONS = re.compile(r"CC(0| BY(-NC)?(-SA|-ND)?) [1-4]\.0")


def citation(package: Description) -> str:
    """Return how to cite *package*, for programs."""
    licence = package.policy["licence"]
    spdx = _CREATIVE_COMMONS.fullmatch(licence)
    facts = {
        "cff-version": "1.2.0",
        "type": "dataset",
        "message": f"Cite the data as below, and credit: {package.policy['attribution']}.",
        "title": package.title,
        "abstract": package.summary,
        "version": package.version,
        "date-released": package.created[:10],
        "url": package.address,
        **(
            {"license": licence.replace(" ", "-")} if spdx else {"license-url": package.licence_url}
        ),
    }
    lines = [f"{name}: {_quoted(value)}" for name, value in facts.items()]
    return "\n".join([*lines, "authors:", f"  - name: {_quoted(package.source)}", ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

"""Version 1 of the API since its retirement."""

from __future__ import annotations

import re

from mplus_crawler.sandbox.dmg.responses import plain_json
from mplus_crawler.sandbox.facts.dmg import BASE, FACTS
from mplus_crawler.sandbox.responses import HTML, Response

_HTML_PAGE = b"<!doctype html><title>Retired</title><p>API v1 has been retired.</p>"


def retired(accept: str) -> Response:
    """Return 410 with the headers of RFC 9745 and RFC 8594, as JSON or HTML by *accept*."""
    facts = FACTS["v1"]
    response = plain_json(
        410,
        {
            "status": 410,
            "error": "API v1 has been retired.",
            "retired_on": facts["retired_on"],
            "successor": BASE,
            "documentation": facts["documentation"],
        },
    )
    if _weight(accept, "text/html") > _weight(accept, "application/json"):
        response = Response(410, _HTML_PAGE, {"Content-Type": HTML})
    response.headers |= {
        "Link": f'<{BASE}>; rel="successor-version"',
        "Deprecation": "true",
        "Sunset": facts["sunset"],
        "Cache-Control": f"public, max-age={facts['max_age']}",
    }
    return response


def _weight(accept: str, kind: str) -> float:
    """Return the weight of a media type in an Accept header (RFC 9110, section 12.5.1)."""
    ranges = dict(_range(part) for part in accept.split(","))
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if wanted in ranges:
            return ranges[wanted]
    return 0


def _range(part: str) -> tuple[str, float]:
    weight = re.search(r";\s*q=([\d.]+)", part)
    return part.partition(";")[0].strip().lower(), float(weight[1]) if weight else 1

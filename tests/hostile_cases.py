"""The table of hostile inputs."""

from __future__ import annotations

import gzip
import tarfile
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from tests.hostile import (
    ESCAPES,
    KEY,
    MEGABYTE,
    Case,
    always,
    at,
    budget,
    damaged_ledger,
    graphql,
    hostile,
    ids,
    instead,
    mplus_at,
    of_rows,
    second_of,
    streams,
    symlink_lock,
    tar_that_claims,
    with_headers,
)

INCOMPLETE = (10, "incomplete")
USAGE = (2, "")
HUGE = "9223372036854775807"

CASES = (
    Case(
        1,
        "Link: unclosed <, unclosed quotes, another page's anchor",
        hostile(
            with_headers(
                [("Link", "<" * 16_000)],
                [("Link", '<a>;r="' * 2_000)],
                [("Link", '<http://127.0.0.1:9/>; rel=next; anchor="/v2/other"')],
            )
        ),
    ),
    Case(
        1,
        "Link: a line of 20 kB",
        hostile(with_headers([("Link", "<a>, " * 4_000)])),
        *INCOMPLETE,
        "a header line has more than 16,384 bytes",
    ),
    Case(
        2,
        "5,000,000 members in 15 MB",
        hostile(always(200, body=of_rows(b"{}," * 5_000_000 + b"{}"))),
        *INCOMPLETE,
        "values in",
    ),
    Case(
        2,
        "a member that is 4,000,000 lists",
        hostile(always(200, body=of_rows(b"[" + b"[]," * 4_000_000 + b"[]]"))),
        *INCOMPLETE,
        "values in",
    ),
    Case(
        2,
        "60 MB in 60 kB of gzip",
        hostile(
            always(200, ("Content-Encoding", "gzip"), body=gzip.compress(bytes(60 * MEGABYTE)))
        ),
        *INCOMPLETE,
        "more than 33,554,432 bytes",
    ),
    Case(
        3,
        "400 header lines of 900 bytes",
        hostile(with_headers([(f"X-{n}", "x" * 900) for n in range(400)])),
        *INCOMPLETE,
        "the headers have more than 262,144 bytes",
    ),
    Case(
        3,
        "tar: a PAX header of 2 GB",
        tar_that_claims(tarfile.XHDTYPE, 2 * 1024**3),
        *INCOMPLETE,
        "claims more than",
    ),
    Case(
        3,
        "tar: a GNU name of 8 GB",
        tar_that_claims(tarfile.GNUTYPE_LONGNAME, 8 * 1024**3 - 1),
        *INCOMPLETE,
        "claims more than",
    ),
    Case(
        4,
        "64-bit counts; resets of 400 digits, in ms, negative",
        hostile(
            with_headers(
                [("X-RateLimit-Remaining", HUGE), ("X-RateLimit-Reset", "9" * 400)],
                [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1600000000000")],
                [("RateLimit", f"limit=1, remaining={HUGE}0, reset=-5"), ("Date", "x" * 900)],
            )
        ),
    ),
    Case(
        4,
        "502 with a Retry-After of a week",
        hostile(always(502, ("Retry-After", "604800"))),
        11,
        "stopped",
    ),
    Case(
        4,
        "504 with a Retry-After of 400 digits",
        hostile(always(504, ("Retry-After", "9" * 400))),
        11,
        "stopped",
    ),
    Case(
        5,
        "rows with half a surrogate, -Infinity, 2,000 levels, U+001F, Latin-1",
        hostile(
            instead(),
            *("-s", "MAX_REJECT_SHARE=0.5"),
            bad=(
                rb'"\udc00"',
                b"-Infinity",
                b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
                b'"a\x1f"',
                b'"\xff"',
            ),
        ),
        lost=5,
    ),
    Case(
        6,
        "203 with a byte order mark; 421; 529",
        hostile(
            lambda number, times, response: (
                (203, response[1], b"\xef\xbb\xbf" + response[2])
                if number == 1
                else ((421, 529)[number - 2], [], b"")
                if times == 1
                else response
            )
        ),
    ),
    Case(
        6,
        "a redirect to itself",
        hostile(always(307, ("Location", "?page=1&itemsPerPage=20&fullRecord=true"))),
        *INCOMPLETE,
        "redirects in a circle",
    ),
    Case(7, "GraphQL: a message of 1 MB with escapes", graphql(ESCAPES), *INCOMPLETE, "forged"),
    Case(
        7,
        "a redirect elsewhere, with escapes",
        hostile(always(302, ("Location", "https://evil.example/\x1b[2J\x85" + "y" * 9_000))),
        *INCOMPLETE,
        "off-site",
    ),
    Case(
        8,
        "the key in DMG_BASE_URL",
        at(f"http://127.0.0.1:HERE/{KEY}/v2/", DMG_API_KEY=KEY),
        *USAGE,
        "DMG_BASE_URL contains the key",
    ),
    Case(
        8,
        "the key in DMG_BASE_URL, percent-encoded twice",
        at(f"http://127.0.0.1:HERE/{quote(quote(KEY, safe=''))}/", DMG_API_KEY=KEY),
        *USAGE,
        "DMG_BASE_URL contains the key",
    ),
    Case(
        8,
        "the key in MPLUS_URL, in base64",
        mplus_at(f"https://mplus.example/{b64encode(KEY.encode()).decode()}"),
        *USAGE,
        "MPLUS_URL contains the key",
    ),
    Case(9, "a ledger cut in half", damaged_ledger(lambda data: data[: len(data) // 2])),
    Case(
        9,
        "a ledger with 2 kB of 0xff",
        damaged_ledger(lambda data: data[:70_000] + b"\xff" * 2_048 + data[72_048:]),
    ),
    Case(9, "a text file as ledger", damaged_ledger(lambda data: b"no database\n" * 9_000)),
    Case(
        10,
        "one HARVEST_DIR, two state folders",
        second_of(HARVEST_STATE_DIR="other"),
        *USAGE,
        "another process is writing",
    ),
    Case(
        10,
        "one HARVEST_DIR in two spellings, two state folders",
        second_of(HARVEST_DIR="link/data/../data", HARVEST_STATE_DIR="other"),
        *USAGE,
        "another process is writing",
    ),
    Case(
        10,
        "one feed of two folders",
        second_of("one.csv", "link/one.csv", HARVEST_DIR="elsewhere", HARVEST_STATE_DIR="other"),
        *USAGE,
        "another process is writing",
    ),
    Case(11, "a folder as budget", budget(Path.mkdir), *USAGE, "budget store"),
    Case(
        11,
        "a text file as budget",
        budget(lambda place: place.write_text("text\n" * 9_000)),
        *USAGE,
        "budget store",
    ),
    Case(11, "a link as the budget's lock", budget(symlink_lock), *USAGE, "budget store"),
    Case(12, "HARVEST_DIR in /proc", at(HARVEST_DIR="/proc/harvest"), 14, "", "cannot be written"),
    Case(12, "state in /dev/null", at(HARVEST_STATE_DIR="/dev/null/state"), 14, "", "cannot write"),
    Case(13, "closed standard streams", streams("<&- >&- 2>&-")),
    Case(13, "standard error is full", streams("2>/dev/full")),
    Case(13, "records to a full output", streams(">/dev/full", "-o -:csv"), 14, "undelivered"),
    Case(14, "a mapped IPv6 address", at("http://[::ffff:127.0.0.1]:HERE/v2/")),
    Case(14, "a proxy for loopback", at(http_proxy="http://127.0.0.1:9", HTTPS_PROXY="x")),
    Case(14, "a private address without TLS", at("http://[::ffff:10.0.0.1]/v2/"), *USAGE),
    Case(
        15,
        "ids with NBSP, zero-width space, quotes, semicolons around",
        ids("\ufeff\u00a0 0001\u200b\n'0002';\n\t\u201c0003\u201d,\n"),
    ),
    Case(15, "an id with a zero-width space inside", ids("1\n2\u200b3\n"), *USAGE, "character 2"),
    Case(15, "an id with a tab inside", ids("1\n\n12\t3\n"), *USAGE, "line 3"),
)

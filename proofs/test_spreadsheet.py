"""Spreadsheets in LibreOffice: what was put into a cell comes out of it."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

# LibreOffice's token string: commas, quotation marks, UTF-8, every cell as text.
_AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"


def test_libreoffice_returns_every_object_number(harvested: Path, tmp_path: Path) -> None:
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    conversion = ("--convert-to", _AS_CSV, "--outdir", str(tmp_path))
    subprocess.run(
        ["soffice", "--headless", profile, *conversion, str(harvested / "objects.xlsx")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with (tmp_path / "objects.csv").open(encoding="utf-8", newline="") as file:
        found = {row["id"]: row["object_number"] for row in csv.DictReader(file)}
    feed = harvested / "data" / "mplus_open_objects.jsonl"
    records = map(json.loads, feed.read_text("utf-8").splitlines())
    assert found == {record["id"]: record["object_number"] or "" for record in records}

"""dlt's REST source along the links to the next page, into files of JSON lines.

::

    python dlt_peer.py BASE_URL FILE ROWS_PER_PAGE
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import dlt
import orjson
from dlt.sources.rest_api import rest_api_source

# The column of "@id", as versions of dlt name it.
_IDS = ("@id", "aid", "a_id", "_id")


def main() -> None:
    """Load the collection, then join the loaded files to one."""
    base_url, file, rows = sys.argv[1:]
    folder = Path(file).resolve().parent / "dlt"
    source = rest_api_source(
        {
            "client": {"base_url": base_url},
            "resources": [
                {
                    "name": "objects",
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": "id/objects",
                        "params": {"page": 1, "itemsPerPage": rows, "fullRecord": "true"},
                        "data_selector": "'hydra:member'",
                        "paginator": {
                            "type": "json_link",
                            "next_url_path": "'hydra:view'.'hydra:next'",
                        },
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "state"),
        destination=dlt.destinations.filesystem(
            bucket_url=folder.joinpath("out").as_uri(), kwargs={"auto_mkdir": True}
        ),
        dataset_name="museum",
    )
    pipeline.run(source, loader_file_format="jsonl", write_disposition="replace")
    with open(file, "wb") as out:
        for part in sorted(folder.joinpath("out", "museum", "objects").glob("*.jsonl*")):
            for line in _lines(part):
                row = orjson.loads(line)
                row["@id"] = next(
                    row[name] for name in ("@id", "aid", "a_id", "_id") if name in row
                )
                out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _lines(part: Path) -> list[bytes]:
    content = part.read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).splitlines()


if __name__ == "__main__":
    main()

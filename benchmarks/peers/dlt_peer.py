"""dlt's REST source along the links to the next page, into files of JSON lines.

::

    python dlt_peer.py FIRST_URL FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import dlt
from dlt.sources.rest_api import rest_api_source


def main() -> None:
    """Load the collection into FOLDER/museum/objects/."""
    url, folder = sys.argv[1:]
    source = rest_api_source(
        {
            "client": {"base_url": url},
            "resources": [
                {
                    "name": "objects",
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": url,
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
    dlt.config["data_writer.disable_compression"] = True
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(Path(folder, "dlt")),
        destination=dlt.destinations.filesystem(
            bucket_url=Path(folder).resolve().as_uri(), kwargs={"auto_mkdir": True}
        ),
        dataset_name="museum",
    )
    pipeline.run(source, loader_file_format="jsonl", write_disposition="replace")


if __name__ == "__main__":
    main()

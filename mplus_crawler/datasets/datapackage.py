"""``datapackage.json``: Data Package 2.

Its tables are the CSV files: the standard has no tables in Parquet, which Croissant describes.
https://datapackage.org/standard/data-package/
"""

from __future__ import annotations

from typing import Any

from mplus_crawler.datasets.description import CSV, DATABASE, Description, PackageFile
from mplus_crawler.records.tables.table_schema import table_schema

DATA_PACKAGE = "datapackage.json"

_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"


def datapackage(package: Description) -> dict[str, Any]:
    """Return the document that describes *package*, with a resource for each file of data."""
    found: dict[str, Any] = {
        "$schema": _PROFILE,
        "name": package.name,
        "title": package.title,
        "description": package.summary,
        "homepage": package.address,
        "version": package.version,
        "created": package.created,
        "licenses": [_licence(package)],
        "sources": [{"title": package.source, "path": package.snapshots[0].api}],
        "contributors": [{"title": package.source, "roles": ["creator"]}],
        "resources": [
            _resource(package, file)
            for file in package.files
            if file.path.endswith((CSV, ".nq")) or file.path == DATABASE
        ],
    }
    if package.expires:
        found["expires"] = package.expires
    return found


def _licence(package: Description) -> dict[str, str]:
    return {"title": package.policy["licence"], "path": package.licence_url}


def _resource(package: Description, file: PackageFile) -> dict[str, Any]:
    stem, _, ending = file.path.rpartition(".")
    resource: dict[str, Any] = {
        "name": stem if file.path.endswith(CSV) else f"{stem}-{ending}",
        "path": file.path,
        "description": file.description,
        "format": ending,
        "mediatype": file.media_type,
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
    }
    table = next((table for table in package.tables if table.name == stem), None)
    if table and file.path.endswith(CSV):
        schema = table_schema(table.schema)
        del schema["$schema"]
        resource |= {"type": "table", "encoding": "utf-8", "schema": schema}
    return resource
